"""Binary hidden units on handwritten digits, in JAX: dead with the bare sign, alive with one line changed.

Run it: ``python examples/fix_jax.py``. It needs jax and scikit-learn, and takes a few seconds.
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import straightthrough as ste

images, labels = load_digits(return_X_y=True)
x, x_test, y, y_test = map(jnp.asarray, train_test_split(images / 8 - 1, labels, test_size=0.25, random_state=0))


def initial(sizes=(64, 16, 16, 10)):
    keys = jax.random.split(jax.random.key(0), len(sizes))
    pairs = zip(keys, sizes[:-1], sizes[1:], strict=False)
    return [(jax.random.normal(key, (n, m)) / n**0.5, jnp.zeros(m)) for key, n, m in pairs]


def train(activation, epochs=150, rate=0.2, momentum=0.9):
    """Accuracy on the test images, and the norm of the first layer's gradient before the first step."""

    def logits(layers, x):
        for weights, bias in layers[:-1]:
            x = activation(x @ weights + bias)
        return x @ layers[-1][0] + layers[-1][1]

    def loss(layers):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits(layers, x)), y[:, None], 1).mean()

    @jax.jit
    def step(layers, velocity):
        velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, jax.grad(loss)(layers))
        return jax.tree.map(lambda w, v: w - rate * v, layers, velocity), velocity

    layers = initial()
    first = float(jnp.linalg.norm(jax.grad(loss)(layers)[0][0]))
    velocity = jax.tree.map(jnp.zeros_like, layers)
    for _ in range(epochs):
        layers, velocity = step(layers, velocity)
    return float((logits(layers, x_test).argmax(1) == y_test).mean()), first


def main():
    broken = jnp.sign
    fixed = ste.with_proxy(jnp.sign, proxy="clipped_identity")  # the one line
    results = {"the bare sign": train(broken), "with a proxy": train(fixed)}
    for name, (accuracy, gradient) in results.items():
        print(f"{name}: gradient of the first layer {gradient:.3f}, accuracy {accuracy:.2f}")
    return results


if __name__ == "__main__":
    main()
