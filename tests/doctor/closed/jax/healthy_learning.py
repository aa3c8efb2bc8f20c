"""Healthy: learners with state, rules and frozen parts."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import straightthrough as ste
from doctor.catalogue import healthy


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(800 + seed).normal(size=shape), jnp.float32)


class Teacher(nnx.Variable):
    pass


class Distilled(nnx.Module):
    def __init__(self, rngs):
        self.cell = nnx.GRUCell(3, 4, rngs=rngs)
        self.norm = nnx.LayerNorm(4, rngs=rngs)
        self.out = nnx.Linear(4, 2, rngs=rngs)
        self.teacher = Teacher(rngs.normal((3, 2)))


@healthy(
    parameters={
        **{f"cell.dense_{side}.kernel": "reached" for side in "hi"},
        "cell.dense_i.bias": "reached",
        "norm.scale": "reached",
        "norm.bias": "reached",
        "out.kernel": "reached",
        "out.bias": "reached",
    }
)
def distilled_recurrent_net():
    """A GRU learns from a teacher that is a variable of its own kind, not a Param; its answers are stopped."""
    model = Distilled(nnx.Rngs(0))
    x = normal(0, 8, 6, 3)

    def loss(model, x):
        h = jnp.zeros((8, 4))
        for t in range(6):
            h, _ = model.cell(h, x[:, t])
        logits = model.out(model.norm(h))
        soft = jax.lax.stop_gradient(jax.nn.softmax(x[:, -1] @ model.teacher[...]))
        return -jnp.mean(jnp.sum(soft * jax.nn.log_softmax(logits), -1))

    return loss, model, (x,)


@healthy(parameters={"student": "reached", "bias": ("unreached", "invariant"), "temperature": "reached"})
def contrast_with_a_moving_average():
    """Contrastive learning against a moving average; a bias before the centering does nothing."""
    params = {"student": normal(0, 4, 3), "bias": normal(1, 3), "temperature": jnp.float32(0.4)}
    average = params["student"] + 0.1 * normal(2, 4, 3)

    def loss(params, average, a, b):
        average = jax.lax.stop_gradient(0.99 * average + 0.01 * params["student"])  # stops: stop_gradient
        z = a @ params["student"] + params["bias"]
        z = z - z.mean(0)
        t = b @ average
        scores = z @ t.T / params["temperature"]
        return -jnp.mean(jnp.diagonal(jax.nn.log_softmax(scores)))

    return loss, params, (average, normal(3, 9, 4), normal(4, 9, 4))


@healthy()
def policy_gradient():
    """REINFORCE as it should be: drawn actions, a stopped advantage, a live log probability."""
    params = {"policy": normal(0, 4, 3), "critic": normal(1, 4)}
    states, rewards = normal(2, 30, 4), normal(3, 30, 3)

    def loss(params, states, rewards, key):
        logits = states @ params["policy"]
        actions = jax.random.categorical(key, logits)
        rows = jnp.arange(len(states))
        gained, value = rewards[rows, actions], states @ params["critic"]
        advantage = jax.lax.stop_gradient(gained - value)  # stops: stop_gradient
        logp = jax.nn.log_softmax(logits)[rows, actions]
        return -jnp.mean(advantage * logp) + jnp.mean((gained - value) ** 2)

    return loss, params, (states, rewards, jax.random.key(5))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def ternary(w, threshold):
    return jnp.where(w > threshold, 1.0, jnp.where(w < -threshold, -1.0, 0.0))


def _ternary_forward(w, threshold):
    return ternary(w, threshold), w


def _ternary_backward(threshold, w, cotangent):
    return (jnp.where(jnp.abs(w) <= 3.0, cotangent, 0.0),)


ternary.defvjp(_ternary_forward, _ternary_backward)


@healthy()
def ternary_weights():
    """Ternary weights with a windowed rule, under vmap over an ensemble."""
    params = {"w": normal(0, 3, 4, 5), "alpha": jnp.full(3, 0.6), "head": normal(1, 3, 5)}
    x = normal(2, 18, 4)

    def loss(params, x):
        def member(w, alpha, head):
            return jnp.tanh(x @ (alpha * ternary(w, 0.4))) @ head

        votes = jax.vmap(member)(params["w"], params["alpha"], params["head"])
        return jnp.mean((votes.mean(0) - x[:, 0]) ** 2)

    return loss, params, (x,)


@healthy()
def own_operator_with_a_proxy():
    """The author's quantiser, wrapped by with_proxy, and a mask of straightthrough, inside a scan."""
    params = {"w": normal(0, 4, 4), "gate": normal(1, 4), "out": normal(2, 4)}
    x = normal(3, 12, 4)
    quarter = ste.with_proxy(lambda v: jnp.floor(4 * v + 0.5) / 4, "identity")

    def loss(params, x):
        def layer(h, _):
            h = quarter(jnp.tanh(h @ params["w"]))
            return h * ste.greater(h * params["gate"], -0.5, proxy="sigmoid"), None

        h, _ = jax.lax.scan(layer, x, None, length=3)
        return jnp.mean((h @ params["out"] - 1.0) ** 2)

    return loss, params, (x,)


