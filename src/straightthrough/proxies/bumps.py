"""Proxies whose slope is a bump of bounded support, and the periodic square wave."""

from __future__ import annotations

import math
from typing import Any

from straightthrough.proxies._parameters import above, at_least, count, positive
from straightthrough.proxies._proxy import proxy_family

Array = Any


@proxy_family(
    {"width": positive(1.0)},
    aliases={"bi_real": "the paper's network", "piecewise_polynomial": "the value, a second-order polynomial"},
    source="Liu, Wu, Luo, Yang, Liu, Cheng 2018 (Bi-Real Net), arXiv 1808.00278",
    mass=lambda width: 2.0,
    width=lambda w: {"width": w * math.sqrt(6)},
)
def approx_sign(xp: Any, x: Array, width: Any) -> Array:
    """Value c·(2w - |c|)/w² with c = clip(x, ±w); slope 2·(1 - |x|/w)/w inside w, 0 outside. The triangle × 2.

    Example:
        >>> approx_sign().slope(torch.tensor([-0.5, 0.0, 1.0]))
        tensor([1., 2., 0.])
    """
    u = xp.clip(x / width, -1.0, 1.0)
    return u * (2.0 - xp.magnitude(u))


@approx_sign.slope
def _(xp: Any, x: Array, width: Any) -> Array:
    return (width - xp.clip(xp.magnitude(x), 0.0, width)) * 2.0 / (width * width)


@proxy_family(
    {"width": positive(1.0)},
    aliases={
        "piecewise_quadratic": "SpikingJelly's PiecewiseQuadratic(alpha=1/width), by its value",
        "triangular": "snnTorch's triangular has slope -1 above the threshold; this one does not",
        "tent": "by its shape",
    },
    source="Esser et al. 2016, arXiv 1603.08270; Bellec et al. 2018, arXiv 1803.09574",
    mass=lambda width: 1.0,
    width=lambda w: {"width": w * math.sqrt(6)},
)
def triangle(xp: Any, x: Array, width: Any) -> Array:
    """Value ½ + c/w - c·|c|/(2w²) with c = clip(x, ±w); slope (1 - |x|/w)₊/w. Right for triangular noise.

    Example:
        >>> triangle().slope(torch.tensor([-0.5, 0.0, 1.0]))
        tensor([0.5000, 1.0000, 0.0000])
    """
    u = xp.clip(x / width, -1.0, 1.0)
    return 0.5 + u - u * xp.magnitude(u) * 0.5


@triangle.slope
def _(xp: Any, x: Array, width: Any) -> Array:
    return (width - xp.clip(xp.magnitude(x), 0.0, width)) / (width * width)


@proxy_family(
    {"width": positive(1.0)},
    aliases={"rectangle": "by its shape; STBP", "rectangular": "STBP, Wu et al. 2018", "uniform": "its noise"},
    source="Wu, Deng, Li, Zhu, Shi 2018, arXiv 1706.02609",
    mass=lambda width: 1.0,
    kinks=lambda width: {-width / 2: 1.0 / width, width / 2: 1.0 / width},
    width=lambda w: {"width": w * math.sqrt(12)},
    rational=True,
)
def boxcar(xp: Any, x: Array, width: Any) -> Array:
    """Value clip(x/w + ½, 0, 1), slope 1[|x| <= w/2]/w; slope 1/w at both ends. Right for uniform noise.

    Example:
        >>> boxcar(width=2.0).slope(torch.tensor([0.0, 1.0, 1.5]))
        tensor([0.5000, 0.5000, 0.0000])
    """
    return xp.clip(x / width + 0.5, 0.0, 1.0)


@boxcar.slope
def _(xp: Any, x: Array, width: Any) -> Array:
    half = width * 0.5
    return xp.mask((x >= -half) & (x <= half), x) / width


@proxy_family(
    {"sharpness": positive(25.0), "width": positive(1.0)},
    aliases={"sfs": "snnTorch's SFS, whose slope is by mistake the outside"},
    source="Perez-Nieves, Goodman 2021, arXiv 2105.08810",
    mass=lambda sharpness, width: 2 * width / (1 + sharpness * width),
    kinks=lambda sharpness, width: {-width: 0.0, width: 0.0},
)
def sparse_fast_sigmoid(xp: Any, x: Array, sharpness: Any, width: Any) -> Array:
    """Value c/(1 + k·|c|) with c = clip(x, ±w); slope 1/(1 + k·|x|)² for |x| < w, else 0 (at ±w too).

    Example:
        >>> sparse_fast_sigmoid(sharpness=1.0).slope(torch.tensor([0.0, 0.5, 1.0]))
        tensor([1.0000, 0.4444, 0.0000])
    """
    inside = xp.clip(x, -width, width)
    return inside / (xp.magnitude(inside) * sharpness + 1.0)


