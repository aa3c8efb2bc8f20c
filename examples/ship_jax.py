"""A JAX network saved with the hard operators only, run again without straightthrough, and compared bitwise.

Run it: ``python examples/ship_jax.py``. It needs jax and flatbuffers.
"""

import tempfile

import jax
import jax.numpy as jnp

import straightthrough as ste


def main():
    keys = jax.random.split(jax.random.key(0), 4)
    x, target = jax.random.normal(keys[0], (64, 8)), jax.random.randint(keys[1], (64,), 0, 3)
    weights = (jax.random.normal(keys[2], (8, 16)) / 3, jax.random.normal(keys[3], (16, 3)) / 4)

    def logits(weights, x):
        return ste.sign(x @ weights[0]) @ weights[1]

    @jax.jit
    def step(weights):
        def loss(weights):
            return -jnp.take_along_axis(jax.nn.log_softmax(logits(weights, x)), target[:, None], 1).mean()

        return jax.tree.map(lambda w, g: w - 0.5 * g, weights, jax.grad(loss)(weights))

    for _ in range(20):
        weights = step(weights)
    shipped = ste.ship(lambda x: logits(weights, x), x, tempfile.mkdtemp() + "/model")
    print(shipped)
    return shipped


if __name__ == "__main__":
    main()
