"""What the proxy of a comparison acts on: ±(x - y), or ±|x - y|."""

from __future__ import annotations

from typing import Any

Array = Any


class Difference:
    """sign · (x - y), or with ``distance`` sign · |x - y|; called with a table, x and y.

    Attributes:
        sign: 1 or -1.
        distance: whether the magnitude is taken.
    """

    __slots__ = ("distance", "sign")

    def __init__(self, sign: int, *, distance: bool = False):
        self.sign, self.distance = sign, distance

    def __call__(self, xp: Any, x: Array, y: Any) -> Array:
        difference = x - y
        if self.distance:
            difference = difference * self.derivative_of_distance(xp, difference)
        return difference if self.sign > 0 else -difference

    @staticmethod
    def derivative_of_distance(xp: Any, difference: Array) -> Array:
        """-1, 0 or 1; where the difference is nan it is 0, so that an indicator slope's 0 stays 0."""
        direction = xp.direction(difference)
        return xp.where(xp.isnan(direction), xp.mask(xp.isfinite(direction), difference), direction)
