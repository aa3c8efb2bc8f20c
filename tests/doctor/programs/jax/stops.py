"""Gradients stopped by accident, and values that leave JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from doctor.catalogue import sick
from doctor.programs.jax.library import apply, dense, draw


class Siamese(nnx.Module):
    def __init__(self, rngs):
        self.encoder = nnx.Linear(6, 4, rngs=rngs)
        self.predictor = nnx.Linear(4, 4, rngs=rngs)


@sick(
    parameters={
        "encoder.kernel": "unreached",
        "encoder.bias": "unreached",
        "predictor.kernel": "reached",
        "predictor.bias": "reached",
    },
    fix={"stop_gradient": "identity"},
)
def both_branches_stopped():
    """A siamese network in which the stop was put into the shared encoder call: both branches are stopped."""
    model = Siamese(nnx.Rngs(0))
    a = draw(0, 16, 6)

    def loss(model, a, b):
        def encode(x):
            return jax.lax.stop_gradient(jnp.tanh(model.encoder(x)))  # dies: cut stop_gradient

        return jnp.mean((model.predictor(encode(a)) - encode(b)) ** 2)

    return loss, model, (a, a + 0.1 * draw(1, 16, 6))


@sick(
    parameters={"filter": "unreached", "head": "reached"},
    why_not="the spectrum is computed by numpy, outside JAX",
)
def features_in_numpy():
    """The spectrum is computed by numpy on the host; the callback asks for a stop_gradient and gets it."""
    params = {"filter": draw(0, 8), "head": draw(1, 5)}
    x = draw(2, 6, 8)

    def spectrum(signal):
        return np.abs(np.fft.rfft(np.asarray(signal), axis=-1)).astype(np.float32)

    def loss(params, x):
        filtered = jax.lax.stop_gradient(x * params["filter"])  # dies: cut stop_gradient|pure_callback
        features = jax.pure_callback(spectrum, jax.ShapeDtypeStruct((6, 5), jnp.float32), filtered)
        return jnp.mean((features @ params["head"] - 1.0) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"temperature": "unreached", "w": "reached"},
    why_not="python number: the temperature leaves JAX",
)
def temperature_as_a_python_number():
    """The learned temperature is turned into a Python number on its way to the softmax."""
    params = {"temperature": jnp.float32(0.8), "w": draw(0, 5, 3)}
    x, labels = draw(1, 12, 5), jnp.arange(12) % 3

    def loss(params, x, labels):
        temperature = params["temperature"].item()  # dies: cut item
        logp = jax.nn.log_softmax(x @ params["w"] / max(temperature, 1e-3))
        return -jnp.mean(logp[jnp.arange(len(labels)), labels])

    return loss, params, (x, labels)


@jax.custom_vjp
def binary_gate(x):
    return (x > 0).astype(x.dtype)


def _gate_forward(x):
    return binary_gate(x), x


def _gate_backward(x, cotangent):
    return (jnp.zeros_like(cotangent),)


binary_gate.defvjp(_gate_forward, _gate_backward)


@sick(
    parameters={"gate.w": "unreached", "gate.b": "unreached", "body.w": "reached", "body.b": "reached"},
    fix={"binary_gate": "sigmoid"},
)
def custom_rule_returns_zeros():
    """A custom derivative rule whose backward pass was left as a placeholder."""
    params = {"gate": dense(0, 4, 5), "body": dense(2, 4, 5)}
    x = draw(4, 20, 4)

    def loss(params, x):
        gates = binary_gate(apply(params["gate"], x))  # dies: flat|cut binary_gate|custom_vjp|custom_vjp_call|greater
        return jnp.mean((gates * jnp.tanh(apply(params["body"], x)) - 0.3) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"embed": "partly_reached", "out": "reached"},
    fix={"stop_gradient": "identity"},
)
def half_of_the_features_detached():
    """The second half of an embedding was detached for an ablation and never put back."""
    params = {"embed": draw(0, 5, 8), "out": draw(1, 8, 2)}
    x = draw(2, 20, 5)

    def loss(params, x):
        h = jnp.tanh(x @ params["embed"])
        kept, ablated = jnp.split(h, 2, axis=-1)
        ablated = jax.lax.stop_gradient(ablated)  # dies: cut stop_gradient
        h = jnp.concatenate([kept, ablated], axis=-1)
        return jnp.mean((h @ params["out"] - 0.5) ** 2)

    return loss, params, (x,)


REPAIRS = {
    "both_branches_stopped": {"jax.lax.stop_gradient(": "jnp.asarray("},
    "features_in_numpy": {
        "jax.lax.stop_gradient(": "jnp.asarray(",
        "jax.pure_callback(spectrum, ": "(lambda _, signal: jnp.abs(jnp.fft.rfft(signal)))(",
    },
    "temperature_as_a_python_number": {
        'params["temperature"].item()': 'params["temperature"]',
        'x @ params["w"] / max(': 'x @ params["w"] / jnp.maximum(',
    },
    "custom_rule_returns_zeros": {"binary_gate(": "jax.nn.sigmoid("},
    "half_of_the_features_detached": {"jax.lax.stop_gradient(": "jnp.asarray("},
}
