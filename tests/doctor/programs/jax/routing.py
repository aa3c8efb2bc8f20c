"""Mixtures of experts, masks and other hard choices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from doctor.catalogue import sick
from doctor.programs.jax.library import draw, keep_largest


@sick(parameters={"router": "unreached", "experts": "reached"}, fix={"argmax": "softmax"})
def experts_picked_by_index():
    """Each token's expert matrix is gathered by the router's argmax."""
    params = {"router": draw(0, 6, 3), "experts": draw(1, 3, 6, 6)}
    x = draw(2, 40, 6)

    def loss(params, x):
        chosen = jnp.argmax(x @ params["router"], axis=-1)  # dies: cut argmax
        y = jnp.einsum("ni,nij->nj", x, params["experts"][chosen])
        return jnp.mean((y - jnp.roll(x, 1, axis=1)) ** 2)

    return loss, params, (x,)


class Switch(nnx.Module):
    def __init__(self, rngs):
        self.router = nnx.Linear(5, 4, rngs=rngs)
        self.experts = nnx.List([nnx.Linear(5, 5, rngs=rngs) for _ in range(4)])


@sick(
    parameters={
        "router.kernel": "unreached",
        "router.bias": "unreached",
        **{f"experts.{i}.{part}": "reached" for i in range(4) for part in ("kernel", "bias")},
    },
    fix={"argmax": "softmax"},
)
def switch_without_its_probability():
    """A switch layer in which the factor of the chosen expert's probability was forgotten."""
    model = Switch(nnx.Rngs(0))
    x = draw(0, 48, 5)

    def loss(model, x):
        probabilities = jax.nn.softmax(model.router(x))
        best = probabilities.argmax(-1)  # dies: cut argmax
        gates = jax.nn.one_hot(best, 4)
        outputs = jnp.stack([expert(x) for expert in model.experts], axis=1)
        return jnp.mean((jnp.sum(gates[..., None] * outputs, 1) - x[:, ::-1]) ** 2)

    return loss, model, (x,)


@sick(parameters={"score": "unreached", "value": "reached"}, fix={"top_k": "softmax"})
def top_k_tokens_by_scatter():
    """Two tokens of a sentence are kept: a mask of zeros into which ones are written."""
    params = {"score": draw(0, 4), "value": draw(1, 4, 3)}
    x = draw(2, 10, 6, 4)

    def loss(params, x):
        scores = jnp.tanh(x @ params["score"])
        _, kept = jax.lax.top_k(scores, 2)  # dies: cut top_k
        mask = jnp.zeros_like(scores).at[jnp.arange(len(x))[:, None], kept].set(1.0)
        pooled = jnp.einsum("bt,btd->bd", mask, jnp.tanh(x @ params["value"])) / 2
        return jnp.mean((pooled - 0.2) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"query": "reached", "key": "reached", "gate": "unreached", "value": "reached"},
    fix={"greater": "sigmoid"},
)
def attention_with_a_hard_gate():
    """A gate decides which keys may be seen at all; the attention itself is soft and learns."""
    params = {
        "query": draw(0, 6, 4),
        "key": draw(1, 6, 4),
        "gate": draw(2, 6),
        "value": draw(3, 6, 6),
    }
    x = draw(4, 8, 7, 6)

    def loss(params, x):
        logits = jnp.einsum("bqd,bkd->bqk", x @ params["query"], x @ params["key"]) / 2
        seen = x @ params["gate"] > -1.0  # dies: cut greater
        logits = jnp.where(seen[:, None, :], logits, -1e9)
        mixed = jax.nn.softmax(logits, axis=-1) @ (x @ params["value"])
        return jnp.mean((mixed - jnp.flip(x, 1)) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"score": "unreached", "templates": "reached"},
    fix={"argmax": "softmax"},
    elsewhere=(keep_largest.__wrapped__,),
)
def choice_in_a_helper():
    """The selection is a jitted function of the author's own library."""
    params = {"score": draw(0, 5, 4), "templates": draw(1, 4, 5)}
    x = draw(2, 30, 5)

    def loss(params, x):
        chosen = keep_largest(x @ params["score"])
        return jnp.mean((chosen @ params["templates"] - x) ** 2)

    return loss, params, (x,)


@sick(parameters={"keys": "unreached", "query": "unreached", "table": "reached"}, fix={"argmax": "softmax"})
def memory_read_under_vmap():
    """A memory is read at its best matching slot, one example at a time."""
    params = {"keys": draw(0, 6, 4), "query": draw(1, 3, 4), "table": draw(2, 6, 3)}
    x = draw(3, 40, 3)

    def loss(params, x):
        def read(one):
            similarity = params["keys"] @ (one @ params["query"])
            slot = jnp.argmax(similarity)  # dies: cut argmax
            return jnp.take(params["table"], slot, axis=0)

        return jnp.mean((jax.vmap(read)(x) - x) ** 2)

    return loss, params, (x,)


REPAIRS = {
    "experts_picked_by_index": {
        "jnp.argmax(x @ params": "jax.nn.softmax(x @ params",
        'params["experts"][chosen]': 'jnp.einsum("ne,eij->nij", chosen, params["experts"])',
    },
    "switch_without_its_probability": {"jax.nn.one_hot(best, 4)": "probabilities"},
    "top_k_tokens_by_scatter": {
        "jnp.zeros_like(scores).at[jnp.arange(len(x))[:, None], kept].set(1.0)": "2 * jax.nn.softmax(scores)"
    },
    "attention_with_a_hard_gate": {
        'x @ params["gate"] > -1.0': 'jax.nn.log_sigmoid(x @ params["gate"])',
        "jnp.where(seen[:, None, :], logits, -1e9)": "logits + seen[:, None, :]",
    },
    "choice_in_a_helper": {
        "jnp.argmax(scores, axis=-1, keepdims=True)": "jax.nn.softmax(scores)",
        "(jnp.arange(scores.shape[-1]) == best).astype(scores.dtype)": "best",
    },
    "memory_read_under_vmap": {
        "jnp.argmax(similarity)": "jax.nn.softmax(similarity)",
        'jnp.take(params["table"], slot, axis=0)': 'slot @ params["table"]',
    },
}
