"""The proxies and the hard operators stated a second time, from the table of proxies, not from our code.

Slopes and values are evaluated with mpmath in 50 digits, one number at a time, so that they are right to the last bit
of every dtype. The hard operators are numpy in float64, which holds every value of the four dtypes.
"""

# ruff: noqa: E501 (one row of a table is one line)
from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, lru_cache

import mpmath
import numpy as np
from mpmath import mp, mpf

from straightthrough.testing._numbers import rounded

mp.dps = 50
INF, NAN = math.inf, math.nan


def step(condition):
    return mpf(1) if condition else mpf(0)


def clamp(x, low, high):
    return min(max(x, low), high)


def signum(x):
    return mpf((x > 0) - (x < 0))


def sigma(u):
    return 1 / (1 + mpmath.exp(-u)) if u > 0 else mpmath.exp(u) / (1 + mpmath.exp(u))


def decayed(u):
    return mpmath.exp(-u) if u < 10**7 else mpf(0)


def sech2(u):
    e = decayed(2 * abs(u))
    return 4 * e / (1 + e) ** 2


def swish_slope(x, beta):
    u = abs(beta * x)
    if u > 10**6:
        return mpf(0)
    return beta * (2 - u * mpmath.tanh(u / 2)) / (1 + mpmath.cosh(u))


def swish_value(x, beta):
    u = clamp(beta * x, -(mpf(10) ** 6), mpf(10) ** 6)
    s = sigma(u)
    return 2 * s * (1 + u * sigma(-u)) - 1


def log_tail_value(x, alpha):
    return alpha * x if x <= 0 else x if x <= 1 else 1 + mpmath.log(x)


def reste_value(x, power, threshold, knee):
    u = min(abs(x), threshold)
    return x * knee ** (1 / power) / knee if u <= knee else signum(x) * u ** (1 / power)


def reste_slope(x, power, threshold, knee):
    u = abs(x)
    if u <= knee:
        return knee ** (1 / power) / knee
    return u ** ((1 - power) / power) / power if u <= threshold else mpf(0)


def escape_value(x, beta, height, centre):
    left = height / beta * decayed(beta * abs(x - centre))
    return left if x < centre else 2 * height / beta - left


def leaky_integral(x, width, leak):
    inside = clamp(x, -width, width)
    return mpf(1) / 2 + inside / (2 * width) + (x - inside) * leak


def odd_terms(terms):
    return range(1, 2 * int(terms), 2)


def square_value(x, terms, period):
    total = sum(mpmath.sin(i * 2 * mp.pi * x / period) / i for i in odd_terms(terms))
    return mpf(1) / 2 + 2 / mp.pi * total


def square_slope(x, terms, period):
    return 4 / period * sum(mpmath.cos(i * 2 * mp.pi * x / period) for i in odd_terms(terms))


@dataclass(frozen=True)
class Row:
    """One row of the table. `limits` are the slopes at -inf and +inf, `at_nan` the one at nan; `corners` are the places
    where the slope itself cannot be differentiated; `exact` slopes hold no rounding in half types."""

    value: object
    slope: object
    defaults: dict = field(default_factory=dict)
    kinks: object = lambda **_: {}
    corners: object = lambda **_: ()
    limits: object = lambda **_: (0.0, 0.0)
    at_nan: float = NAN
    exact: bool = False
    other: dict = field(default_factory=dict)  # a second set of parameters to try


HALF = mpf(1) / 2
KNEE = mpf("0.1")
ZERO = lambda **_: (0,)  # noqa: E731