@sparse_fast_sigmoid.slope
def _(xp: Any, x: Array, sharpness: Any, width: Any) -> Array:
    u = xp.magnitude(x)
    inside = 1.0 / (u * sharpness + 1.0)
    return xp.where(u >= width, xp.mask(u < width, x), inside * inside)


@proxy_family(
    {"terms": count(1), "period": positive(8.0)},
    aliases={"square_wave_fourier": "SpikingJelly's SquarewaveFourierSeries(n=terms + 1)"},
    source="SpikingJelly, SquarewaveFourierSeries",
)
def square_wave(xp: Any, x: Array, terms: float, period: Any) -> Array:
    """Value ½ + (2/π)·Σ sin((2i-1)·2πx/T)/(2i-1), slope (4/T)·Σ cos((2i-1)·2πx/T), i = 1..terms; slope 0 at ±inf.

    Example:
        >>> square_wave(period=4.0).slope(torch.tensor([0.0, 2.0]))
        tensor([ 1., -1.])
    """
    angle = _phase(xp, x, period)
    total = xp.sin(angle)
    for i in range(2, int(terms) + 1):
        total = total + xp.sin(angle * (2.0 * i - 1.0)) / (2.0 * i - 1.0)
    return total * (2.0 / math.pi) + 0.5


@square_wave.slope
def _(xp: Any, x: Array, terms: float, period: Any) -> Array:
    angle = _phase(xp, x, period)
    total = xp.cos(angle)
    for i in range(2, int(terms) + 1):
        total = total + xp.cos(angle * (2.0 * i - 1.0))
    total = total * 4.0 / period
    return xp.where(xp.isfinite(x) | (x != x), total, xp.mask(x != x, x))


def _phase(xp: Any, x: Array, period: Any) -> Array:
    """2πx/T within one period: the frameworks' sines are not equally good at large arguments."""
    finite = xp.where(xp.isfinite(x) | (x != x), x, xp.mask(x != x, x))
    turns = finite / period
    return (turns - xp.detach(xp.round(turns))) * (2.0 * math.pi)


RESTE_LINEAR = 0.1
"""Within ±0.1 the root is replaced by its secant: its own slope at 0 is infinite."""


@proxy_family(
    {"power": at_least(1.0, 2.0), "threshold": above(RESTE_LINEAR, 1.5)},
    source="Wu et al. 2023 (ReSTE), ICCV 2023, arXiv 2308.06689; the linear part is in the authors' code",
    mass=lambda power, threshold: 2 * threshold ** (1 / power),
    kinks=lambda power, threshold: {
        -threshold: threshold ** ((1 - power) / power) / power,
        -RESTE_LINEAR: RESTE_LINEAR ** (1 / power) / RESTE_LINEAR,
        RESTE_LINEAR: RESTE_LINEAR ** (1 / power) / RESTE_LINEAR,
        threshold: threshold ** ((1 - power) / power) / power,
    },
)
def reste(xp: Any, x: Array, power: Any, threshold: Any) -> Array:
    """Value sign(x)·|x|^(1/o) up to ±t, linear within ±0.1, constant beyond t; slope (1/o)·|x|^((1-o)/o) between,
    the secant 0.1^(1/o)/0.1 within ±0.1 (there included), 0 beyond t (at ±t the inside value).

    Example:
        >>> reste().slope(torch.tensor([0.0, 1.0, 2.0]))
        tensor([3.1623, 0.5000, 0.0000])
    """
    c = xp.clip(x, -threshold, threshold)
    u = xp.magnitude(c)
    root = xp.power(xp.clip(u, RESTE_LINEAR, threshold), 1.0 / power)
    return xp.where(u <= RESTE_LINEAR, c * _secant(xp, x, power), xp.direction(c) * root)


@reste.slope
def _(xp: Any, x: Array, power: Any, threshold: Any) -> Array:
    u = xp.magnitude(x)
    # At its bounds the clip is constant: the derivative of the slope is 0 at its own kinks.
    between = xp.power(xp.clip(u, RESTE_LINEAR, threshold), (1.0 - power) / power) / power
    linear = xp.mask(x == x, x) * _secant(xp, x, power)
    return xp.where(u > threshold, xp.mask(x != x, x), xp.where(u <= RESTE_LINEAR, linear, between))


def _secant(xp: Any, x: Array, power: Any) -> Any:
    if isinstance(power, float):
        return RESTE_LINEAR ** (1.0 / power - 1.0)
    return xp.exp((1.0 / power - 1.0) * math.log(RESTE_LINEAR))
