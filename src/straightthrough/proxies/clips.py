"""Proxies with a piecewise constant slope: the identity, rectifiers and clips.

Every docstring gives value and slope; `kinks` are stated in the decorator, where the docs and the suite read them.
"""

from __future__ import annotations

import math
from typing import Any

from straightthrough.proxies._parameters import at_least, positive, real
from straightthrough.proxies._proxy import proxy_family

Array = Any
INFINITE = math.inf
YIN = "Yin, Lyu, Zhang, Osher, Qi, Xin 2019, arXiv 1903.05662"


@proxy_family(
    aliases={"straight_through": "the estimator's own name; Bengio 2013", "straight-through": "Bengio 2013"},
    source="Hinton 2012, lecture 15b; Bengio, Léonard, Courville 2013, arXiv 1308.3432",
    mass=lambda: INFINITE,
    rational=True,
)
def identity(xp: Any, x: Array) -> Array:
    """Value x, slope 1 everywhere, at nan and the infinities too.

    The usual choice, and unbiased under uniform noise for a rounding; but its coarse gradient does not vanish
    at the minima of the two-layer network of Yin et al. 2019, so training need not settle there.

    Example:
        >>> identity().slope(torch.tensor([-9.0, 0.0]))
        tensor([1., 1.])
    """
    return x


@identity.slope
def _(xp: Any, x: Array) -> Array:
    return xp.mask((x == x) | (x != x), x)


@proxy_family(source=YIN, mass=lambda: INFINITE, kinks=lambda: {0.0: 0.0}, rational=True)
def relu(xp: Any, x: Array) -> Array:
    """Value max(x, 0), slope 1[x > 0]; slope 0 at 0. Proven to give a descent direction (Yin et al. 2019).

    Example:
        >>> relu().slope(torch.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 0., 1.])
    """
    return xp.where(x <= 0, xp.mask(x > 0, x), x)


@relu.window
def _(xp: Any, x: Array) -> Array:
    return x > 0


@proxy_family(
    {"width": positive(1.0)},
    source=YIN,
    mass=lambda width: width,
    kinks=lambda width: {0.0: 0.0, width: 0.0},
    rational=True,
)
def clipped_relu(xp: Any, x: Array, width: Any) -> Array:
    """Value min(max(x, 0), width), slope 1[0 < x < width]; slope 0 at both ends. Proven as relu is.

    Example:
        >>> clipped_relu(width=2.0).slope(torch.tensor([0.0, 1.0, 2.0]))
        tensor([0., 1., 0.])
    """
    return xp.clip(x, 0.0, width)


@clipped_relu.window
def _(xp: Any, x: Array, width: Any) -> Array:
    return (x > 0) & (x < width)


@proxy_family(
    {"below": real(0.01), "above": real(1.0)},
    aliases={"leaky_k_relu": "SpikingJelly's LeakyKReLU(leak=below, k=above)"},
    source="SpikingJelly, LeakyKReLU",
    mass=lambda below, above: INFINITE,
    kinks=lambda below, above: {0.0: above},
    rational=True,
)
def leaky_relu(xp: Any, x: Array, below: Any, above: Any) -> Array:
    """Value below·x for x < 0 and above·x from 0 on; slope below, then above (at 0: above). Any sign.

    Example:
        >>> leaky_relu(below=0.25).slope(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.2500, 1.0000, 1.0000])
    """
    return x * leaky_slope(xp, x, below, above)


@leaky_relu.slope
def leaky_slope(xp: Any, x: Array, below: Any, above: Any) -> Array:
    """below left of 0, above from 0 on, 0 at nan."""
    return xp.mask(x < 0, x) * below + xp.mask(x >= 0, x) * above


@proxy_family(
    {"alpha": at_least(0.0, 0.0)},
    source="Cai, He, Sun, Vasconcelos 2017, arXiv 1702.00953",
    mass=lambda alpha: INFINITE,
    kinks=lambda alpha: {0.0: alpha},
)
def log_tailed_relu(xp: Any, x: Array, alpha: Any) -> Array:
    """Value alpha·x (x <= 0), x (0 < x <= 1), 1 + ln x (x > 1); slope alpha, 1, 1/x. At 0: alpha.

    Example:
        >>> log_tailed_relu().slope(torch.tensor([-1.0, 1.0, 4.0]))
        tensor([0.0000, 1.0000, 0.2500])
    """
    return xp.where(x <= 0, x * alpha, xp.where(x <= 1, x, 1.0 + xp.log(_at_least_one(xp, x))))


