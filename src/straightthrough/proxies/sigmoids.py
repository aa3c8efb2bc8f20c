"""Smooth proxies: the distribution functions of the noises under which they are right, and the field's surrogates.

Slopes are written with e^(-|u|) or σ(-|u|), which never overflow and never subtract nearly equal numbers: 1 - tanh² and
(1 - σ(u))·σ(u) lose all digits in the tails. Arguments are bounded where an infinite one would give 0 × inf in a second
derivative.
"""

from __future__ import annotations

import math
from typing import Any

from straightthrough.proxies._parameters import above, positive, real
from straightthrough.proxies._proxy import proxy_family

Array = Any
# Beyond these the slope is 0, or the value at its limit, in every dtype.
EXPONENT = 800.0
RATIO = 1e18


def _far(xp: Any, u: Array) -> Array:
    """u bounded so that it is finite and 1/(1 + u²) is 0 at the bound, in the working dtype."""
    bound = 1e30 if xp.dtype_name(u) == "float32" else 1e300
    return xp.bound(u, -bound, bound)


def _logistic(xp: Any, x: Array, rate: Any, height: Any) -> Array:
    """height·σ(u)·σ(-u) with u = rate·x: σ of a negative number, and 1 - σ, which is then at least ½."""
    return xp.logistic_slope(xp.magnitude(x) * -rate, height)


@proxy_family(
    {"sharpness": positive(1.0)},
    aliases={"htan": "bitorch and others"},
    source="the hyperbolic tangent; logistic noise of scale 1/(2k)",
    mass=lambda sharpness: 2.0,
    width=lambda w: {"sharpness": math.pi / (2 * math.sqrt(3)) / w},
)
def tanh(xp: Any, x: Array, sharpness: Any) -> Array:
    """Value tanh(kx), slope k·(1 - tanh²(kx)).

    Example:
        >>> tanh().slope(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.4200])
    """
    return xp.tanh(x * sharpness)


@tanh.slope
def _(xp: Any, x: Array, sharpness: Any) -> Array:
    return _logistic(xp, x, sharpness * 2.0, sharpness * 4.0)


def _with_default_height(parameters: dict[str, Any]) -> dict[str, Any]:
    t = parameters["t"]
    if parameters["k"] is None:
        # IR-Net's max(1/t, 1), also for an array without knowing its framework.
        parameters["k"] = max(1.0 / t, 1.0) if isinstance(t, float) else _at_least_one(1.0 / t)
    return parameters


def _at_least_one(array: Array) -> Array:
    from straightthrough import _backends

    xp, array = _backends.admit("ede", "t", array)
    return xp.where(array > 1.0, array, xp.mask(array == array, array))


@proxy_family(
    {"t": positive(1.0), "k": positive(None)},
    aliases={"ir_net": "the paper's network"},
    source="Qin et al. 2020 (IR-Net), arXiv 1909.10788; its schedule is `schedule.ede`",
    mass=lambda t, k: 2 * k,
    complete=_with_default_height,
)
def ede(xp: Any, x: Array, t: Any, k: Any) -> Array:
    """Value k·tanh(tx), slope k·t·(1 - tanh²(tx)), with k = max(1/t, 1) unless given.

    Example:
        >>> ede(t=0.1).slope(torch.tensor([0.0, 10.0]))
        tensor([1.0000, 0.4200])
    """
    return xp.tanh(x * t) * k


@ede.slope
def _(xp: Any, x: Array, t: Any, k: Any) -> Array:
    return _logistic(xp, x, t * 2.0, t * k * 4.0)


@proxy_family(
    {"beta": positive(5.0)},
    aliases={"sign_swish": "the paper's name", "swishsign": "Larq's SwishSign(beta)"},
    source="Darabi, Belbahri, Courbariaux, Nia 2018 (BNN+), arXiv 1812.11800",
    mass=lambda beta: 2.0,
)
def swish_sign(xp: Any, x: Array, beta: Any) -> Array:
    """Value 2σ(βx)(1 + βx(1 - σ(βx))) - 1, slope β(2 - βx·tanh(βx/2))/(1 + cosh βx); negative in the tails.

    Example:
        >>> swish_sign().slope(torch.tensor([0.0, 1.0]))
        tensor([ 5.0000, -0.1950])
    """
    u = xp.bound(xp.magnitude(x * beta), 0.0, EXPONENT)
    e = xp.exp(-u)
    sigma = 1.0 / (e + 1.0)
    return xp.direction(x) * (sigma * 2.0 * (u * e * sigma + 1.0) - 1.0)


