"""TensorFlow's AutoGraph, which would rewrite our Python inside a tf.function: told to leave it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

INFO: dict[str, object] = {}
"""AutoGraph calls whatever has an attribute ``autograph_info__`` as it is; a test holds TensorFlow to that."""


def as_it_is(function: F) -> F:
    """Decorator: AutoGraph runs this function, and all that it calls, unconverted."""
    function.autograph_info__ = INFO  # type: ignore[attr-defined]
    return function
