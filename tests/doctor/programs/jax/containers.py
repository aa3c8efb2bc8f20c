"""Parameters in nests, modules with state, and one path of several."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from doctor.catalogue import sick
from doctor.programs.jax.library import apply, dense, draw


class Block(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(6, 6, rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)

    def __call__(self, x):
        return self.dropout(nnx.relu(self.norm(self.linear(x))))


class Stateful(nnx.Module):
    def __init__(self, rngs):
        self.blocks = nnx.List([Block(rngs), Block(rngs)])
        self.head = nnx.Linear(6, 3, rngs=rngs)


@sick(
    parameters={
        "blocks.0.linear.kernel": "unreached",
        "blocks.0.linear.bias": ("unreached", "invariant"),
        "blocks.0.norm.scale": "unreached",
        "blocks.0.norm.bias": "unreached",
        "blocks.1.linear.kernel": "reached",
        "blocks.1.linear.bias": ("unreached", "invariant"),
        "blocks.1.norm.scale": "reached",
        "blocks.1.norm.bias": "reached",
        "head.kernel": "reached",
        "head.bias": "reached",
    },
    fix={"round": "identity"},
)
def rounding_between_stateful_blocks():
    """Batch norm, dropout and a rounding between two blocks."""
    model = Stateful(nnx.Rngs(0, dropout=1))
    x = draw(0, 24, 6)

    def loss(model, x):
        first, second = model.blocks
        h = jnp.round(2 * first(x)) / 2  # dies: flat round
        return jnp.mean((model.head(second(h)) - 0.5) ** 2)

    return loss, model, (x,)


@sick(
    parameters={
        "towers.user.0": "unreached",
        "towers.user.1": "unreached",
        "towers.item": "reached",
        "bias": "reached",
    },
    fix={"greater": "sigmoid"},
)
def hashed_user_tower():
    """Two-tower retrieval: the user's code is binary, the item's is soft."""
    params = {
        "towers": {"user": (draw(0, 5, 6), draw(1, 6, 6)), "item": draw(2, 4, 6)},
        "bias": jnp.float32(0.1),
    }
    users, items, clicks = draw(3, 30, 5), draw(4, 30, 4), jnp.arange(30) % 2

    def loss(params, users, items, clicks):
        first, second = params["towers"]["user"]
        code = jnp.tanh(users @ first) @ second
        bits = jnp.asarray(code > 0, jnp.float32)  # dies: cut greater
        score = jnp.sum(bits * jnp.tanh(items @ params["towers"]["item"]), axis=-1) + params["bias"]
        return jnp.mean(jax.nn.softplus(score) - clicks * score)

    return loss, params, (users, items, clicks)


@sick(
    parameters={"shared": "reached", "coarse": "unreached", "fine": "reached"},
    fix={"round": "identity"},
)
def one_of_two_paths():
    """A coarse and a fine path add up: what they share learns by the fine one alone."""
    params = {"shared": draw(0, 5, 6), "coarse": draw(1, 6, 2), "fine": draw(2, 6, 2)}
    x = draw(3, 20, 5)

    def loss(params, x):
        h = jnp.tanh(x @ params["shared"])
        coarse = jnp.round(h @ params["coarse"])  # dies: flat round
        return jnp.mean((coarse + 0.1 * (h @ params["fine"]) - 1.0) ** 2)

    return loss, params, (x,)


@sick(
    parameters={"scale": "reached", "labels": "frozen", "boxes": "unreached", "unused": "unused"},
    fix={"greater": "sigmoid"},
)
def detections_above_a_score():
    """Boxes whose score is high enough count; the score is the only way to the boxes' parameters."""
    params = {
        "boxes": draw(0, 4, 5),
        "scale": jnp.float32(0.5),
        "labels": jnp.arange(5),
        "unused": draw(1, 3),
    }
    x, truth = draw(2, 12, 4), jnp.float32(2.0)

    def loss(params, x, truth):
        scores = jax.nn.sigmoid(x @ params["boxes"])
        kept = (scores > 0.6) & (params["labels"] != 3)  # dies: cut greater
        count = jnp.sum(kept, axis=-1) * params["scale"]
        return jnp.mean((count - truth) ** 2)

    return loss, params, (x, truth)


@sick(
    parameters={"a": "unreached", "b": "unreached", "c.w": "reached", "c.b": "reached"},
    fix={"round": "identity", "floor": "identity"},
)
def two_deaths_on_one_line():
    """Two coarse coordinates are joined on one line."""
    params = {"a": draw(0, 4), "b": draw(1, 4), "c": dense(2, 2, 3)}
    x = draw(4, 20, 4)

    def loss(params, x):
        cell = jnp.stack(
            [jnp.round(x @ params["a"]), jnp.floor(x @ params["b"])], -1
        )  # dies: flat round # dies: flat floor
        return jnp.mean((apply(params["c"], cell) - 1.0) ** 2)

    return loss, params, (x,)


REPAIRS = {
    "rounding_between_stateful_blocks": {"jnp.round(": "jnp.asarray("},
    "hashed_user_tower": {"jnp.asarray(code > 0, jnp.float32)": "jax.nn.sigmoid(code)"},
    "one_of_two_paths": {"jnp.round(": "jnp.asarray("},
    "two_deaths_on_one_line": {"jnp.round(": "jnp.asarray(", "jnp.floor(": "jnp.asarray("},
}
