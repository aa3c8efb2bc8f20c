"""The loss gradient from the head to the input: its norm at each operator, on any graph."""

from __future__ import annotations

import math
from dataclasses import dataclass

from straightthrough.doctor._paths import Paths, is_floating
from straightthrough.programs import Examination, Place


@dataclass(frozen=True)
class Arrival:
    """The loss gradient at the result of one operator.

    Attributes:
        key: the operator's key, or ``parameter NAME``.
        norm: Euclidean norm of the loss gradient there; 0 where none arrives.
        place: the user's line.
    """

    key: str
    norm: float
    place: Place | None = None

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self.key, self.norm))


def flow_of(examination: Examination, paths: Paths, keys: dict[int, str]) -> list[Arrival]:
    """One entry per operator on a way from a parameter to the loss, head first.

    Calls that share a key (a loop) are one entry: the norm of all their gradients together.
    """
    on_the_way = paths.before_loss
    names = {p.node: f"parameter {p.name}" for p in examination.parameters if p.node is not None}
    squares: dict[str, float] = {}
    places: dict[str, Place | None] = {}
    for node in reversed(examination.nodes):
        if node.index not in on_the_way or not is_floating(node):
            continue
        key = names.get(node.index, keys[node.index])
        places.setdefault(key, node.place)
        squares[key] = squares.get(key, 0.0) + (node.gradient or 0.0) ** 2
    return [Arrival(key, math.sqrt(square), places[key]) for key, square in squares.items()]
