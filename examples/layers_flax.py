"""Training a network with binary hidden units in Flax NNX: the `StraightThrough` layer where the operator stands.

Run it: ``python examples/layers_flax.py``. Its proxy has a width, which is trained with the weights.
It needs flax and optax.
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from straightthrough.flax import StraightThrough


@nnx.jit
def step(model, optimizer, x, target):
    def loss(model):
        return optax.sigmoid_binary_cross_entropy(model(x), target).mean()

    value, gradient = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradient)
    return value


def main(epochs: int = 200) -> dict:
    x = jax.random.normal(jax.random.key(0), (256, 2))
    target = (x[:, :1] * x[:, 1:] > 0).astype(jnp.float32)  # same sign or not: one layer alone cannot tell
    binary = StraightThrough("sign", proxy="clipped_identity(width=1)", learn="width")
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(nnx.Linear(2, 16, rngs=rngs), binary, nnx.Linear(16, 1, rngs=rngs))
    optimizer = nnx.Optimizer(model, optax.adam(0.02), wrt=nnx.Param)
    losses = [float(step(model, optimizer, x, target)) for _ in range(epochs)]
    model.eval()  # from here on the layer is the sign and nothing else
    accuracy = float(((model(x) > 0) == (target > 0)).mean())
    width = float(binary.width[...])
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracy:.2f}, width {width:.2f}")
    return {"first": losses[0], "last": losses[-1], "accuracy": accuracy, "width": width}


if __name__ == "__main__":
    main()
