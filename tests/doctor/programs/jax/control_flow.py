"""Deaths inside the bodies of scans, conditionals, checkpoints and nested compilations."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from doctor.catalogue import sick
from doctor.programs.jax.library import apply, dense, draw


@sick(
    parameters={
        "blocks.0.w": "unreached",
        "blocks.0.b": "unreached",
        "blocks.1.w": "unreached",
        "blocks.1.b": "unreached",
        "head.w": "reached",
        "head.b": "reached",
    },
    fix={"round": "identity"},
)
def rounding_in_a_rematerialised_block():
    """Each block is checkpointed, and rounds to sixteenths to save memory bandwidth."""
    params = {"blocks": [dense(0, 5, 5), dense(2, 5, 5)], "head": dense(4, 5, 1)}
    x = draw(6, 20, 5)

    @jax.checkpoint
    def block(layer, x):
        y = jax.nn.gelu(apply(layer, x))
        return jnp.round(16 * y) / 16  # dies: flat round

    def loss(params, x):
        for layer in params["blocks"]:
            x = block(layer, x)
        return jnp.mean((apply(params["head"], x) - 1.0) ** 2)

    return loss, params, (x,)


@sick(parameters={"threshold": "unreached", "low": "reached", "high": "reached"}, fix={"greater": "sigmoid"})
def branch_by_cond():
    """Per example, one of two linear maps is taken by lax.cond; the threshold is a parameter."""
    params = {"threshold": jnp.float32(0.1), "low": draw(0, 4), "high": draw(1, 4)}
    x = draw(2, 12, 4)

    def loss(params, x):
        def one(row):
            large = jnp.mean(row) > params["threshold"]  # dies: cut greater
            return jax.lax.cond(large, lambda r: r @ params["high"], lambda r: r @ params["low"], row)

        return jnp.mean((jax.lax.map(one, x) - 1.0) ** 2)

    return loss, params, (x,)


@sick(parameters={"threshold": "unreached", "slope": "reached"}, why_not="python if: a value leaves JAX")
def branch_by_python_if():
    """The same in plain Python: the condition becomes a bool."""
    params = {"threshold": jnp.float32(0.5), "slope": jnp.float32(1.2)}

    def loss(params, dose):
        effect = params["slope"] * dose
        if effect > params["threshold"]:  # dies: cut greater|bool
            effect = effect + 1.0
        return (effect - 3.0) ** 2

    return loss, params, (jnp.float32(1.0),)


@sick(parameters={"depth": "unreached", "w": "reached"}, fix={"less": "sigmoid"})
def learned_depth():
    """A layer is applied as often as a learned depth says, in a scan that skips the rest."""
    params = {"depth": jnp.float32(3.3), "w": draw(0, 4, 4)}
    x = draw(1, 10, 4)

    def loss(params, x):
        def layer(h, i):
            active = i < params["depth"]  # dies: cut less
            return jnp.where(active, jnp.tanh(h @ params["w"]), h), None

        h, _ = jax.lax.scan(layer, x, jnp.arange(6, dtype=jnp.float32))
        return jnp.mean((h - 0.5) ** 2)

    return loss, params, (x,)


@partial(jax.jit, static_argnames="levels")
def staircase(x, levels):
    return jnp.floor(x * levels) / levels  # dies: flat floor


@sick(
    parameters={"0.w": "unreached", "0.b": "unreached", "1.w": "unreached", "1.b": "unreached", "2": "reached"},
    fix={"floor": "identity"},
    elsewhere=(staircase.__wrapped__,),
)
def staircase_in_nested_jit():
    """vmap of jit of vmap: a staircase between the layers and a free output bias."""
    params = (dense(0, 3, 6), dense(2, 6, 1), jnp.zeros(1))
    x = draw(4, 14, 3)

    def loss(params, x):
        first, second, bias = params

        @jax.jit
        def forward(row):
            hidden = jnp.tanh(apply(first, row))
            steps = jax.vmap(lambda v: staircase(v, levels=8))(apply(second, hidden))
            return steps + bias

        return jnp.mean((jax.vmap(forward)(x) - 1.0) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"step_size": "reached", "offset": "unreached", "bias": "reached"},
    fix={"sign": "identity"},
)
def sign_descent_unrolled():
    """An unrolled inner optimiser takes signs of its gradient; a learned offset inside the sign does not learn."""
    params = {"step_size": jnp.float32(0.1), "offset": draw(0, 4), "bias": draw(1, 4)}
    x = draw(2, 15, 4)

    def loss(params, x):
        def inner(w):
            return jnp.mean((x @ w - x[:, 0]) ** 2)

        w = jnp.zeros(4)
        for _ in range(3):
            direction = jnp.sign(jax.grad(inner)(w) + params["offset"])  # dies: flat sign
            w = w - params["step_size"] * direction
        return inner(w + params["bias"])

    return loss, params, (x,)


REPAIRS = {
    "rounding_in_a_rematerialised_block": {"jnp.round(": "jnp.asarray("},
    "branch_by_cond": {
        "jnp.mean(row) > params[": "jax.nn.sigmoid(jnp.mean(row) - params[",
        '"threshold"]  #': '"threshold"])  #',
        'jax.lax.cond(large, lambda r: r @ params["high"], lambda r: r @ params["low"], row)': (
            'large * (row @ params["high"]) + (1 - large) * (row @ params["low"])'
        ),
    },
    "learned_depth": {
        'i < params["depth"]': 'jax.nn.sigmoid(params["depth"] - i)',
        'jnp.where(active, jnp.tanh(h @ params["w"]), h)': 'active * jnp.tanh(h @ params["w"]) + (1 - active) * h',
    },
    "staircase_in_nested_jit": {"jnp.floor(": "jnp.asarray("},
    "sign_descent_unrolled": {"jnp.sign(": "jnp.tanh("},
}
