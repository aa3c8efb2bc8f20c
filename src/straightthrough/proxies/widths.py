"""How wide and how high a slope is: `matched` to an operator's input, and `scaled`."""

from __future__ import annotations

from typing import Any

from straightthrough import _backends, _registry
from straightthrough._autograph import as_it_is
from straightthrough._errors import ArgumentError, DtypeError, ShapeError, short, wrong
from straightthrough.proxies._parameters import is_number
from straightthrough.proxies._proxy import SCALE, Family, Proxy
from straightthrough.proxies.lookup import get

MATCHED = 0.5
"""Width of a matched proxy in standard deviations of the operator's input; 0.45 to 1 is a plateau (docs, Fix)."""


@as_it_is
def matched(proxy: str | Family, x: Any, ratio: float = MATCHED) -> Proxy:
    """The proxy whose width fits an operator's input: ``ratio`` × the standard deviation of x.

    The width is that of the noise under which the proxy is right: its standard deviation where there is one
    (Gaussian, logistic, Laplace, uniform, triangular), and for atan, soft_sign and circ, whose noise has none, that
    of the Gaussian of the same height. Within the tried range no measurement is needed for a good choice.

    Args:
        proxy: a family or its name, e.g. ``ste.proxies.gaussian``.
        x: floating array, any shape, at least two elements: the operator's input on a batch.
        ratio: width in standard deviations, > 0.

    Returns:
        A `Proxy` whose width is an array of no dimensions, without a gradient; take it once, at the start of training.

    Raises:
        ArgumentError: the proxy has no width, or x holds fewer than two elements.

    Example:
        >>> import torch
        >>> matched("gaussian", torch.tensor([-2.0, 2.0])).parameters["std"].item()
        1.0
    """
    family = _registry.family_named(proxy, "proxies.matched") if isinstance(proxy, str) else proxy
    if not isinstance(family, Family):
        remedy = f"give the family: proxies.{family.name}" if isinstance(family, Proxy) else ""
        raise ArgumentError(wrong("proxies.matched", "proxy", "a proxy family or its name", short(proxy), remedy))
    if family.width_rule is None:
        able = ", ".join(sorted(name for name, f in _registry.families.items() if f.width_rule))
        raise ArgumentError(wrong("proxies.matched", "proxy", f"one with a width ({able})", repr(family.name)))
    if not is_number(ratio) or not 0 < ratio < float("inf"):
        raise ArgumentError(wrong("proxies.matched", "ratio", "a finite number > 0", short(ratio)))
    xp, x = _backends.admit("proxies.matched", "x", x)
    if not xp.is_floating(x):
        got = f"an array of {xp.dtype_name(x)}"
        raise DtypeError(wrong("proxies.matched", "x", "a floating array", got, "cast it to float32"))
    return family(**family.width_rule(_standard_deviation(xp, xp.stop_gradient(x)) * ratio))


def _standard_deviation(xp: Any, x: Any) -> Any:
    """Of all elements, in float32 for half types; a 0-d array."""
    size = 1
    for length in xp.shape(x):
        size *= length if length is not None else 2
    if size < 2:
        raise ShapeError(wrong("proxies.matched", "x", "of at least two elements", f"shape {xp.shape(x)}"))
    return xp.standard_deviation(xp.widen(x))


@as_it_is
def scaled(proxy: str | Proxy | Family, height: Any) -> Proxy:
    """The same proxy with its slope (and value) multiplied by ``height``, a number or an array.

    Use it to have a peer's exact scale, or a mass that fits the operator.

    Args:
        proxy: a name, a family or a `Proxy`.
        height: a number, or a floating array of a shape that broadcasts to x's.

    Returns:
        A `Proxy` of the same family, with the parameter ``scale``.

    Raises:
        ArgumentError: height is neither a finite number nor a floating array.

    Example:
        >>> scaled("triangle", 2.0)
        triangle(width=1.0, scale=2.0)
    """
    one = get(proxy, "proxies.scaled")
    height = SCALE.checked("proxies.scaled", "height", height)
    already = one.parameters["scale"]
    return one.family(**{**one.parameters, "scale": height * already})