@jax.custom_vjp
def reversed_gradient(x):
    return x


reversed_gradient.defvjp(lambda x: (x, None), lambda _, cotangent: (-0.1 * cotangent,))


@healthy(parameters={"features": "reached", "label": "reached", "domain": "reached", "statistics": "frozen"})
def domain_adversary():
    """Gradient reversal by a custom rule; integer statistics travel in the same tree."""
    params = {
        "features": normal(0, 5, 4),
        "label": normal(1, 4, 2),
        "domain": normal(2, 4),
        "statistics": jnp.arange(3),
    }
    x = normal(3, 16, 5)

    def loss(params, x):
        h = jnp.tanh(x @ params["features"])
        label = jax.nn.log_softmax(h @ params["label"])[jnp.arange(16), jnp.arange(16) % 2]
        domain = jax.nn.softplus(reversed_gradient(h) @ params["domain"])
        return -jnp.mean(label) + jnp.mean(domain) + 0.0 * jnp.sum(params["statistics"])

    return loss, params, (x,)


@healthy(parameters={"low": "reached", "up": ("unreached", "zero_initialised"), "base": "reached", "spare": "unused"})
def low_rank_adapter():
    """LoRA at its start, one factor at zero, in half precision with a scaled loss."""
    params = {"base": normal(0, 4, 4), "low": jnp.zeros((2, 4)), "up": normal(1, 4, 2), "spare": normal(2, 2)}
    x = normal(3, 10, 4)

    def loss(params, x):
        base, low, up = (params[k].astype(jnp.float16) for k in ("base", "low", "up"))
        y = x.astype(jnp.float16) @ base + (x.astype(jnp.float16) @ up) @ low
        return 128.0 * jnp.mean((y.astype(jnp.float32) - 0.5) ** 2)

    return loss, params, (x,)


@healthy()
def soft_beam():
    """A decoder that feeds back the softmax, and logs the greedy words."""
    params = {"embed": normal(0, 6, 4), "cell": 0.7 * normal(1, 4, 4), "out": normal(2, 4, 6)}
    start, wanted = normal(3, 7, 4), jnp.arange(28).reshape(4, 7) % 6

    def loss(params, start, wanted):
        def step(carry, target):
            h, word = carry
            h = jnp.tanh(h @ params["cell"] + word @ params["embed"])
            logits = h @ params["out"]
            greedy = jnp.argmax(logits, axis=-1)
            cost = -jnp.take_along_axis(jax.nn.log_softmax(logits), target[:, None], 1).mean()
            return (h, jax.nn.softmax(logits / 0.5)), (cost, greedy)

        _, (costs, words) = jax.lax.scan(step, (start, jnp.full((7, 6), 1 / 6)), wanted)
        errors = jnp.sum(words != wanted)
        return jnp.where(jnp.isfinite(errors), jnp.mean(costs), 0.0)

    return loss, params, (start, wanted)
