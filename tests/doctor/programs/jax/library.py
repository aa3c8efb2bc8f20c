"""What the programs' author keeps in a module of helpers; some of it kills gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


def draw(seed, *shape, scale=1.0):
    """Normal numbers, the same at every call."""
    return jnp.asarray(scale * np.random.default_rng(seed).normal(size=shape), jnp.float32)


def dense(seed, inputs, outputs):
    return {"w": draw(seed, inputs, outputs, scale=inputs**-0.5), "b": draw(seed + 1, outputs, scale=0.1)}


def apply(layer, x):
    return x @ layer["w"] + layer["b"]


def to_grid(x, step):
    """Nearest multiple of the step."""
    return step * jnp.round(x / step)  # dies: flat round


@jax.jit
def keep_largest(scores):
    """1 for each row's largest score, 0 elsewhere."""
    best = jnp.argmax(scores, axis=-1, keepdims=True)  # dies: cut argmax
    return (jnp.arange(scores.shape[-1]) == best).astype(scores.dtype)


def unit(v):
    """A vector of length one."""
    return v / jnp.linalg.norm(v, axis=-1, keepdims=True)  # dies: non_finite norm|sqrt|divide