ROWS = {
    "identity": Row(lambda x: x, lambda x: mpf(1), limits=lambda: (1.0, 1.0), at_nan=1.0, exact=True),
    "relu": Row(
        lambda x: max(x, 0), lambda x: step(x > 0),
        kinks=lambda: {0: 0}, limits=lambda: (0.0, 1.0), at_nan=0.0, exact=True,
    ),
    "clipped_relu": Row(
        lambda x, width: min(max(x, 0), width), lambda x, width: step(0 < x < width), {"width": 1.0},
        kinks=lambda width: {0: 0, width: 0}, at_nan=0.0, exact=True, other={"width": 0.3},
    ),
    "leaky_relu": Row(
        lambda x, below, above: below * x if x < 0 else above * x,
        lambda x, below, above: below if x < 0 else above, {"below": 0.01, "above": 1.0},
        kinks=lambda below, above: {0: above}, limits=lambda below, above: (below, above), at_nan=0.0, exact=True,
        other={"below": -0.5, "above": 2.0},
    ),
    "log_tailed_relu": Row(
        log_tail_value, lambda x, alpha: alpha if x <= 0 else mpf(1) if x <= 1 else 1 / x, {"alpha": 0.0},
        kinks=lambda alpha: {0: alpha}, corners=lambda alpha: (1,), limits=lambda alpha: (alpha, 0.0), other={"alpha": 0.3},
    ),
    "clipped_identity": Row(
        lambda x, width: clamp(x, -width, width), lambda x, width: step(abs(x) <= width), {"width": 1.0},
        kinks=lambda width: {-width: 1, width: 1}, at_nan=0.0, exact=True, other={"width": 0.3},
    ),
    "range_mask": Row(
        lambda x, low, high: clamp(x, low, high), lambda x, low, high: step(low <= x <= high), {"low": -1.0, "high": 1.0},
        kinks=lambda low, high: {low: 1, high: 1}, at_nan=0.0, exact=True, other={"low": -0.3, "high": 2.1},
    ),
    "approx_sign": Row(
        lambda x, width: clamp(x, -width, width) * (2 * width - abs(clamp(x, -width, width))) / width**2,
        lambda x, width: 2 * (1 - abs(x) / width) / width if abs(x) < width else mpf(0), {"width": 1.0},
        corners=lambda width: (0, width, -width), other={"width": 0.6},
    ),
    "swish_sign": Row(swish_value, swish_slope, {"beta": 5.0}, other={"beta": 1.7}),
    "ede": Row(
        lambda x, t, k: k * mpmath.tanh(t * x), lambda x, t, k: k * t * sech2(t * x), {"t": 1.0, "k": 1.0},
        other={"t": 0.3, "k": 3.5},
    ),
    "reste": Row(
        lambda x, power, threshold, knee=KNEE: reste_value(x, power, threshold, knee),
        lambda x, power, threshold, knee=KNEE: reste_slope(x, power, threshold, knee),
        {"power": 2.0, "threshold": 1.5},
        kinks=lambda power, threshold: {
            s * place: slope
            for s in (-1, 1)
            for place, slope in (
                (0.1, 0.1 ** (1 / power) / 0.1),
                (threshold, threshold ** ((1 - power) / power) / power),
            )
        },
        other={"power": 3.0, "threshold": 0.6},
    ),
    "tanh": Row(
        lambda x, sharpness: mpmath.tanh(sharpness * x), lambda x, sharpness: sharpness * sech2(sharpness * x),
        {"sharpness": 1.0}, other={"sharpness": 7.0},
    ),
    "sigmoid": Row(
        lambda x, sharpness: sigma(sharpness * x),
        lambda x, sharpness: sharpness * decayed(abs(sharpness * x)) / (1 + decayed(abs(sharpness * x))) ** 2,
        {"sharpness": 4.0}, other={"sharpness": 0.7},
    ),
    "atan": Row(
        lambda x, alpha: HALF + mpmath.atan(mp.pi * alpha * x / 2) / mp.pi,
        lambda x, alpha: alpha / 2 / (1 + (mp.pi * alpha * x / 2) ** 2), {"alpha": 2.0}, other={"alpha": 0.4},
    ),
    "fast_sigmoid": Row(
        lambda x, sharpness: x / (1 + sharpness * abs(x)), lambda x, sharpness: 1 / (1 + sharpness * abs(x)) ** 2,
        {"sharpness": 25.0}, corners=ZERO, other={"sharpness": 1.3},
    ),
    "soft_sign": Row(
        lambda x, alpha: HALF + alpha * x / (2 * (1 + alpha * abs(x))), lambda x, alpha: alpha / 2 / (1 + alpha * abs(x)) ** 2,
        {"alpha": 2.0}, corners=ZERO, other={"alpha": 0.6},
    ),
    "triangle": Row(
        lambda x, width: HALF + clamp(x, -width, width) / width
        - clamp(x, -width, width) * abs(clamp(x, -width, width)) / (2 * width**2),
        lambda x, width: (1 - abs(x) / width) / width if abs(x) < width else mpf(0), {"width": 1.0},
        corners=lambda width: (0, width, -width), other={"width": 0.6},
    ),
    "boxcar": Row(
        lambda x, width: clamp(x / width + HALF, 0, 1), lambda x, width: step(abs(x) <= width / 2) / width, {"width": 1.0},
        kinks=lambda width: {-width / 2: 1 / width, width / 2: 1 / width}, at_nan=0.0, exact=True, other={"width": 0.7},
    ),
    "exponential": Row(
        lambda x, sharpness: HALF + HALF * signum(x) * (1 - decayed(sharpness * abs(x))),
        lambda x, sharpness: sharpness / 2 * decayed(sharpness * abs(x)), {"sharpness": 1.0}, corners=ZERO,
        other={"sharpness": 6.0},
    ),
    "gaussian": Row(
        lambda x, std: mpmath.ncdf(clamp(x / std, -100, 100)),
        lambda x, std: decayed(x**2 / (2 * std**2)) / (std * mpmath.sqrt(2 * mp.pi)), {"std": 0.354}, other={"std": 2.0},
    ),
    "circ": Row(
        lambda x, alpha: HALF + x / (2 * mpmath.sqrt(x**2 + alpha**2)),
        lambda x, alpha: alpha**2 / (2 * (x**2 + alpha**2) ** mpf("1.5")), {"alpha": 1.0}, other={"alpha": 0.3},
    ),
    "q_pseudo_spike": Row(
        lambda x, q: HALF + HALF * signum(x) * (1 - (1 + 2 * abs(x) / (q - 1)) ** (1 - q)),
        lambda x, q: (1 + 2 * abs(x) / (q - 1)) ** (-q), {"q": 2.0}, corners=ZERO, other={"q": 3.5},
    ),
    "s2nn": Row(
        lambda x, alpha, beta: sigma(alpha * x) if x < 0 else HALF + beta * mpmath.log(1 + x),
        lambda x, alpha, beta: alpha * decayed(-alpha * x) / (1 + decayed(-alpha * x)) ** 2 if x < 0 else beta / (x + 1),
        {"alpha": 4.0, "beta": 1.0}, kinks=lambda alpha, beta: {0: beta}, other={"alpha": 2.0, "beta": 0.3},
    ),
    "sparse_fast_sigmoid": Row(
        lambda x, sharpness, width: clamp(x, -width, width) / (1 + sharpness * abs(clamp(x, -width, width))),
        lambda x, sharpness, width: 1 / (1 + sharpness * abs(x)) ** 2 if abs(x) < width else mpf(0),
        {"sharpness": 25.0, "width": 1.0}, kinks=lambda sharpness, width: {-width: 0, width: 0}, corners=lambda **_: (0,),
        other={"sharpness": 2.0, "width": 0.3},
    ),
    "square_wave": Row(square_value, square_slope, {"terms": 1.0, "period": 8.0}, other={"terms": 3.0, "period": 5.0}),
    "log_abs": Row(
        lambda x, alpha: signum(x) * mpmath.log(1 + alpha * abs(x)), lambda x, alpha: 1 / (1 / alpha + abs(x)),
        {"alpha": 1.0}, corners=ZERO, other={"alpha": 3.0},
    ),
    "piecewise_leaky": Row(
        leaky_integral, lambda x, width, leak: 1 / (2 * width) if abs(x) < width else leak, {"width": 1.0, "leak": 0.01},
        kinks=lambda width, leak: {-width: leak, width: leak}, limits=lambda width, leak: (leak, leak), at_nan=0.0, exact=True,
        other={"width": 0.3, "leak": 0.2},
    ),
    "spike_rate_escape": Row(
        escape_value, lambda x, beta, height, centre: height * decayed(beta * abs(x - centre)),
        {"beta": 1.0, "height": 25.0, "centre": 1.0}, corners=lambda beta, height, centre: (centre,),
        other={"beta": 2.0, "height": 3.0, "centre": 0.0},
    ),
}  # fmt: skip


