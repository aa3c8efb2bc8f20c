"""Proxies of selections: functions of a whole axis, whose derivative is a Jacobian."""

from __future__ import annotations

import operator
from typing import Any

from straightthrough._errors import ArgumentError, short, wrong
from straightthrough.proxies._parameters import positive
from straightthrough.proxies._proxy import proxy_family

Array = Any


@proxy_family(
    {"temperature": positive(1.0)},
    aliases={"tempered_softmax": "with its temperature named"},
    source="Jang, Gu, Poole 2017, arXiv 1611.01144; Bengio et al. 2013",
    elementwise=False,
)
def softmax(xp: Any, x: Array, temperature: Any, axis: int = -1, k: int = 1) -> Array:
    """Value k·softmax(x/τ) along ``axis``, and its Jacobian; k is the number of elements a top-k mask keeps.

    Example:
        >>> softmax(temperature=2.0)(torch.tensor([0.0, 2.0]))
        tensor([0.2689, 0.7311])
    """
    check_axis(xp, x, axis, "softmax")
    soft = xp.softmax(x if _is_one(temperature) else x / temperature, axis)
    return soft if k == 1 else soft * float(k)


def _is_one(temperature: Any) -> bool:
    return isinstance(temperature, float) and temperature == 1.0


def as_whole(value: Any) -> int | None:
    """A Python int of anything that counts as one (numpy's too); None for the rest, True and False included."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def check_axis(xp: Any, x: Array, axis: Any, function: str) -> int:
    """The axis counted from the front.

    Raises:
        ArgumentError: out of range, not a whole number, or an axis without elements.
    """
    shape = xp.shape(x)
    whole = as_whole(axis)
    if whole is None or not -len(shape) <= whole < len(shape):
        ends = f"a whole number from {-len(shape)} to {len(shape) - 1}"
        wanted = ends if shape else "an axis of x, which has none"
        raise ArgumentError(wrong(function, "axis", wanted, short(axis), f"x has shape {shape}"))
    axis = whole
    if shape[axis] == 0:
        got = f"shape {shape}, axis {axis}"
        raise ArgumentError(wrong(function, "x", "of at least one element along the axis", got))
    return whole % len(shape)
