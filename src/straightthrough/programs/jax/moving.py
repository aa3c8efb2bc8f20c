"""Parameters moved a little or a lot, and what that does to the gradient and to the loss."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np


def an_ulp_away(arrays: list[Any]) -> list[Any]:
    """Each element moved by about one ulp, up or down at random; exact zeros by a number next to nothing."""
    generator = np.random.default_rng(0)
    moved = []
    for array in arrays:
        x = np.asarray(array)
        finfo = jnp.finfo(x.dtype)
        sign = generator.integers(0, 2, x.shape, np.int8) * 2 - 1
        step = np.where(x == 0, np.asarray(next_to_nothing(x.dtype), x.dtype), x * np.asarray(finfo.eps, x.dtype))
        moved.append(jnp.asarray((x + step * sign.astype(x.dtype)).astype(x.dtype)))
    return moved


def next_to_nothing(dtype: Any) -> float:
    """What an exact zero is moved by: small, and no subnormal number."""
    return 1e-30 if jnp.finfo(dtype).bits > 16 or dtype == jnp.bfloat16 else 6.2e-5


def agreement_of(gradient: Any, moved: Any) -> float | None:
    """Cosine between two gradients, over the elements where both are finite; None if one of them is nothing."""
    one, other = np.asarray(gradient).ravel(), np.asarray(moved).ravel()
    if one.dtype.kind != "c":
        one, other = one.astype(np.float32, copy=False) if one.dtype != np.float64 else one, other
        other = other.astype(one.dtype, copy=False)
    finite = np.isfinite(one) & np.isfinite(other)
    if not finite.all():
        one, other = one[finite], other[finite]
    largest, largest_other = np.abs(one).max(initial=0), np.abs(other).max(initial=0)
    if largest == 0 or largest_other == 0:
        return None
    one, other = one / largest, other / largest_other
    return float(np.vdot(one, other).real / (np.linalg.norm(one) * np.linalg.norm(other)))


def by_its_size(array: Any, draws: int = 3) -> list[Any]:
    """The array moved by about its own size, a few times."""
    generator = np.random.default_rng(1)
    x = np.asarray(array)
    size = float(np.sqrt(np.mean(np.abs(x.astype(np.float64)) ** 2))) if x.size else 0.0
    size = size if size > 0 else 1.0
    return [
        jnp.asarray((x + size * scale * generator.standard_normal(x.shape)).astype(x.dtype))
        for scale in (1.0, 3.0, 0.3)[:draws]
    ]
