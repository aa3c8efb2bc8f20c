"""Derivatives that are inf or nan."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from doctor.catalogue import sick
from doctor.programs.jax.library import apply, dense, draw, unit


@sick(parameters={"positions": "unreached"}, why_not="non_finite: an infinite slope at zero")
def where_trap():
    """Pairwise distances; the diagonal is guarded by a where, which does not guard the derivative."""
    params = {"positions": draw(0, 6, 2)}

    def loss(params, target):
        delta = params["positions"][:, None] - params["positions"][None]
        squared = jnp.sum(delta**2, axis=-1)
        distance = jnp.where(squared > 0, jnp.sqrt(squared), 0.0)  # dies: non_finite sqrt
        return jnp.mean((distance - target) ** 2)

    return loss, params, (jnp.abs(draw(1, 6, 6)),)


@sick(
    parameters={"direction": "unreached", "gain": "reached"},
    why_not="non_finite: the norm of a zero vector",
)
def norm_penalty_at_zero():
    """A group-lasso penalty on weights that start at zero."""
    params = {"direction": jnp.zeros(5), "gain": jnp.float32(2.0)}
    x = draw(0, 20, 5)

    def loss(params, x):
        fit = jnp.mean((params["gain"] * (x @ params["direction"] + 1.0) - 1.0) ** 2)
        return fit + 0.1 * jnp.linalg.norm(params["direction"])  # dies: non_finite norm|sqrt

    return loss, params, (x,)


@sick(
    parameters={"logits.w": "unreached", "logits.b": "unreached"},
    why_not="non_finite: log of an exact zero",
)
def entropy_of_a_sparse_distribution():
    """A relu-normalised distribution has exact zeros; the where repairs the value of the entropy only."""
    params = {"logits": dense(0, 4, 6)}
    x = draw(2, 12, 4)

    def loss(params, x):
        positive = jax.nn.relu(apply(params["logits"], x)) + 0.0
        p = positive / (jnp.sum(positive, axis=-1, keepdims=True) + 1e-6)
        terms = jnp.where(p > 0, p * jnp.log(p), 0.0)  # dies: non_finite log
        return -jnp.mean(jnp.sum(terms, axis=-1))

    return loss, params, (x,)


@sick(
    parameters={"query": "reached", "key": "reached", "value": "unreached"},
    why_not="non_finite: a row in which everything is masked",
)
def fully_masked_row():
    """One sentence of the batch is all padding: its softmax is 0/0 and the loss is nan."""
    params = {"query": draw(0, 4, 4), "key": draw(1, 4, 4), "value": draw(2, 4, 4)}
    x = draw(3, 3, 5, 4)
    lengths = jnp.array([5, 3, 0])

    def loss(params, x, lengths):
        padding = jnp.arange(x.shape[1]) >= lengths[:, None]
        logits = jnp.einsum("bqd,bkd->bqk", x @ params["query"], x @ params["key"])
        logits = jnp.where(padding[:, None], -jnp.inf, logits)
        weights = jax.nn.softmax(logits, axis=-1)  # dies: non_finite softmax|exp|divide
        return jnp.mean((weights @ (x @ params["value"])) ** 2)

    return loss, params, (x, lengths)


@sick(
    parameters={"center": "unreached", "scale": "reached"},
    why_not="non_finite: the angle of the origin",
    elsewhere=(unit,),
)
def unit_vector_of_a_zero_difference():
    """One observation lies exactly on the learned centre; its direction is 0/0 and is masked later."""
    params = {"center": jnp.array([0.5, -1.0]), "scale": jnp.float32(1.5)}
    points = draw(0, 8, 2).at[3].set(jnp.array([0.5, -1.0]))

    def loss(params, points):
        difference = points - params["center"]
        directions = unit(difference)
        kept = jnp.all(difference != 0, axis=-1, keepdims=True)
        return jnp.mean((params["scale"] * jnp.where(kept, directions, 0.0) - 0.3) ** 2)

    return loss, params, (points,)


@sick(
    parameters={"w": "unreached", "b": "unreached", "head": "reached"},
    why_not="non_finite: the standard deviation of equal numbers",
)
def std_of_a_zero_layer():
    """A zero-initialised layer is standardised over the batch: the spread is zero."""
    params = {"w": jnp.zeros((4, 6)), "b": jnp.zeros(6), "head": draw(1, 6)}
    x = draw(0, 12, 4)

    def loss(params, x):
        h = x @ params["w"] + params["b"]
        spread = jnp.std(h, axis=0)  # dies: non_finite std|sqrt
        return jnp.mean((((h - h.mean(0)) / (spread + 1e-5)) @ params["head"] - 1.0) ** 2) + jnp.sum(
            params["head"] ** 2
        )

    return loss, params, (x,)


REPAIRS = {
    "where_trap": {"jnp.sqrt(squared)": "jnp.sqrt(squared + 1e-3)"},
    "norm_penalty_at_zero": {'jnp.linalg.norm(params["direction"])': 'jnp.linalg.norm(params["direction"] + 1e-3)'},
    "entropy_of_a_sparse_distribution": {"jnp.log(p)": "jnp.log(p + 1e-3)"},
    "fully_masked_row": {"-jnp.inf": "-1e9"},
    "unit_vector_of_a_zero_difference": {"jnp.linalg.norm(v, axis": "jnp.linalg.norm(v + 1e-3, axis"},
    "std_of_a_zero_layer": {"jnp.std(h, axis=0)": "jnp.sqrt(jnp.var(h, axis=0) + 1.0)"},
}