@swish_sign.slope
def _(xp: Any, x: Array, beta: Any) -> Array:
    u = xp.bound(xp.magnitude(x * beta), 0.0, EXPONENT)
    e = xp.exp(-u)
    sigma = 1.0 / (e + 1.0)
    return (2.0 - u * (1.0 - e) * sigma) * (e * sigma * sigma * 2.0) * beta


@proxy_family(
    {"sharpness": positive(4.0)},
    aliases={"logistic": "its noise"},
    source="the logistic function; logistic noise of scale 1/k; SpikingJelly's default k = 4, snnTorch's 25",
    mass=lambda sharpness: 1.0,
    width=lambda w: {"sharpness": math.pi / math.sqrt(3) / w},
)
def sigmoid(xp: Any, x: Array, sharpness: Any) -> Array:
    """Value σ(kx), slope k·σ(kx)·σ(-kx). Right for logistic noise.

    Example:
        >>> sigmoid().slope(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.0707])
    """
    e = xp.exp(-xp.magnitude(x * sharpness))
    return xp.where(x < 0, e / (e + 1.0), 1.0 / (e + 1.0))


@sigmoid.slope
def _(xp: Any, x: Array, sharpness: Any) -> Array:
    return _logistic(xp, x, sharpness, sharpness)


@proxy_family(
    {"alpha": positive(2.0)},
    aliases={"arctan": "the value's name", "cauchy": "its noise"},
    source="Fang, Yu, Chen, Masquelier, Huang, Tian 2021, arXiv 2007.05785",
    mass=lambda alpha: 1.0,
    width=lambda w: {"alpha": math.sqrt(2 / math.pi) / w},
)
def atan(xp: Any, x: Array, alpha: Any) -> Array:
    """Value ½ + arctan(παx/2)/π, slope (α/2)/(1 + (παx/2)²). Right for Cauchy noise of scale 2/(πα).

    Example:
        >>> atan().slope(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.0920])
    """
    return xp.arctan(_far(xp, x * (alpha * (math.pi / 2)))) / math.pi + 0.5


@atan.slope
def _(xp: Any, x: Array, alpha: Any) -> Array:
    u = _far(xp, x * (alpha * (math.pi / 2)))
    return alpha * 0.5 / (u * u + 1.0)


@proxy_family(
    {"sharpness": positive(25.0)},
    aliases={
        "super_spike": "the paper's network; SpikingJelly's SuperSpike has its alpha as height, not width",
        "superspike": "Norse's SuperSpike, default 100",
    },
    source="Zenke, Ganguli 2018, arXiv 1705.11146",
    mass=lambda sharpness: 2 / sharpness,
)
def fast_sigmoid(xp: Any, x: Array, sharpness: Any) -> Array:
    """Value x/(1 + k·|x|), odd, ±1/k at the ends; slope 1/(1 + k·|x|)².

    Example:
        >>> fast_sigmoid(sharpness=1.0).slope(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.2500])
    """
    u = xp.clip(x * sharpness, -RATIO, RATIO)
    return u / (xp.magnitude(u) + 1.0) / sharpness


@fast_sigmoid.slope
def _(xp: Any, x: Array, sharpness: Any) -> Array:
    # 1/(1 + k·|x|), with one array operation fewer.
    width = 1.0 / sharpness
    inverse = width / (xp.magnitude(x) + width)
    return inverse * inverse


@proxy_family(
    {"alpha": positive(2.0)},
    aliases={"softsign": "torch.nn.Softsign is another scale"},
    source="SpikingJelly, SoftSign",
    mass=lambda alpha: 1.0,
    width=lambda w: {"alpha": math.sqrt(2 / math.pi) / w},
)
def soft_sign(xp: Any, x: Array, alpha: Any) -> Array:
    """Value ½ + αx/(2(1 + α·|x|)), slope (α/2)/(1 + α·|x|)². The curve of fast_sigmoid, with mass 1.

    Example:
        >>> soft_sign().slope(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.1111])
    """
    u = xp.clip(x * alpha, -RATIO, RATIO)
    return u / (xp.magnitude(u) + 1.0) * 0.5 + 0.5


