"""Names: every ready operation and every proxy family, so that docs, plots and the suite iterate over them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from straightthrough._errors import UnknownNameError, nearest

if TYPE_CHECKING:
    from straightthrough.core import Operation
    from straightthrough.proxies._proxy import Curve, Family

operations: dict[str, Operation] = {}
"""Ready operations by name."""

families: dict[str, Family] = {}
"""Proxy families by canonical name."""

noises: dict[str, Family] = {}
"""Proxies made by `from_noise` in this process: found by name like the others, and listed nowhere."""

aliases: dict[str, tuple[str, str]] = {}
"""Other names of proxies in the literature: alias → (canonical name, where the alias comes from)."""


def operation_named(name: str, function: str = "operation") -> Operation:
    """The ready operation of this name.

    Raises:
        UnknownNameError: there is none; the message names the nearest one.
    """
    try:
        return operations[name]
    except KeyError:
        raise UnknownNameError(
            f"{function}: no operation is named {name!r}; {nearest(name, tuple(operations))}"
        ) from None


def family_named(name: str, function: str = "proxy") -> Family:
    """The proxy family of this name, or of this alias.

    Raises:
        UnknownNameError: there is none; the message names the nearest one.
    """
    canonical = aliases[name][0] if name in aliases else name
    try:
        return families[canonical] if canonical in families else noises[canonical]
    except KeyError:
        known = [*families, *aliases]
        raise UnknownNameError(f"{function}: no proxy is named {name!r}; {nearest(name, tuple(known))}") from None


curves: dict[str, Curve] = {}
"""Every curve made so far by its key: a compiled graph can hold the key, not the object."""


def curve_of_key(key: str) -> Curve:
    """The curve that a key such as ``clipped_relu(width=2.0)`` stands for; an ``array`` marks what is handed over."""
    curve = curves.get(key)
    if curve is None:
        name, parameters = parsed(key)
        curve = family_named(name).new_curve(key, parameters)
        if not torch_is_tracing():
            curves[key] = curve
    return curve


def torch_is_tracing() -> bool:
    """True while torch.compile traces our code: it cannot replay a write to a dictionary that it has read."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.compiler.is_compiling())


def parsed(text: str, function: str = "proxy") -> tuple[str, dict[str, Any]]:
    """``"atan(alpha=3)"`` → ``("atan", {"alpha": 3.0})``; the marker ``array`` gives None.

    Raises:
        UnknownNameError: the text is not of the form ``name`` or ``name(parameter=number, ...)``.
    """
    name, bracket, rest = text.partition("(")
    parameters: dict[str, Any] = {}
    try:
        if bracket and not rest.endswith(")"):
            raise ValueError
        for item in filter(None, (part.strip() for part in rest.removesuffix(")").split(","))):
            parameter, _, number = item.partition("=")
            parameters[parameter.strip()] = None if number.strip() == "array" else float(number)
    except ValueError:
        wanted = "a name, or a name with numbers such as 'atan(alpha=3)'"
        raise UnknownNameError(f"{function}: proxy must be {wanted}, got {text!r}") from None
    return name.strip(), parameters
