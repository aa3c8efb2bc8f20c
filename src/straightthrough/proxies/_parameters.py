"""What a proxy's parameter may be: checked where a proxy is made, numbers by value and arrays by kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from straightthrough import _backends
from straightthrough._errors import ArgumentError, DtypeError, FrameworkError, short, wrong


def is_number(value: Any) -> bool:
    """A Python number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Parameter:
    """A named number of a proxy: its default, what it must fulfil, and in which words."""

    __slots__ = ("default", "holds", "wanted", "whole")

    def __init__(self, default: float | None, wanted: str, holds: Callable[[float], bool], whole: bool = False):
        self.default = default
        self.wanted = wanted
        self.holds = holds
        self.whole = whole

    def checked(self, proxy: str, name: str, value: Any) -> Any:
        """The value as a float, or as the array it is.

        Raises:
            ArgumentError: a number outside the range.
            DtypeError: an array that is not floating.
        """
        wanted = f"a {'whole' if self.whole else 'finite'} number {self.wanted}".rstrip()
        if is_number(value):
            if not math.isfinite(value) or not self.holds(value) or (self.whole and value != int(value)):
                raise ArgumentError(wrong(proxy, name, wanted, short(value)))
            return float(value)
        try:
            table, array = _backends.admit(proxy, name, value)
        except FrameworkError:
            raise ArgumentError(wrong(proxy, name, f"{wanted}, or a floating array", short(value))) from None
        if self.whole:
            raise ArgumentError(wrong(proxy, name, wanted, "an array", "it says how many terms there are"))
        if not table.is_floating(array):
            got = f"an array of {table.dtype_name(array)}"
            raise DtypeError(wrong(proxy, name, f"{wanted}, or a floating array", got))
        return array


def positive(default: float | None) -> Parameter:
    return Parameter(default, "> 0", lambda value: value > 0)


def above(bound: float, default: float) -> Parameter:
    return Parameter(default, f"> {bound:g}", lambda value: value > bound)


def at_least(bound: float, default: float) -> Parameter:
    return Parameter(default, f">= {bound:g}", lambda value: value >= bound)


def count(default: int) -> Parameter:
    return Parameter(float(default), ">= 1", lambda value: value >= 1, whole=True)


def real(default: float) -> Parameter:
    return Parameter(default, "", lambda value: True)
