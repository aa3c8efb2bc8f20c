"""The demo's network in JAX: its parameters are a list of (kernel, bias), the model a function of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from straightthrough.demo.network import LEARNING_RATE, Data, Step, step_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from straightthrough.demo.network import Floats, Weights

NAME = "jax"
HARD = "jnp.sign"
FORMAT = "jax.export (serialized StableHLO)"

hard, tanh = jnp.sign, jnp.tanh
Activations = tuple[Callable[[Any], Any], ...]
Parameters = list[tuple[jax.Array, jax.Array]]


class Network:
    """Parameters, which training replaces, and the activation after each layer but the last."""

    def __init__(self, parameters: Parameters, activations: Activations):
        self.parameters = parameters
        self.activations = activations

    def __call__(self, x: jax.Array) -> jax.Array:
        return _outputs(self.parameters, self.activations, x)[-1]


def _outputs(
    parameters: Parameters, activations: Activations, x: jax.Array, taps: list[jax.Array] | None = None
) -> list[jax.Array]:
    """What each step gives; a tap is an array of zeros added to it, whose gradient is that of the step."""
    steps: list[jax.Array] = []

    def step(value: jax.Array) -> jax.Array:
        steps.append(value if taps is None else value + taps[len(steps)])
        return steps[-1]

    for (kernel, bias), activation in zip(parameters[:-1], activations, strict=True):
        x = step(activation(step(x @ kernel + bias)))
    kernel, bias = parameters[-1]
    step(x @ kernel + bias)
    return steps


def _cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


def version() -> str:
    """The framework and its version."""
    return f"jax {jax.__version__}"


def array(x: Floats) -> jax.Array:
    """A numpy array as JAX's."""
    return jnp.asarray(x)


def model(weights: Weights, activations: Sequence[Callable[[Any], Any]]) -> Network:
    """A network with these weights."""
    return Network([(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in weights], tuple(activations))


def weights(model: Network) -> Weights:
    """Its weights, as numpy arrays."""
    return [(np.asarray(kernel), np.asarray(bias)) for kernel, bias in model.parameters]


def outputs(model: Network, x: jax.Array) -> list[jax.Array]:
    """What each step gives."""
    return _outputs(model.parameters, model.activations, x)


def flow(model: Network, x: Floats, y: NDArray[np.int64]) -> list[Step]:
    """What arrives at each step on the way back, the head first."""
    images, labels = jnp.asarray(x), jnp.asarray(y)

    def loss(parameters: Parameters, taps: list[jax.Array]) -> jax.Array:
        return _cross_entropy(_outputs(parameters, model.activations, images, taps)[-1], labels)

    zeros = [jnp.zeros_like(output) for output in outputs(model, images)]
    of_parameters, of_taps = jax.grad(loss, argnums=(0, 1))(model.parameters, zeros)
    steps = []
    for place, (name, tap) in enumerate(zip(step_names(weights(model)), of_taps, strict=True)):
        kernel = of_parameters[place // 2][0] if place % 2 == 0 else None
        steps.append(Step(name, _norm(tap), None if kernel is None else _norm(kernel), kernel is not None))
    return steps[::-1]


def _norm(gradient: jax.Array) -> float:
    return float(np.linalg.norm(np.asarray(gradient, np.float64)))


class _Adam(NamedTuple):
    """Parameters and the optimizer's moments."""

    parameters: Any
    first: Any
    second: Any
    step: jax.Array


def _adam(state: _Adam, gradients: Any) -> _Adam:
    step = state.step + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state.second, gradients)

    def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
        return p - LEARNING_RATE * (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.999**step)) + 1e-8)

    return _Adam(jax.tree.map(moved, state.parameters, first, second), first, second, step)


@partial(jax.jit, static_argnums=0)
def _epoch(
    activations: Activations, state: _Adam, x: jax.Array, y: jax.Array, batches: jax.Array
) -> tuple[_Adam, jax.Array]:
    def step(state: _Adam, batch: jax.Array) -> tuple[_Adam, jax.Array]:
        def loss(parameters: Parameters) -> jax.Array:
            return _cross_entropy(_outputs(parameters, activations, x[batch])[-1], y[batch])

        value, gradients = jax.value_and_grad(loss)(state.parameters)
        return _adam(state, gradients), value

    state, losses = jax.lax.scan(step, state, batches)
    return state, losses.mean()


def train(model: Network, data: Data, batches: NDArray[np.int64], on_epoch: Callable[[], None]) -> list[float]:
    """Trains in place; returns the mean loss of each epoch."""
    x, y = jnp.asarray(data.x_train), jnp.asarray(data.y_train)
    zeros = jax.tree.map(jnp.zeros_like, model.parameters)
    state = _Adam(model.parameters, zeros, zeros, jnp.float32(0.0))
    losses = []
    for epoch in batches:
        state, loss = _epoch(model.activations, state, x, y, jnp.asarray(epoch))
        losses.append(float(loss))
        on_epoch()
    model.parameters = state.parameters
    return losses


def logits(model: Network, x: Floats) -> Floats:
    """What the network says, with its proxies still in place; compiled, as it was trained."""
    return np.asarray(jax.jit(model)(jnp.asarray(x)))
