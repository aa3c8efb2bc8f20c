"""Proxies by name: `get`, `names`, and `describe`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from straightthrough import _registry
from straightthrough._autograph import as_it_is
from straightthrough._errors import ArgumentError, short, wrong
from straightthrough.proxies._proxy import Family, Proxy

found: dict[str, Proxy] = {}
"""The proxies that were asked for by these texts."""


@as_it_is
def get(proxy: str | Proxy | Family, function: str = "proxies.get") -> Proxy:
    """The proxy of a name, such as ``"clipped_relu"`` or ``"clipped_relu(width=2)"``; an alias will do.

    Args:
        proxy: a name with or without numbers, a family (taken with its defaults), or a `Proxy` (returned as it is).
        function: who asks, for the error.

    Raises:
        UnknownNameError: no proxy has this name; the nearest is suggested.
        ArgumentError: a parameter that the proxy does not take, or out of its range.

    Example:
        >>> get("hardtanh")
        clipped_identity(width=1.0)
    """
    if isinstance(proxy, Proxy):
        return proxy
    if isinstance(proxy, Family):
        return proxy()
    if not isinstance(proxy, str):
        raise ArgumentError(wrong(function, "proxy", "a name or a callable", short(proxy)))
    return _named(proxy, function)


def _named(text: str, function: str) -> Proxy:
    one = found.get(text)
    if one is None:
        name, parameters = _registry.parsed(text, function)
        for parameter, value in parameters.items():
            if value is None:
                remedy = f"make the proxy itself: {name}({parameter}=...)"
                raise ArgumentError(wrong(function, f"{name}'s {parameter}", "a number in a name", "'array'", remedy))
        one = _registry.family_named(name, function)(**parameters)
        if not _registry.torch_is_tracing():
            found[text] = one
    return one


def resolve(proxy: Any, function: str) -> Proxy | Callable[..., Any]:
    """What an operation's ``proxy=`` argument stands for: a `Proxy`, or the user's own function."""
    if isinstance(proxy, (str, Proxy, Family)):
        return get(proxy, function)
    if callable(proxy):
        return proxy  # type: ignore[no-any-return]
    raise ArgumentError(wrong(function, "proxy", "a name or a callable", short(proxy)))


def names() -> list[str]:
    """The canonical names, in alphabetical order.

    Example:
        >>> "clipped_relu" in names()
        True
    """
    return sorted(_registry.families)


def describe(proxy: str | Proxy | Family) -> str:
    """One proxy in words: value and slope, parameters, kinks, mass, other names with their notes, source.

    Args:
        proxy: a name with or without numbers, a family or a `Proxy`.

    Raises:
        UnknownNameError: no proxy has this name.

    Example:
        >>> print(describe("boxcar").splitlines()[0])
        boxcar(width=1.0)
    """
    one = get(proxy, "proxies.describe")
    summary = (one.family.__doc__ or "").strip().split("\n\n")[0]
    lines = [str(one), *(" " + line.strip() for line in summary.splitlines())]
    kinks = ", ".join(f"at {place:g}: {slope:g}" for place, slope in one.kinks.items()) or "none"
    lines += [f" kinks (slope there): {kinks}", f" mass: {_mass(one)}"]
    for alias, (canonical, note) in sorted(_registry.aliases.items()):
        if canonical == one.name:
            lines.append(f" also {alias}: {note}")
    return "\n".join([*lines, f" source: {one.source}"])


def _mass(proxy: Proxy) -> str:
    mass = proxy.mass()
    meaning = {1.0: " (fits a step)", 2.0: " (fits a sign)"}.get(round(mass, 12) if mass == mass else mass, "")
    return "not stated" if mass != mass else f"{mass:g}{meaning}"
