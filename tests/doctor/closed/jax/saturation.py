"""Slopes that are exactly zero at these inputs, and derivatives that are not unique at them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import straightthrough as ste
from doctor.catalogue import sick


def spread(seed, *shape):
    return jnp.asarray(np.random.default_rng(400 + seed).standard_normal(shape), jnp.float32)


class Recurrent(nnx.Module):
    def __init__(self, rngs):
        self.enter = nnx.Linear(3, 5, rngs=rngs)
        self.again = nnx.Linear(5, 5, use_bias=False, rngs=rngs)
        self.leave = nnx.Linear(5, 1, rngs=rngs)


@sick(
    parameters={
        "enter.kernel": "unreached",
        "enter.bias": "unreached",
        "again.kernel": "unreached",
        "leave.kernel": "reached",
        "leave.bias": "reached",
    },
    fix={"tanh": "identity"},
)
def unscaled_sensor():
    """A recurrent net is fed with a pressure in hectopascals: every unit stands at plus or minus one."""
    model = Recurrent(nnx.Rngs(7))
    pressure = 1_013.0 + 0.5 * spread(0, 8, 4, 3)

    def loss(model, pressure):
        def step(h, x):
            h = jnp.tanh(model.enter(x) + model.again(h))  # dies: saturated tanh
            return h, None

        h, _ = jax.lax.scan(step, jnp.zeros((4, 5)), pressure)
        return jnp.mean((model.leave(h) - 0.5) ** 2)

    return loss, model, (pressure,)


@sick(parameters={"lift": "unreached", "offset": "unreached", "mix": "reached"}, fix={"relu6": "identity"})
def all_above_six():
    """A mobile network's activation is bounded by six, its input lies at forty."""
    params = {"lift": spread(0, 4, 6), "offset": jnp.full(6, 40.0), "mix": spread(1, 6)}
    x = spread(2, 20, 4)

    def loss(params, x):
        h = jax.nn.relu6(jnp.dot(x, params["lift"]) + params["offset"])  # dies: saturated relu6|relu|minimum|clip
        return jnp.mean((h @ params["mix"] - 3.0) ** 2)

    return loss, params, (x,)


@sick(parameters={"embed": "unreached", "radius": "reached"}, fix={"maximum": "identity"})
def triplets_with_a_wrong_sign():
    """The margin was subtracted: every triplet counts as satisfied."""
    params = {"embed": spread(0, 5, 3), "radius": jnp.float32(1.0)}
    anchor, positive, negative = spread(1, 3, 10, 5)

    def loss(params, anchor, positive, negative):
        a, p, n = (v @ params["embed"] for v in (anchor, positive, negative))
        near, far = jnp.sum((a - p) ** 2, -1), jnp.sum((a - n) ** 2, -1)
        violated = jnp.maximum(near - far - 500.0, 0.0)  # dies: saturated maximum|max|relu
        return jnp.mean(violated) + 0.01 * (params["radius"] - 2.0) ** 2

    return loss, params, (anchor, positive, negative)


@sick(parameters={"query": "unreached", "key": "unreached", "value": "reached"}, fix={"softmax": "identity"})
def frozen_attention():
    """A temperature of a hundred-thousandth: the softmax is one-hot to the last bit."""
    params = {"query": spread(0, 4, 4), "key": spread(1, 4, 4), "value": spread(2, 4, 4)}
    x = spread(3, 6, 4)

    def loss(params, x):
        logits = (x @ params["query"]) @ (x @ params["key"]).T / 1e-5
        weights = jax.nn.softmax(logits, axis=-1)  # dies: saturated softmax|exp
        return jnp.mean((weights @ (x @ params["value"]) - 0.2) ** 2)

    return loss, params, (x,)


@sick(parameters={"0": "unreached", "1": "unreached", "2": "reached"}, fix={"sign": "identity"})
def window_of_the_proxy_missed():
    """A sign with a proxy, but the window of the proxy ends at one and the inputs start at sixty."""
    params = [spread(0, 4, 6), 80.0 * jnp.sign(spread(1, 6)), spread(2, 6)]
    x = spread(3, 18, 4)

    def loss(params, x):
        w, b, out = params
        bits = ste.sign(x @ w + b, proxy="clipped_identity")  # dies: saturated sign
        return jnp.mean((bits @ out - 1.0) ** 2)

    return loss, params, (x,)


@sick(parameters={"student": "reached"}, why_not="ties: the absolute value stands at zero everywhere")
def twins():
    """The student starts as a copy of the teacher and is compared with it by absolute differences."""
    teacher = spread(0, 5, 3)
    params = {"student": teacher}
    x = spread(1, 12, 5)

    def loss(params, teacher, x):
        difference = jnp.tanh(x @ params["student"]) - jnp.tanh(x @ teacher)
        return jnp.mean(jnp.abs(difference))  # dies: tie abs

    return loss, params, (teacher, x)


@sick(parameters={"pieces": "reached", "out": "reached"}, why_not="ties: all pieces are equal")
def equal_pieces():
    """Maxout units whose pieces start equal: they never part."""
    params = {"pieces": jnp.tile(spread(0, 1, 4, 5), (3, 1, 1)), "out": spread(1, 5)}
    x = spread(2, 14, 4)

    def loss(params, x):
        h = jnp.max(jnp.einsum("ni,pij->pnj", x, params["pieces"]), axis=0)  # dies: tie max
        return jnp.mean((h @ params["out"] - 1.0) ** 2)

    return loss, params, (x,)


@sick(parameters={"prices": "partly_reached"}, why_not="ties: all bids are equal")
def auction_of_equal_bids():
    """The two largest bids win; all bids start equal, and the first two are taken."""
    params = {"prices": jnp.full(6, 0.75)}

    def loss(params, wish):
        winners, _ = jax.lax.top_k(params["prices"], 2)  # dies: tie top_k
        return jnp.mean((winners - wish) ** 2)

    return loss, params, (jnp.array([1.0, 0.9]),)


REPAIRS = {
    "unscaled_sensor": {"jnp.tanh(": "jnp.arcsinh("},
    "all_above_six": {"jax.nn.relu6(": "jax.nn.leaky_relu("},
    "triplets_with_a_wrong_sign": {"near - far - 500.0": "near - far + 5.0"},
    "frozen_attention": {"/ 1e-5": "/ 2.0"},
    "window_of_the_proxy_missed": {'proxy="clipped_identity"': 'proxy="identity"'},
}
