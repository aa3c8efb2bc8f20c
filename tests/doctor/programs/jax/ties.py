"""Places where the derivative is not unique at this very input."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from doctor.catalogue import sick
from doctor.programs.jax.library import draw


class Net(nnx.Module):
    def __init__(self, rngs):
        zeros = nnx.initializers.zeros_init()
        self.first = nnx.Linear(4, 6, kernel_init=zeros, rngs=rngs)
        self.second = nnx.Linear(6, 2, rngs=rngs)


@sick(
    parameters={
        "first.kernel": "unreached",
        "first.bias": "unreached",
        "second.kernel": ("unreached", "starved"),
        "second.bias": "reached",
    },
    fix={"relu": "identity"},
)
def relu_of_zeros():
    """Kernel and bias of the first layer start at zero: the relu stands exactly at its kink."""
    model = Net(nnx.Rngs(0))
    x = draw(0, 16, 4)

    def loss(model, x):
        hidden = jax.nn.relu(model.first(x))  # dies: tie relu
        return jnp.mean((model.second(hidden) - 1.0) ** 2)

    return loss, model, (x,)


@sick(parameters={"image": "partly_reached"}, why_not="ties: one of each window's equal entries is taken")
def max_pool_of_a_constant():
    """An image is optimised from a constant: each pooling window has four equal entries and one is chosen."""
    params = {"image": jnp.zeros((1, 8, 8, 1))}
    target = draw(0, 1, 4, 4, 1)

    def loss(params, target):
        pooled = nnx.max_pool(params["image"], (2, 2), strides=(2, 2))  # dies: tie max_pool|max|reduce_window
        return jnp.mean((pooled - target) ** 2)

    return loss, params, (target,)


@sick(parameters={"scores": "reached"}, why_not="ties: all entries are equal, their order is arbitrary")
def sort_of_equal_scores():
    """Scores start all equal; the sort hands each rank's weight to whichever entry came first."""
    params = {"scores": jnp.full((6,), 0.5)}
    weights = jnp.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])

    def loss(params, weights):
        ordered = jnp.sort(params["scores"])  # dies: tie sort
        return jnp.sum(weights * ordered) + jnp.sum(params["scores"] ** 2)

    return loss, params, (weights,)


REPAIRS = {
    "relu_of_zeros": {"jax.nn.relu(model.first(x))": "jax.nn.relu(model.first(x) + 0.1)"},
    "max_pool_of_a_constant": {"nnx.max_pool(": "nnx.avg_pool("},
}
