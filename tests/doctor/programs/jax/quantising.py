"""Rounding, codebooks, pruning and counting."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx

from doctor.catalogue import sick
from doctor.programs.jax.library import apply, dense, draw, to_grid


@sick(parameters={"w": "unreached", "scale": "reached", "b": "reached"}, fix={"round": "identity"})
def fake_quantised_weights():
    """Four-bit weights by hand: the scale learns, the weights do not."""
    params = {"w": draw(0, 6, 4), "scale": jnp.float32(0.3), "b": jnp.zeros(4)}
    x = draw(1, 32, 6)

    def loss(params, x):
        levels = jnp.round(params["w"] / params["scale"])  # dies: flat round
        w = params["scale"] * jnp.clip(levels, -8, 7)
        return jnp.mean((x @ w + params["b"] - 1.0) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"encoder.w": "unreached", "encoder.b": "unreached", "decoder.w": "reached", "decoder.b": "reached"},
    fix={"round": "identity", "cast": "identity"},
)
def activations_as_int8():
    """Activations are really stored as int8 and read back."""
    params = {"encoder": dense(0, 5, 8), "decoder": dense(2, 8, 5)}
    x = draw(4, 20, 5)

    def loss(params, x):
        hidden = jnp.tanh(apply(params["encoder"], x))
        stored = jnp.round(127 * hidden).astype(jnp.int8)  # dies: flat round # dies: cut cast
        return jnp.mean((apply(params["decoder"], stored.astype(jnp.float32) / 127) - x) ** 2)

    return loss, params, (x,)


class Codes(nnx.Module):
    def __init__(self, rngs):
        self.encoder = nnx.Linear(6, 3, rngs=rngs)
        self.decoder = nnx.Linear(3, 6, rngs=rngs)
        self.codebook = nnx.Param(rngs.normal((4, 3)))


@sick(
    parameters={
        "encoder.kernel": "unreached",
        "encoder.bias": "unreached",
        "decoder.kernel": "reached",
        "decoder.bias": "reached",
        "codebook": "reached",
    },
    fix={"argmin": "softmax"},
)
def nearest_code_only():
    """Vector quantisation without commitment loss and without copying the gradient."""
    model = Codes(nnx.Rngs(3))
    x = draw(0, 80, 6)

    def loss(model, x):
        z = model.encoder(x)
        distances = jnp.sum((z[:, None] - model.codebook[...]) ** 2, axis=-1)
        nearest = jnp.argmin(distances, axis=1)  # dies: cut argmin
        return jnp.mean((model.decoder(model.codebook[...][nearest]) - x) ** 2)

    return loss, model, (x,)


@sick(
    parameters={"shift": "unreached", "slope": "unreached", "table": "reached"},
    why_not="addresses: the bin number is where a table is read",
)
def binned_feature():
    """A learned rescaling before a binning, and a value per bin."""
    params = {"shift": jnp.float32(0.1), "slope": jnp.float32(1.3), "table": draw(0, 6)}
    x = draw(1, 50)
    edges = jnp.array([-1.5, -0.5, 0.0, 0.5, 1.5])

    def loss(params, x, edges):
        z = params["slope"] * x + params["shift"]
        bins = jnp.digitize(z, edges)  # dies: cut digitize|searchsorted|bucketize
        return jnp.mean((params["table"][bins] - x**2) ** 2)

    return loss, params, (x, edges)


@sick(parameters={"w": "unreached", "b": "unreached"}, why_not="counts: a histogram")
def histogram_matching():
    """A generator's output histogram is compared with the data's."""
    params = {"w": draw(0, 3, 1), "b": jnp.zeros(1)}
    noise, data = draw(1, 60, 3), draw(2, 60)

    def loss(params, noise, data):
        fake = (noise @ params["w"] + params["b"])[:, 0]
        have, _ = jnp.histogram(fake, bins=8, range=(-3.0, 3.0))  # dies: cut histogram|searchsorted|bucketize
        want, _ = jnp.histogram(data, bins=8, range=(-3.0, 3.0))
        return jnp.mean((have - want) ** 2.0)

    return loss, params, (noise, data)


@sick(parameters={"w": "unreached", "b": "unreached"}, fix={"argmax": "softmax"})
def error_rate_as_loss():
    """The user minimises what the paper reports: one minus the accuracy."""
    params = dense(0, 4, 3)
    x, labels = draw(2, 40, 4), jnp.arange(40) % 3

    def loss(params, x, labels):
        predicted = jnp.argmax(apply(params, x), axis=-1)  # dies: cut argmax
        return 1.0 - jnp.mean(predicted == labels)

    return loss, params, (x, labels)


@sick(parameters={"w": "reached", "scores": "unreached", "threshold": "unreached"}, fix={"greater_equal": "sigmoid"})
def pruned_channels():
    """A channel is damped to a tenth where its score lies below a learned threshold."""
    params = {"w": draw(0, 5, 8), "scores": draw(1, 8), "threshold": jnp.float32(0.1)}
    x = draw(2, 20, 5)

    def loss(params, x):
        alive = jnp.abs(params["scores"]) >= params["threshold"]  # dies: cut greater_equal
        hidden = jnp.tanh(x @ params["w"]) * (0.1 + 0.9 * alive.astype(x.dtype))
        return jnp.mean((hidden.sum(1) - 1.0) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"first.w": "unreached", "first.b": "unreached", "second.w": "reached", "second.b": "reached"},
    fix={"round": "identity"},
    elsewhere=(to_grid,),
)
def grid_from_a_helper():
    """Hidden activations go through the author's own rounding."""
    params = {"first": dense(0, 4, 6), "second": dense(2, 6, 1)}
    x = draw(4, 30, 4)

    def loss(params, x):
        hidden = to_grid(jnp.tanh(apply(params["first"], x)), 0.25)
        return jnp.mean((apply(params["second"], hidden) - x[:, :1]) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"early": "unreached", "late": "unreached", "head": "reached"},
    fix={"ceil": "identity", "trunc": "identity"},
)
def two_deaths_in_a_row():
    """Two coarse layers in a chain: to repair the second alone wakes only what lies between."""
    params = {"early": draw(0, 4, 5), "late": draw(1, 5, 5), "head": draw(2, 5)}
    x = draw(3, 25, 4)

    def loss(params, x):
        a = jnp.ceil(2.0 * x @ params["early"])  # dies: flat ceil
        b = jnp.trunc(a @ params["late"])  # dies: flat trunc
        return jnp.mean((b @ params["head"] - 1.0) ** 2)

    return loss, params, (x,)


