"""Where the author, or a wrong type, parts a value from its gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from doctor.catalogue import sick


def gauss(seed, *shape):
    return jnp.asarray(np.random.default_rng(600 + seed).normal(0, 0.7, shape), jnp.float32)


@sick(parameters={"policy": "unreached", "critic": "reached"}, fix={"stop_gradient": "identity"})
def stop_around_too_much():
    """Actor and critic: the stop was meant for the advantage and closes after the log probability."""
    params = {"policy": gauss(0, 4, 3), "critic": gauss(1, 4)}
    states, actions, returns = gauss(2, 20, 4), jnp.arange(20) % 3, gauss(3, 20)

    def loss(params, states, actions, returns):
        logp = jax.nn.log_softmax(states @ params["policy"])[jnp.arange(20), actions]
        advantage = returns - states @ params["critic"]
        actor = -jnp.mean(jax.lax.stop_gradient(advantage * logp))  # dies: cut stop_gradient
        return actor + jnp.mean(advantage**2)

    return loss, params, (states, actions, returns)


@sick(
    parameters={"query": "reached", "key": "unreached", "value": "unreached"},
    fix={"stop_gradient": "identity"},
)
def cached_keys_and_values():
    """Training through the inference cache: what is written into it is stopped."""
    params = {"query": gauss(0, 4, 4), "key": gauss(1, 4, 4), "value": gauss(2, 4, 4)}
    x = gauss(3, 6, 4)

    def loss(params, x):
        def step(cache, now):
            i, token = now
            entry = jnp.stack([token @ params["key"], token @ params["value"]])
            cache = cache.at[:, i].set(jax.lax.stop_gradient(entry))  # dies: cut stop_gradient
            logits = jnp.where(jnp.arange(6) <= i, cache[0] @ (token @ params["query"]), -1e30)
            return cache, jax.nn.softmax(logits) @ cache[1]

        _, out = jax.lax.scan(step, jnp.zeros((2, 6, 4)), (jnp.arange(6), x))
        return jnp.mean((out - 0.5) ** 2)

    return loss, params, (x,)


@sick(parameters={"slope": "unreached", "offset": "reached"}, fix={"cast": "identity"})
def predictions_in_the_type_of_the_target():
    """The target's type is an integer, and the author brings the prediction to it."""
    params = {"slope": jnp.float32(2.3), "offset": jnp.float32(0.2)}
    ages, target = jnp.linspace(1, 9, 12), jnp.arange(12, dtype=jnp.int16) * 2

    def loss(params, ages, target):
        predicted = jax.lax.convert_element_type(params["slope"] * ages, target.dtype)  # dies: cut cast
        return jnp.mean((predicted - target + params["offset"]) ** 2)

    return loss, params, (ages, target)


@jax.custom_jvp
def squash(v, sharpness):
    return jnp.tanh(sharpness * v)


@squash.defjvp
def _squash_slope(primals, tangents):
    out = squash(*primals)
    return out, jnp.zeros_like(out)


@sick(parameters={"w": "unreached", "sharpness": "unreached", "top": "reached"}, fix={"squash": "identity"})
def forgotten_tangent():
    """A smooth function with a hand-written forward rule that returns zeros."""
    params = {"w": gauss(0, 3, 4), "sharpness": jnp.float32(1.4), "top": gauss(1, 4)}
    x = gauss(2, 16, 3)

    def loss(params, x):
        h = squash(x @ params["w"], params["sharpness"])  # dies: flat|cut squash|custom_jvp|custom_jvp_call
        return jnp.mean((h @ params["top"] - 1.0) ** 2)

    return loss, params, (x,)


class Layer(nnx.Module):
    def __init__(self, rngs):
        self.mix = nnx.Linear(5, 5, rngs=rngs)
        self.scale = nnx.Param(jnp.ones(5))


