"""Operators of a user's own, in a module, so that they can be pickled by name."""

from __future__ import annotations

from typing import Any

import straightthrough as ste


@ste.with_proxy(proxy="clipped_relu(width=2)")
def spike(x: Any) -> Any:
    """Spikes above 0.5."""
    return x > 0.5


@ste.with_proxy
def halves(x: Any) -> Any:
    """To the nearest half below."""
    return x * 2 // 1 / 2


def plain(x: Any, level: float = 0.5) -> Any:
    """A bare operator, not decorated."""
    return x > level


paired = ste.with_proxy(plain, "sigmoid(sharpness=2)")


class Layer:
    """An operator as a method, and one that keeps a level."""

    def __init__(self, level: float):
        self.level = level

    @ste.with_proxy(proxy="relu")
    def step(x: Any, level: float) -> Any:
        """A step at a level."""
        return x > level

    def __call__(self, x: Any) -> Any:
        return x > self.level
