"""Hard, dead and saturated activations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from doctor.catalogue import sick
from doctor.programs.jax.library import apply, dense, draw


@sick(
    parameters={"first.w": "unreached", "first.b": "unreached", "second.w": "reached", "second.b": "reached"},
    fix={"sign": "clipped_identity"},
)
def sign_network():
    """A network with binary hidden units."""
    params = {"first": dense(0, 5, 8), "second": dense(2, 8, 1)}
    x = draw(4, 32, 5)
    y = jnp.sum(x, axis=1, keepdims=True)

    def loss(params, x, y):
        hidden = jnp.sign(apply(params["first"], x))  # dies: flat sign
        return jnp.mean((apply(params["second"], hidden) - y) ** 2)

    return loss, params, (x, y)


class Perceptron(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(4, 10, rngs=rngs)
        self.out = nnx.Linear(10, 2, rngs=rngs)


@sick(
    parameters={
        "hidden.kernel": "unreached",
        "hidden.bias": "unreached",
        "out.kernel": "reached",
        "out.bias": "reached",
    },
    fix={"greater": "sigmoid"},
)
def step_units():
    """Rosenblatt's units in front of a linear layer: the step is written as a where."""
    model = Perceptron(nnx.Rngs(0))
    x = draw(0, 24, 4)
    labels = (x[:, 0] * x[:, 1] > 0).astype(jnp.int32)

    def loss(model, x, labels):
        fired = model.hidden(x) > 0.2  # dies: cut greater
        logits = model.out(jnp.where(fired, 1.0, 0.0))
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))

    return loss, model, (x, labels)


@sick(
    parameters={"inputs": "unreached", "recurrent": "unreached", "leak": "unreached", "readout": "reached"},
    fix={"greater": "sigmoid"},
)
def spiking_scan():
    """Leaky integrate-and-fire neurons; the membrane is reset by the spike."""
    params = {
        "inputs": draw(0, 3, 12),
        "recurrent": draw(1, 12, 12, scale=0.2),
        "leak": jnp.float32(0.9),
        "readout": draw(2, 12, 2),
    }
    x = draw(3, 20, 6, 3)

    def loss(params, x):
        def step(carry, now):
            membrane, spikes = carry
            membrane = params["leak"] * membrane * (1 - spikes) + now @ params["inputs"] + spikes @ params["recurrent"]
            spikes = (membrane > 1.0).astype(x.dtype)  # dies: cut greater
            return (membrane, spikes), spikes

        start = jnp.zeros((6, 12)), jnp.zeros((6, 12))
        _, train = jax.lax.scan(step, start, x)
        rate = train.mean(0) @ params["readout"]
        return jnp.mean((rate - jnp.array([1.0, -1.0])) ** 2)

    return loss, params, (x,)


@sick(
    parameters={
        "hidden.kernel": "unreached",
        "hidden.bias": "unreached",
        "out.kernel": ("unreached", "starved"),
        "out.bias": "reached",
    },
    fix={"relu": "identity"},
)
def dead_relu():
    """A bias of -40 came with a checkpoint: no unit fires for any example."""
    model = Perceptron(nnx.Rngs(1))
    model.hidden.bias[...] = jnp.full((10,), -40.0)
    x = draw(0, 16, 4)

    def loss(model, x):
        hidden = nnx.relu(model.hidden(x))  # dies: saturated relu
        return jnp.mean((model.out(hidden) - 1.0) ** 2)

    return loss, model, (x,)


@sick(
    parameters={"gate.w": "unreached", "gate.b": "unreached", "change.w": "reached", "change.b": "reached"},
    fix={"sigmoid": "identity"},
)
def saturated_gate():
    """A highway layer's gate is fed with unscaled pixels: it is open, exactly, for every example."""
    params = {"gate": dense(0, 6, 6), "change": dense(2, 6, 6)}
    params["gate"]["b"] = jnp.full((6,), 200.0)
    x = draw(4, 20, 6)

    def loss(params, x):
        gate = jax.nn.sigmoid(apply(params["gate"], x))  # dies: saturated sigmoid|logistic
        change = jnp.tanh(apply(params["change"], x))
        return jnp.mean((gate * change + (1 - gate) * x - 0.5) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"frequencies": "unreached", "phases": "unreached", "mix": "reached"},
    fix={"heaviside": "sigmoid"},
)
def square_waves():
    """A signal is fitted by square waves with learned frequencies."""
    params = {"frequencies": jnp.linspace(1.0, 4.0, 5), "phases": draw(0, 5), "mix": draw(1, 5)}
    t = jnp.linspace(0.0, 6.0, 40)

    def loss(params, t):
        carrier = jnp.sin(t[:, None] * params["frequencies"] + params["phases"])
        waves = jnp.heaviside(carrier, 0.5)  # dies: flat|cut heaviside
        return jnp.mean((waves @ params["mix"] - jnp.cos(t)) ** 2)

    return loss, params, (t,)


@sick(
    parameters={"0.w": "unreached", "0.b": "unreached", "1.w": "reached", "1.b": "reached"},
    fix={"clip": "identity"},
)
def clip_outside():
    """Features are clipped to [-1, 1], but nobody normalised them: all lie at 100 and beyond."""
    params = [dense(0, 3, 7), dense(2, 7, 1)]
    params[0]["b"] = params[0]["b"] + 300.0
    x = draw(4, 20, 3)

    def loss(layers, x):
        features = jnp.clip(apply(layers[0], x), -1.0, 1.0)  # dies: saturated clip|minimum
        return jnp.mean((apply(layers[1], features) - 0.3) ** 2)

    return loss, params, (x,)


REPAIRS = {
    "sign_network": {"jnp.sign(": "jnp.tanh("},
    "step_units": {"model.hidden(x) > 0.2": "jax.nn.sigmoid(model.hidden(x))", "jnp.where(fired, 1.0, 0.0)": "fired"},
    "spiking_scan": {"(membrane > 1.0).astype(x.dtype)": "jax.nn.sigmoid(membrane - 1.0)"},
    "dead_relu": {"nnx.relu(": "nnx.leaky_relu("},
    "saturated_gate": {"jax.nn.sigmoid(": "0.003 * jnp.asarray("},
    "square_waves": {"jnp.heaviside(carrier, 0.5)": "jax.nn.sigmoid(carrier)"},
    "clip_outside": {"jnp.clip(apply(layers[0], x), -1.0, 1.0)": "jnp.arcsinh(apply(layers[0], x))"},
}