@soft_sign.slope
def _(xp: Any, x: Array, alpha: Any) -> Array:
    inverse = 1.0 / (xp.magnitude(x) * alpha + 1.0)
    return inverse * inverse * (alpha * 0.5)


@proxy_family(
    {"sharpness": positive(1.0)},
    aliases={"slayer": "lava-dl and the paper", "piecewise_exp": "SpikingJelly's PiecewiseExp", "laplace": "its noise"},
    source="Shrestha, Orchard 2018 (SLAYER), arXiv 1810.08646",
    mass=lambda sharpness: 1.0,
    width=lambda w: {"sharpness": math.sqrt(2) / w},
)
def exponential(xp: Any, x: Array, sharpness: Any) -> Array:
    """Value ½ + ½·sign(x)·(1 - e^(-k·|x|)), slope (k/2)·e^(-k·|x|). Right for Laplace noise.

    Example:
        >>> exponential().slope(torch.tensor([0.0, 1.0]))
        tensor([0.5000, 0.1839])
    """
    u = xp.clip(xp.magnitude(x * sharpness), -1.0, EXPONENT)
    return 0.5 - xp.direction(x) * xp.expm1(-u) * 0.5


@exponential.slope
def _(xp: Any, x: Array, sharpness: Any) -> Array:
    return xp.exp(-(xp.magnitude(x) * sharpness)) * (sharpness * 0.5)


@proxy_family(
    {"std": positive(0.354)},
    aliases={
        "erf": "its value; SpikingJelly's Erf(alpha) has std 1/(alpha·√2)",
        "probit": "its value",
        "normal": "its noise",
    },
    source="Gaussian noise; the default is the field's alpha = 2, as in SpikingJelly's Erf",
    mass=lambda std: 1.0,
    width=lambda w: {"std": w},
)
def gaussian(xp: Any, x: Array, std: Any) -> Array:
    """Value Φ(x/s), slope exp(-x²/2s²)/(s·√(2π)). Right for Gaussian noise of standard deviation s.

    Example:
        >>> gaussian(std=1.0).slope(torch.tensor([0.0, 1.0]))
        tensor([0.3989, 0.2420])
    """
    return xp.erf(xp.clip(x / (std * math.sqrt(2)), -40.0, 40.0)) * 0.5 + 0.5


@gaussian.slope
def _(xp: Any, x: Array, std: Any) -> Array:
    z = xp.bound(x / std, -40.0, 40.0)
    return xp.exp(z * z * -0.5) / (std * math.sqrt(2 * math.pi))


@proxy_family(
    {"alpha": positive(1.0)},
    aliases={"circle": "Norse's CircDist"},
    source="Norse, CircDist (whose slope has another factor)",
    mass=lambda alpha: 1.0,
    width=lambda w: {"alpha": w * math.sqrt(math.pi / 2)},
)
def circ(xp: Any, x: Array, alpha: Any) -> Array:
    """Value ½ + x/(2·√(x² + α²)), slope α²/(2·(x² + α²)^1.5).

    Example:
        >>> circ().slope(torch.tensor([0.0, 1.0]))
        tensor([0.5000, 0.1768])
    """
    # At the bound √(1 + u²) equals |u| in every dtype.
    u = xp.clip(x / alpha, -1e9, 1e9)
    return u / xp.sqrt(u * u + 1.0) * 0.5 + 0.5


@circ.slope
def _(xp: Any, x: Array, alpha: Any) -> Array:
    u = _far(xp, x / alpha)
    inverse = 1.0 / xp.sqrt(u * u + 1.0)
    return inverse * inverse * inverse * 0.5 / alpha