class Tower(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([Layer(rngs) for _ in range(3)])
        self.top = nnx.Linear(5, 1, rngs=rngs)


@nnx.remat
def coarse(layer, x):
    h = nnx.gelu(layer.mix(x)) * layer.scale
    return jnp.floor(4 * h) / 4  # dies: flat floor


@sick(
    parameters={
        **{f"layers.{i}.mix.{part}": "unreached" for i in range(3) for part in ("kernel", "bias")},
        **{f"layers.{i}.scale": "unreached" for i in range(3)},
        "top.kernel": "reached",
        "top.bias": "reached",
    },
    fix={"floor": "identity"},
    elsewhere=(getattr(coarse, "__wrapped__", coarse),),
)
def rematerialised_tower():
    """Three rematerialised module calls, each ending on a coarse grid."""
    model = Tower(nnx.Rngs(4))
    x = gauss(0, 10, 5)

    def loss(model, x):
        for layer in model.layers:
            x = x + coarse(layer, x)
        return jnp.mean((model.top(x) - 2.0) ** 2)

    return loss, model, (x,)


@sick(
    parameters={"stem": "partly_reached", "gates": "unreached", "leaf": "reached"},
    fix={"signbit": "sigmoid", "stop_gradient": "identity"},
)
def tree_of_decisions():
    """A soft tree whose splits read the sign bit; one of the features was detached for a plot."""
    params = {"stem": gauss(0, 3, 2), "gates": gauss(1, 2), "leaf": gauss(2, 2, 2)}
    x = gauss(3, 22, 3)

    def loss(params, x):
        features = x @ params["stem"]
        shown = jax.lax.stop_gradient(features[:, 1])  # dies: cut stop_gradient
        right = jnp.signbit(features @ params["gates"])  # dies: cut signbit
        leaf = params["leaf"][jnp.where(right, 1, 0)]
        return jnp.mean((leaf[:, 0] * features[:, 0] + leaf[:, 1] * shown - 1.0) ** 2)

    return loss, params, (x,)


@sick(parameters={"dose": "unreached", "clearance": "reached"}, fix={"trunc": "identity"})
def whole_tablets():
    """Only whole tablets can be given; the rest of the body is an exact linear model."""
    params = {"dose": jnp.array([2.4, 1.3, 3.7]), "clearance": jnp.float32(0.3)}

    def loss(params, wanted):
        tablets = jnp.trunc(params["dose"])  # dies: flat trunc
        kept = jnp.full(3, jnp.exp(-params["clearance"]))
        _, levels = jax.lax.associative_scan(lambda a, b: (a[0] * b[0], b[0] * a[1] + b[1]), (kept, tablets))
        return jnp.mean((levels - wanted) ** 2)

    return loss, params, (jnp.float32(3.0),)


@sick(parameters={"weight": "unreached", "scale": "reached"}, why_not="python number: a value leaves JAX")
def schedule_in_python():
    """The number of refinement steps is taken from a parameter with int()."""
    params = {"weight": jnp.float32(3.7), "scale": jnp.float32(0.9)}

    def loss(params, x):
        steps = round(params["weight"].item())  # dies: cut item
        for _ in range(steps):
            x = params["scale"] * jnp.sin(x) + 0.1
        return jnp.sum(x**2)

    return loss, params, (jnp.linspace(0.2, 1.0, 5),)


REPAIRS = {
    "stop_around_too_much": {"jax.lax.stop_gradient(advantage * logp)": "jax.lax.stop_gradient(advantage) * logp"},
    "cached_keys_and_values": {"jax.lax.stop_gradient(entry)": "entry"},
    "predictions_in_the_type_of_the_target": {
        'jax.lax.convert_element_type(params["slope"] * ages, target.dtype)': "params['slope'] * ages"
    },
    "forgotten_tangent": {
        'squash(x @ params["w"], params["sharpness"])': "jnp.tanh(x @ params['w'] * params['sharpness'])"
    },
    "rematerialised_tower": {"jnp.floor(4 * h)": "jnp.arcsinh(4 * h)"},
    "whole_tablets": {"jnp.trunc(": "jnp.asarray("},
    "tree_of_decisions": {
        "jax.lax.stop_gradient(features[:, 1])": "features[:, 1]",
        'jnp.signbit(features @ params["gates"])': "jax.nn.sigmoid(-features @ params['gates'])",
        'params["leaf"][jnp.where(right, 1, 0)]': "jnp.stack([1 - right, right], -1) @ params['leaf']",
    },
}