class Reference:
    """A proxy in a dtype. Its parameters are those of the dtype in which the slope is computed: float32 for half types
    unless the slope is exact, and so are the places of its kinks."""

    def __init__(self, name: str, dtype: str, scale: float = 1.0, **parameters: float):
        self.row, self.dtype, self.scale = ROWS[name], dtype, scale
        narrow = dtype in ("float16", "bfloat16") and not self.row.exact
        self.working = "float32" if narrow else dtype
        given = {**self.row.defaults, **parameters}
        self.parameters = {k: mpf(float(rounded(v, self.working))) for k, v in given.items()}
        self.kinks = self.row.kinks(**{k: float(v) for k, v in given.items()})
        corners = self.row.corners(**{k: float(v) for k, v in given.items()})
        self._flat = {mpf(float(rounded(place, self.working))) for place in (*self.kinks, *corners)}
        self._rule = dict(self.parameters)
        if name == "reste":
            self._rule["knee"] = mpf(float(rounded(0.1, self.working)))
        # 50 digits are slow: each number is asked for its slope, its curvature and its slack, all from these.
        self._mp = lru_cache(maxsize=None)(lambda x: self.row.slope(mpf(x), **self._rule))
        self._beside = lru_cache(maxsize=None)(self._slopes_beside)

    def _special(self, x: float) -> float | None:
        if math.isnan(x):
            return self.row.at_nan
        if math.isinf(x):
            return float(self.row.limits(**{k: float(v) for k, v in self.parameters.items()})[x > 0])
        return None

    def slope(self, x):
        """As numbers of the dtype: what underflows there is 0."""
        return rounded(np.array([self._slope(float(v)) for v in np.ravel(x)]).reshape(np.shape(x)), self.dtype)

    def _slope(self, x: float) -> float:
        special = self._special(x)
        return (float(self._mp(x)) if special is None else special) * self.scale

    def value(self, x):
        found = [self.row.value(mpf(float(v)), **self._rule) for v in np.ravel(x)]
        return np.array([float(v) for v in found]).reshape(np.shape(x)) * self.scale

    def curvature(self, x):
        """The slope's derivative: 0 at every kink and corner, by the contract."""
        found = [float(self._derivative(float(v))) * self.scale for v in np.ravel(x)]
        return np.array(found).reshape(np.shape(x))

    def _slopes_beside(self, x: float):
        here = mpf(x)
        # Away from 0, so that it stays on x's side of it; shorter than the distance of two floats elsewhere.
        h = max(abs(here), mpf(1)) * mpf(10) ** -19 * (1 if x > 0 else -1)
        return *(self.row.slope(here + i * h, **self._rule) for i in (1, 2)), h

    def _derivative(self, x: float, order: int = 1):
        if not math.isfinite(x) or mpf(x) in self._flat:
            return mpf(0) if not math.isnan(x) else mpf(self.row.at_nan) * 0
        f0 = self._mp(x)
        f1, f2, h = self._beside(x)
        return (4 * f1 - 3 * f0 - f2) / (2 * h) if order == 1 else (f0 - 2 * f1 + f2) / h**2

    def slack(self, x, order: int = 1):
        """|x · slope'|, or for order 2 |x · slope''|: what one relative error in x does to the result."""
        found = [self._slack(float(v), order) for v in np.ravel(x)]
        return np.array(found).reshape(np.shape(x)) * abs(self.scale)

    def _slack(self, x: float, order: int) -> float:
        return float(abs(mpf(x) * self._derivative(x, order))) if math.isfinite(x) else 0.0