REPAIRS = {
    "fake_quantised_weights": {"jnp.round(": "jnp.tanh("},
    "activations_as_int8": {"jnp.round(127 * hidden).astype(jnp.int8)": "127 * hidden"},
    "nearest_code_only": {
        "jnp.argmin(distances, axis=1)": "jax.nn.softmax(-distances)",
        "model.codebook[...][nearest]": "nearest @ model.codebook[...]",
    },
    "binned_feature": {
        "jnp.digitize(z, edges)": "jax.nn.softmax(-((z[:, None] - jnp.linspace(-2, 2, 6)) ** 2))",
        'params["table"][bins]': 'bins @ params["table"]',
    },
    "histogram_matching": {
        "have, _ =": "have =",
        "jnp.histogram(fake, bins=8, range=(-3.0, 3.0))": "jnp.tanh(fake[:, None] - jnp.arange(8)).sum(0)",
    },
    "error_rate_as_loss": {
        "jnp.argmax(apply(params, x), axis=-1)": "jax.nn.softmax(apply(params, x))",
        "predicted == labels": "predicted[jnp.arange(40), labels]",
    },
    "pruned_channels": {
        "alive = jnp.abs(": "alive = jax.nn.sigmoid(jnp.abs(",
        '>= params["threshold"]': '- params["threshold"])',
    },
    "grid_from_a_helper": {"jnp.round(": "jnp.asarray("},
    "two_deaths_in_a_row": {"jnp.ceil(": "jnp.asarray(", "jnp.trunc(": "jnp.asarray("},
}
