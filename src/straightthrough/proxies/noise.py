"""The proxy that is right for a given additive noise: `from_noise`.

If noise n with density p is added before a step of height ``jump``, the expected output jump · P(n <= x) has the
derivative jump · p(-x) = jump · p(x) for even p. Proxy slope and noise density are the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from straightthrough import _registry
from straightthrough._autograph import as_it_is
from straightthrough._errors import ArgumentError, MissingDependencyError, short, wrong
from straightthrough.proxies import bumps, sigmoids
from straightthrough.proxies._parameters import is_number
from straightthrough.proxies._proxy import Family, Proxy
from straightthrough.proxies.widths import scaled

Array = Any
POINTS = 4097
TAIL = 1e-7
"""A tabulated density ends where less than this probability is left on a side; its slope is 0 beyond."""


@as_it_is
def from_noise(noise: Any, jump: float = 1.0) -> Proxy:
    """The proxy whose slope is the derivative of the expected operator under additive noise.

    E[step(x + n)] = P(n > -x), so the slope at x is jump · p(-x): the density, mirrored.

    Args:
        noise: a frozen ``scipy.stats`` distribution, or a function that gives the density p(x) for an array x,
            written with array operations of the framework in use (its proxy has a slope, and no value).
        jump: height of the operator's step: 1 for heaviside and comparisons, 2 for sign.

    Returns:
        A closed form for normal, logistic, Laplace, Cauchy, uniform and triangular noise centred at 0. Any other
        distribution is tabulated at 4,097 points between its 1e-7 quantiles and interpolated linearly: with h the
        spacing, the slope is off by at most jump · h² · max|p''| / 8 inside, and is 0 outside, where at most
        2e-7 · jump of the mass is lost.

    Raises:
        ArgumentError: neither of the two, a discrete distribution, or a jump that is not a number > 0.

    Example:
        >>> import scipy.stats
        >>> from_noise(scipy.stats.logistic(scale=0.25))
        sigmoid(sharpness=4.0)
        >>> from_noise(scipy.stats.norm(scale=0.5), jump=2)
        gaussian(std=0.5, scale=2.0)
    """
    if not is_number(jump) or not 0 < jump < math.inf:
        raise ArgumentError(wrong("proxies.from_noise", "jump", "a finite number > 0", short(jump)))
    if hasattr(noise, "dist"):
        known = _closed_form(noise)
        proxy = _tabulated(noise) if known is None else known
    elif hasattr(noise, "rvs"):
        wanted, got = "a frozen distribution", f"scipy.stats.{noise.name} without its parameters"
        raise ArgumentError(
            wrong("proxies.from_noise", "noise", wanted, got, f"call it: scipy.stats.{noise.name}(...)")
        )
    elif callable(noise):
        proxy = _from_density(noise)
    else:
        wanted = "a frozen scipy.stats distribution or a function giving its density"
        raise ArgumentError(wrong("proxies.from_noise", "noise", wanted, short(noise)))
    return proxy if jump == 1 else scaled(proxy, float(jump))


def _closed_form(noise: Any) -> Proxy | None:
    """A built-in proxy for a family that has one, else None."""
    shapes, loc, scale = noise.dist._parse_args(*noise.args, **noise.kwds)
    scale, loc = float(scale), float(loc)
    name = noise.dist.name
    if name == "uniform" and math.isclose(loc, -scale / 2):
        return bumps.boxcar(width=scale)
    if name == "triang" and math.isclose(float(shapes[0]), 0.5) and math.isclose(loc, -scale / 2):
        return bumps.triangle(width=scale / 2)
    if loc != 0:
        return None
    if name == "norm":
        return sigmoids.gaussian(std=scale)
    if name == "logistic":
        return sigmoids.sigmoid(sharpness=1 / scale)
    if name == "laplace":
        return sigmoids.exponential(sharpness=1 / scale)
    if name == "cauchy":
        return sigmoids.atan(alpha=2 / (math.pi * scale))
    return None


def _family_of(noise: Any) -> Family:
    return from_noise(noise).family


def _registered(family: Family, noise: Any) -> Proxy:
    """A family of one member; its name is how compiled graphs find it again within this process."""
    family.origin = (_family_of, (noise,))
    _registry.noises[family.name] = family
    return family()


def _tabulated(noise: Any) -> Proxy:
    try:
        import numpy as np
    except ImportError as missing:
        message = "proxies.from_noise: needs numpy; pip install 'straightthrough[noise]'"
        raise MissingDependencyError(message) from missing
    if not hasattr(noise.dist, "pdf"):
        raise ArgumentError(wrong("proxies.from_noise", "noise", "a continuous distribution", noise.dist.name))
    low, high = -float(noise.ppf(1 - TAIL)), -float(noise.ppf(TAIL))
    grid = np.linspace(low, high, POINTS)
    density, distribution = noise.pdf(-grid), noise.sf(-grid)
    step = (high - low) / (POINTS - 1)
    total = float((density.sum() - (density[0] + density[-1]) / 2) * step)
    # An unbounded density shows in the sum of the table even where no point hits its pole.
    if not (np.isfinite(density).all() and high > low and abs(total - 1) < 1e-3):
        wanted = "a distribution with a bounded density (spikes and point masses have no slope)"
        raise ArgumentError(wrong("proxies.from_noise", "noise", wanted, noise.dist.name))

    def looked_up(xp: Any, x: Array, table: Any, left: float, right: float) -> Array:
        place = xp.clip((x - low) * ((POINTS - 1) / (high - low)), 0.0, float(POINTS - 1))
        cell = xp.to_index(xp.clip(xp.detach(xp.floor(place)), 0.0, float(POINTS - 2)))
        values = xp.constant(table, x)
        a, b = xp.take(values, cell), xp.take(values, cell + 1)
        inside = a + (b - a) * (place - xp.cast(cell, x))
        one = xp.mask(x == x, x)
        return xp.where(x < low, one * left, xp.where(x > high, one * right, inside))

    def value(xp: Any, x: Array) -> Array:
        """Tabulated distribution function of the noise, linear between the points."""
        return looked_up(xp, x, distribution, 0.0, 1.0)

    family = Family(value, {}, source="from_noise", mass=lambda: 1.0, name=_fresh_name(noise.dist.name))
    family.slope(lambda xp, x: looked_up(xp, x, density, 0.0, 0.0))
    return _registered(family, noise)


def _from_density(density: Callable[[Array], Array]) -> Proxy:
    def value(xp: Any, x: Array) -> Array:
        """No value: the proxy was given by its slope alone."""
        raise ArgumentError("proxies.from_noise: a proxy made of a density has a slope and no value")

    name = _fresh_name(getattr(density, "__name__", "density"))
    family = Family(value, {}, source="from_noise", mass=lambda: 1.0, name=name)
    family.slope(lambda xp, x: density(-x))
    return _registered(family, density)


def _fresh_name(of: str) -> str:
    # A key holds it, and is taken apart at brackets and commas.
    return f"from_noise_{''.join(c for c in of if c.isalnum())}_{len(_registry.noises)}"
