"""A proxy that an operator carries: how it is written, and how wide it is."""

from __future__ import annotations

from typing import Any

from straightthrough.proxies._proxy import Proxy


def written(proxy: Any) -> str:
    """A proxy, or a user's function in its place, as a person wrote it."""
    return str(proxy) if isinstance(proxy, Proxy) else getattr(proxy, "__name__", type(proxy).__name__)


def width_of(proxy: Any) -> float | None:
    """The standard deviation of that noise, from the rule by which `matched` sets it; None where there is none.

    The rule gives each parameter as a multiple of the width or of its inverse: two widths tell which.
    """
    rule = getattr(getattr(proxy, "family", None), "width_rule", None)
    if rule is None:
        return None
    one, two = rule(1.0), rule(2.0)
    for name, factor in one.items():
        try:
            value = float(proxy.parameters[name])
        except (TypeError, ValueError, RuntimeError):  # an array that is traced or of several elements
            return None
        return float(value / factor if two[name] > factor else factor / value)
    return None