@log_tailed_relu.slope
def _(xp: Any, x: Array, alpha: Any) -> Array:
    return xp.where(x <= 1, xp.mask(x <= 0, x) * alpha + xp.mask(x > 0, x), 1.0 / _at_least_one(xp, x))


def _at_least_one(xp: Any, x: Array) -> Array:
    # The branch not taken must be finite too: its derivative is multiplied by 0, and 0 × inf is nan.
    return xp.where(x <= 1, xp.mask(x <= 1, x), x)


@proxy_family(
    {"width": positive(1.0)},
    aliases={
        "hardtanh": "torch.nn.Hardtanh; its own slope at the bounds is 0",
        "ste_sign": "Larq's ste_sign(clip_value=width)",
        "clip": "Hubara et al. 2016 write it so",
    },
    source="Hubara, Courbariaux, Soudry, El-Yaniv, Bengio 2016, arXiv 1602.02830",
    mass=lambda width: 2 * width,
    kinks=lambda width: {-width: 1.0, width: 1.0},
    width=lambda w: {"width": w * math.sqrt(3)},
    rational=True,
)
def clipped_identity(xp: Any, x: Array, width: Any) -> Array:
    """Value clip(x, -width, width), slope 1[|x| <= width]; slope 1 at both bounds.

    Example:
        >>> clipped_identity(width=2.0).slope(torch.tensor([-2.0, 0.0, 2.5]))
        tensor([1., 1., 0.])
    """
    return xp.clip(x, -width, width)


@clipped_identity.window
def _(xp: Any, x: Array, width: Any) -> Array:
    return (x >= -width) & (x <= width)


def _low_below_high(parameters: dict[str, Any]) -> str | None:
    low, high = parameters["low"], parameters["high"]
    if isinstance(low, float) and isinstance(high, float) and low >= high:
        return f"low must be below high, got low={low:g} and high={high:g}"
    return None


@proxy_family(
    {"low": real(-1.0), "high": real(1.0)},
    aliases={"fake_quantize": "torch's fake-quantise, which passes half a step more on each side"},
    source="Jacob et al. 2018, arXiv 1712.05877",
    mass=lambda low, high: high - low,
    kinks=lambda low, high: {low: 1.0, high: 1.0},
    together=_low_below_high,
    rational=True,
)
def range_mask(xp: Any, x: Array, low: Any, high: Any) -> Array:
    """Value clip(x, low, high), slope 1[low <= x <= high]; slope 1 at both bounds.

    Example:
        >>> range_mask(low=0.0, high=1.0).slope(torch.tensor([-0.5, 0.0, 1.0]))
        tensor([0., 1., 1.])
    """
    return xp.clip(x, low, high)


@range_mask.window
def _(xp: Any, x: Array, low: Any, high: Any) -> Array:
    return (x >= low) & (x <= high)


@proxy_family(
    {"width": positive(1.0), "leak": real(0.01)},
    source="SpikingJelly, PiecewiseLeakyReLU",
    mass=lambda width, leak: INFINITE,
    kinks=lambda width, leak: {-width: leak, width: leak},
    rational=True,
)
def piecewise_leaky(xp: Any, x: Array, width: Any, leak: Any) -> Array:
    """Slope 1/(2·width) for |x| < width, leak elsewhere (at the bounds: leak); value its integral, ½ at 0.

    Example:
        >>> piecewise_leaky(leak=0.25).slope(torch.tensor([0.0, 1.0, 2.0]))
        tensor([0.5000, 0.2500, 0.2500])
    """
    inside = xp.clip(x, -width, width)
    return inside / (width * 2.0) + (x - inside) * leak + 0.5


@piecewise_leaky.slope
def _(xp: Any, x: Array, width: Any, leak: Any) -> Array:
    u = xp.magnitude(x)
    return xp.mask(u < width, x) / (width * 2.0) + xp.mask(u >= width, x) * leak
