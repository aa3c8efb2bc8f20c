"""Arrays near an array, cotangents, and counts."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

Tensor = Any

_BLOCK = 65537
_SAFE = 1e-12
"""Norms between this and its inverse square without harm."""

_TINY = {"float16": 6.2e-5}


def cotangent(like: Tensor, seed: int = 0) -> Tensor:
    """Deterministic, of both signs, and nowhere near zero."""
    shape, real = tf.shape(like), like.dtype.real_dtype
    work = tf.float32 if real != tf.float64 else tf.float64
    drawn = tf.random.stateless_uniform(shape, [seed, 11], -1.0, 1.0, dtype=work)
    drawn = tf.where(drawn < 0, drawn - 0.5, drawn + 0.5)
    return tf.cast(drawn, like.dtype)


def normal(like: Tensor, seed: int) -> Tensor:
    return tf.cast(tf.random.stateless_normal(tf.shape(like), [seed, 12]), like.dtype)


def uniform(like: Tensor, seed: int) -> Tensor:
    """From -1 to 1."""
    return tf.cast(tf.random.stateless_uniform(tf.shape(like), [seed, 13], -1.0, 1.0), like.dtype)


def one_ulp(x: Tensor, seed: int = 0) -> Tensor:
    """Each element moved by about one unit in its last place, up or down; zeros by a tiny number."""
    real = x.dtype.real_dtype
    signs = _signs(x, seed)
    tiny = tf.cast(_TINY.get(real.name, 1e-30), x.dtype)
    step = tf.cast(epsilon(real.name), x.dtype) * signs
    moved = tf.where(x == 0, tiny * signs, x + x * step)
    return moved if _is_finite(x) else tf.where(tf.math.is_finite(tf.abs(x)), moved, x)


def _signs(x: Tensor, seed: int) -> Tensor:
    """Random signs; for a large array those of a block of odd length, over and over: drawing costs more than moving."""
    size = x.shape.num_elements() or 0
    block = min(size, _BLOCK)
    drawn = tf.random.stateless_uniform([block], [seed + 1, 13], -1.0, 1.0)
    drawn = tf.cast(tf.where(drawn < 0, -1.0, 1.0), x.dtype)
    if size > block:
        drawn = tf.tile(drawn, [-(-size // block)])[:size]
    return tf.reshape(drawn, tf.shape(x))


def epsilon(dtype: str) -> float:
    return math.ldexp(1.0, -{"float64": 52, "float16": 10, "bfloat16": 7}.get(dtype, 23))


def spread(x: Tensor) -> Tensor:
    """The standard deviation of the finite elements; their size where they are all the same; else 1."""
    real = tf.abs(x) if x.dtype.is_complex else x
    real = tf.cast(real, tf.float32) if real.dtype in (tf.float16, tf.bfloat16) else real
    finite = tf.boolean_mask(tf.reshape(real, [-1]), tf.reshape(tf.math.is_finite(real), [-1]))
    if finite.shape[0] == 0:
        return tf.ones((), x.dtype)
    value = tf.math.reduce_std(finite) if finite.shape[0] > 1 else tf.abs(finite[0])
    if not float(value) > 0:
        value = tf.reduce_max(tf.abs(finite))
    return tf.cast(value if float(value) > 0 else tf.ones_like(value), x.dtype)


def dead_share(gradient: Tensor) -> float:
    """The share of elements that are 0."""
    size = gradient.shape.num_elements()
    return 1.0 - int(tf.math.count_nonzero(gradient)) / size if size else 0.0


def _is_finite(x: Tensor) -> bool:
    """In one pass; an overflow of the sum reads as no."""
    size = tf.abs(x)
    if size.dtype in (tf.float16, tf.bfloat16):
        size = tf.cast(size, tf.float32)
    return math.isfinite(float(tf.reduce_sum(size)))


def non_finite_share(x: Tensor) -> float:
    size = x.shape.num_elements()
    if not size or _is_finite(x):
        return 0.0
    bad = tf.math.logical_not(tf.math.is_finite(tf.abs(x) if x.dtype.is_complex else x))
    return float(int(tf.math.count_nonzero(bad)) / size)


def norm(x: Tensor) -> float:
    """Euclidean norm, without overflow or underflow on the way."""
    if x.shape.num_elements() == 0:
        return 0.0
    size = tf.abs(x) if x.dtype.is_complex else x
    size = size if size.dtype in (tf.float32, tf.float64) else tf.cast(size, tf.float32)
    length = float(tf.norm(size))
    if _SAFE < length < 1 / _SAFE:
        return length
    if non_finite_share(size) > 0:
        return math.nan if bool(tf.reduce_any(tf.math.is_nan(size))) else math.inf
    largest = float(tf.reduce_max(tf.abs(size)))
    return largest * float(tf.norm(size / largest)) if largest else 0.0


def cosine(one: Tensor, other: Tensor) -> float | None:
    """Between two gradients of one parameter; None where one of them is 0 or not finite."""
    norms = norm(one), norm(other)
    if one.dtype.is_complex or any(n == 0 or not math.isfinite(n) for n in norms):
        return None
    work = tf.float64 if one.dtype == tf.float64 else tf.float32
    a, b = (tf.reshape(tf.cast(x, work), [-1]) for x in (one, other))
    if not all(_SAFE < n < 1 / _SAFE for n in norms):
        a, b = a / norms[0], b / norms[1]
        norms = (1.0, 1.0)
    return float(tf.tensordot(a, b, 1)) / norms[0] / norms[1]


def same_values(one: Tensor, other: Tensor) -> bool:
    """Bitwise but for the sign of zero; nan equals nan."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    equal = tf.equal(one, other)
    if one.dtype.is_floating:
        equal = equal | (tf.math.is_nan(one) & tf.math.is_nan(other))
    return bool(tf.reduce_all(equal))