@cache
def reference(name: str, dtype: str, other: bool = False) -> Reference:
    """The proxy with its defaults, or with its second set of parameters."""
    return Reference(name, dtype, **(ROWS[name].other if other else {}))


# The hard operators, in float64, which rounds nothing here: what they return is a value of x's dtype whenever x is.


def above(mask):
    return np.asarray(mask, np.float64)


def ranks(x, axis):
    """Order along an axis, largest first: nan counts as the largest, the first index wins."""
    key = np.where(np.isnan(x), INF, x)
    # Stable: nan before +inf, then the larger, then the earlier.
    return np.argsort(np.lexsort((-key, ~np.isnan(x)), axis=axis), axis=axis)


def ternary(x, threshold=0.5):
    return np.where(np.isnan(x), x, above(x > threshold) - above(x < -threshold))


HARD = {
    "round": np.rint,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "stochastic_round": None,  # random: its own tests
    "clip": lambda x, low, high: np.where(np.isnan(x), x, np.minimum(np.maximum(x, low), high)),
    "sign": lambda x: np.where(np.isnan(x), x, np.where(x >= 0, 1.0, -1.0)),
    "heaviside": lambda x: np.where(np.isnan(x), x, above(x > 0)),
    "ternary": ternary,
    "greater": lambda x, y: above(x > y),
    "greater_equal": lambda x, y: above(x >= y),
    "less": lambda x, y: above(x < y),
    "less_equal": lambda x, y: above(x <= y),
    "equal": lambda x, y: above(x == y),
    "not_equal": lambda x, y: above(x != y),
    "one_hot_argmax": lambda x, axis=-1: above(ranks(x, axis) == 0),
    "one_hot_argmin": lambda x, axis=-1: above(ranks(-x, axis) == 0),
    "top_k_mask": lambda x, k, axis=-1: above(ranks(x, axis) < k),
}

SUBJECT = {
    **{name: lambda x, y: x - y for name in ("greater", "greater_equal")},
    **{name: lambda x, y: y - x for name in ("less", "less_equal")},
    "equal": lambda x, y: -abs(x - y),
    "not_equal": lambda x, y: abs(x - y),
    "one_hot_argmin": lambda x, **_: -x,
}
"""What a proxy acts on, where it is not x itself."""


def direction(name, x, y=None):
    """Derivative of the subject with respect to x, element by element; with respect to y it is the opposite."""
    if name in ("less", "less_equal", "one_hot_argmin"):
        return -np.ones_like(x)
    if name in ("equal", "not_equal"):
        # At nan there is no direction: 0.
        return np.nan_to_num(np.sign(x - y), nan=0.0) * (1 if name == "not_equal" else -1)
    return np.ones_like(x)
