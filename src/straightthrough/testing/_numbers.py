"""Numbers for the checks: inputs that hurt, rounding to a dtype, and how far two results may lie apart.

Everything is compared as float64, which holds each value of the four dtypes exactly: equal there, signs of zeros
included, is equal bit by bit (one nan is like another).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Numbers = Any
"""A float64 numpy array."""

DTYPES = ("float64", "float32", "bfloat16", "float16")
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}
LARGEST = {
    "float64": float(np.finfo(np.float64).max),
    "float32": float(np.finfo(np.float32).max),
    "bfloat16": (2 - 2.0**-7) * 2.0**127,
    "float16": 65504.0,
}
# Smaller than this a result may be flushed to zero; nothing flushes float16.
UNDERFLOW = {"float64": 2.0**-1022, "float32": 2.0**-126, "bfloat16": 2.0**-126, "float16": 2.0**-24}


def rounded(values: Numbers, dtype: str) -> Numbers:
    """The nearest values of a dtype (ties to even), as float64."""
    values = np.asarray(values, np.float64)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if dtype == "float64":
            return values
        if dtype == "bfloat16":
            return _bfloat16(values)
        return values.astype(dtype).astype(np.float64)


def _bfloat16(values: Numbers) -> Numbers:
    mantissa, exponent = np.frexp(values)
    # Eight significant bits, fewer below the smallest normal number.
    bits = np.clip(exponent + 133, 0, 8)
    scale = np.exp2(bits.astype(np.float64))
    near = np.ldexp(np.round(mantissa * scale) / scale, exponent)
    near = np.where(np.abs(near) > LARGEST["bfloat16"], np.copysign(np.inf, values), near)
    near = np.where(exponent < -133, np.copysign(0.0, values), near)
    return np.where(np.isfinite(values), near, values)


def inputs(dtype: str, finite: bool = False) -> Numbers:
    """Zeros of both signs, kinks, ties, nan, the infinities, the largest and the smallest normal number."""
    tiny = 2.0**-14 if dtype == "float16" else UNDERFLOW[dtype]
    ordinary = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        1.0,
        -1.0,
        0.1,
        -0.1,
        0.25,
        -0.3,
        0.6,
        2.0,
        -3.7,
        8.0,
        -17.0,
        1e-3,
        0.73,
    ]
    if finite:
        return rounded(ordinary, dtype)
    large = [258.0, -258.0, 516.0, 2050.0, -1e10, 3e7, LARGEST[dtype], -LARGEST[dtype], np.inf, -np.inf, np.nan]
    return rounded([*ordinary, *large, tiny, -tiny, 40.0, -90.0], dtype)


def weights(size: int, dtype: str) -> Numbers:
    """Loss gradients of both signs and several sizes, none of them 0."""
    pattern = np.array([1.0, -2.0, 0.75, 3.0, -0.5, 1.25, -1.0, 0.375])
    return rounded(np.resize(pattern, size), dtype)


def same(got: Numbers, wanted: Numbers) -> Numbers:
    """True where the two are equal bit by bit, one nan being like another."""
    both_nan = np.isnan(got) & np.isnan(wanted)
    return both_nan | ((got == wanted) & (np.signbit(got) == np.signbit(wanted)))


def near(got: Numbers, wanted: Numbers, tolerance: Numbers) -> Numbers:
    """True where they differ by at most the tolerance; nan only for nan, an infinity only for itself, 0 for 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(got - wanted) <= tolerance
    exact = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    return exact | (close & np.isfinite(wanted) & np.isfinite(got))


def allowed(wanted: Numbers, slack: Numbers, dtype: str, ulps: float = 4.0) -> Numbers:
    """``ulps`` × max(|wanted|, slack) in units of a dtype's last place, and what may underflow; slack is
    |wanted| × its condition number."""
    with np.errstate(over="ignore", invalid="ignore"):
        return ulps * EPSILON[dtype] * np.maximum(np.abs(wanted), slack) + 4 * UNDERFLOW[dtype]


def times_slope(weight: Numbers, slope: Numbers) -> Numbers:
    """Loss gradient × slope, and exactly 0 where the slope is 0."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return np.where(slope == 0, 0.0, weight * slope)
