"""A Keras network saved with the hard operators only, run again without straightthrough, and compared bitwise.

Run it: ``python examples/ship_tensorflow.py``. It needs tensorflow.
"""

import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

import straightthrough as ste
from straightthrough.keras import StraightThrough


def main():
    keras.utils.set_random_seed(0)
    hidden, head = keras.layers.Dense(16), keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((8,)), hidden, StraightThrough("sign"), head])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = tf.random.stateless_normal((64, 8), seed=(0, 0))
    target = tf.random.stateless_uniform((64,), seed=(0, 1), maxval=3, dtype=tf.int32)
    model.fit(x, target, epochs=5, verbose=0)
    shipped = ste.ship(model, x, tempfile.mkdtemp() + "/model")
    print(shipped)
    return shipped


if __name__ == "__main__":
    main()