@proxy_family(
    {"q": above(1.0, 2.0)},
    aliases={"q_pseudospike": "SpikingJelly's QPseudoSpike"},
    source="Herranz-Celotti, Rouat 2022, arXiv 2202.00282",
    mass=lambda q: 1.0,
)
def q_pseudo_spike(xp: Any, x: Array, q: Any) -> Array:
    """Value ½ + ½·sign(x)·(1 - (1 + 2·|x|/(q-1))^(1-q)), slope (1 + 2·|x|/(q-1))^(-q).

    Example:
        >>> q_pseudo_spike().slope(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.1111])
    """
    return 0.5 + xp.direction(x) * (1.0 - xp.power(_tail(xp, x, q), 1.0 - q)) * 0.5


@q_pseudo_spike.slope
def _(xp: Any, x: Array, q: Any) -> Array:
    return xp.power(_tail(xp, x, q), -q)


def _tail(xp: Any, x: Array, q: Any) -> Array:
    # Finite, so that a derivative of the power is 0 × finite.
    return _far(xp, xp.magnitude(x) / (q - 1.0) * 2.0 + 1.0)


@proxy_family(
    {"alpha": positive(4.0), "beta": positive(1.0)},
    source="Suetake, Ikegawa, Saiin, Sawada 2022 (S3NN), arXiv 2201.10879",
    mass=lambda alpha, beta: math.inf,
    kinks=lambda alpha, beta: {0.0: beta},
)
def s2nn(xp: Any, x: Array, alpha: Any, beta: Any) -> Array:
    """Value σ(αx) for x < 0 and ½ + β·ln(1 + x) from 0 on; slope ασ(αx)σ(-αx), then β/(x + 1) (at 0: β).

    Example:
        >>> s2nn().slope(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.0707, 1.0000, 0.5000])
    """
    e = xp.exp(-xp.magnitude(x * alpha))
    return xp.where(x < 0, e / (e + 1.0), xp.log1p(_right(xp, x)) * beta + 0.5)


@s2nn.slope
def _(xp: Any, x: Array, alpha: Any, beta: Any) -> Array:
    e = xp.exp(-xp.magnitude(x * alpha))
    return xp.where(x < 0, e * alpha / ((e + 1.0) * (e + 1.0)), beta / (_right(xp, x) + 1.0))


def _right(xp: Any, x: Array) -> Array:
    # x from 0 on; at 0 a constant, so that the slope's own derivative is 0 at its kink.
    return xp.where(x <= 0, xp.mask(x > 0, x), x)


@proxy_family(
    {"alpha": positive(1.0)},
    aliases={"nonzero_sign_log_abs": "SpikingJelly's NonzeroSignLogAbs"},
    source="SpikingJelly, NonzeroSignLogAbs",
    mass=lambda alpha: math.inf,
)
def log_abs(xp: Any, x: Array, alpha: Any) -> Array:
    """Value sign(x)·ln(1 + α·|x|), odd; slope 1/(1/α + |x|).

    Example:
        >>> log_abs().slope(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.5000])
    """
    return xp.direction(x) * xp.log1p(xp.magnitude(x) * alpha)


@log_abs.slope
def _(xp: Any, x: Array, alpha: Any) -> Array:
    return 1.0 / (xp.magnitude(x) + 1.0 / alpha)


@proxy_family(
    {"beta": positive(1.0), "height": positive(25.0), "centre": real(1.0)},
    aliases={"boltzmann": "by its noise"},
    source="Gerstner, Kistler 2002; snnTorch, SpikeRateEscape (which peaks at 1, not at the threshold)",
    mass=lambda beta, height, centre: 2 * height / beta,
)
def spike_rate_escape(xp: Any, x: Array, beta: Any, height: Any, centre: Any) -> Array:
    """Slope height·e^(-β·|x - centre|), value its integral from the left end.

    Example:
        >>> spike_rate_escape().slope(torch.tensor([0.0, 1.0]))
        tensor([ 9.1970, 25.0000])
    """
    e = xp.exp(-(xp.magnitude(x - centre) * beta))
    return xp.where(x < centre, e, 2.0 - e) * height / beta


@spike_rate_escape.slope
def _(xp: Any, x: Array, beta: Any, height: Any, centre: Any) -> Array:
    return xp.exp(-(xp.magnitude(x - centre) * beta)) * height
