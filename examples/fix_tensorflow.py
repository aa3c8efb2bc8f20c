"""Binary hidden units on handwritten digits, in TensorFlow: dead with the bare sign, alive with one line changed.

Run it: ``python examples/fix_tensorflow.py``. It needs tensorflow and scikit-learn, and takes some ten seconds.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import straightthrough as ste

images, labels = load_digits(return_X_y=True)
data = train_test_split(images / 8 - 1, labels, test_size=0.25, random_state=0)
x, x_test = (tf.constant(part, tf.float32) for part in data[:2])
y, y_test = data[2:]


def train(activation, epochs=100):
    """Accuracy on the test images, and the norm of the first layer's gradient before the first step."""
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(16, activation=activation) for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10)])
    optimizer = keras.optimizers.Adam(0.01)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return tf.norm(gradients[0])

    first = [float(step()) for _ in range(epochs)]
    return float((model(x_test).numpy().argmax(1) == y_test).mean()), first[0]


def main():
    broken = tf.sign
    fixed = ste.with_proxy(tf.sign, proxy="clipped_identity")  # the one line
    results = {"the bare sign": train(broken), "with a proxy": train(fixed)}
    for name, (accuracy, gradient) in results.items():
        print(f"{name}: gradient of the first layer {gradient:.3f}, accuracy {accuracy:.2f}")
    return results


if __name__ == "__main__":
    main()
