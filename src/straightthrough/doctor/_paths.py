"""Paths from a parameter to the loss, and how many dead edges each of them crosses.

A parameter without gradient is blocked on *every* path. Those that cross the fewest dead edges are the ones to repair:
a comparison that guards a live branch lies on a longer one, and is not blamed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from straightthrough.programs import Edge, Examination, Node

Onwards = Callable[[int], list[tuple[int, Edge]]]
"""From a node to its neighbours in one direction, with the edges between."""


@dataclass(frozen=True)
class Crossing:
    """A dead edge on a path: the operator that it enters, and the edge."""

    node: Node
    edge: Edge


class Paths:
    """The graph of one examination, walked in both directions.

    Attributes:
        to_loss: from each node, the least number of dead edges on a way to the loss; inf where there is none.
        before_loss: every node that the loss depends on, dead edges or not.
    """

    def __init__(self, examination: Examination):
        self.nodes = examination.nodes
        self.loss = examination.loss
        self.users: list[list[tuple[int, Edge]]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for edge in node.edges:
                self.users[edge.source].append((node.index, edge))
        ends = [] if self.loss is None else [self.loss]
        self.to_loss = self._distances(ends, self._sources)
        self.before_loss = self._connected(self.loss, self._sources) if self.loss is not None else set()
        self._on_the_way: dict[int, set[int]] = {}

    def is_dead(self, edge: Edge) -> bool:
        """Whether gradient ends in this edge. An integer carries none: its death is where it was made of a float."""
        return edge.slope in ("absent", "zero") and edge.why != "blocked" and is_floating(self.nodes[edge.source])

    def is_blocked(self, edge: Edge) -> bool:
        return edge.slope == "zero" and edge.why == "blocked"

    def _sources(self, index: int) -> list[tuple[int, Edge]]:
        return [(edge.source, edge) for edge in self.nodes[index].edges]

    def _users(self, index: int) -> list[tuple[int, Edge]]:
        return self.users[index]

    def _distances(self, starts: list[int], onwards: Onwards) -> list[float]:
        """The least number of dead edges between each node and one of ``starts``; inf where there is no way."""
        far = [math.inf] * len(self.nodes)
        queue: deque[int] = deque(starts)
        for start in starts:
            far[start] = 0
        while queue:
            index = queue.popleft()
            for neighbour, edge in onwards(index):
                if not self.is_blocked(edge):
                    _relax(far, queue, neighbour, far[index] + self.is_dead(edge), dead=self.is_dead(edge))
        return far

    def distances_up(self, start: int) -> list[float]:
        """To each node, the least number of dead edges on a way from ``start``."""
        return self._distances([start], self._users)

    def deaths(self, start: int, ends: list[int] | None = None) -> list[Crossing]:
        """The dead edges on the ways from ``start`` that cross the fewest; nearest the loss first."""
        up = self.distances_up(start)
        down = self.to_loss if ends is None else self._distances(ends, self._sources)
        least = down[start]
        if math.isinf(least):
            return []
        found = [
            Crossing(node, edge)
            for node in self.nodes
            for edge in node.edges
            if self.is_dead(edge) and up[edge.source] + 1 + down[node.index] == least
        ]
        return sorted(found, key=lambda crossing: -crossing.node.index)

    def partial_deaths(self, start: int, on_data: list[bool]) -> list[Crossing]:
        """The dead edges that can cost a parameter a part of its elements, though others arrive.

        A choice that also passes its input on, such as ``where(x > 0, x, 0)``, is the usual sparsity of an activation:
        it counts only if it depends on parameters alone, for then no batch will ever revive what it hides. Nor does
        a choice count whose answer is the address at which the parameter itself is read: the others wait their turn.
        """
        up = self.distances_up(start)
        unread = self._before_reads(start)
        candidates = [
            (self.to_loss[node.index], Crossing(node, edge))
            for node in self.nodes
            for edge in node.edges
            if self.is_dead(edge)
            and up[edge.source] == 0
            and math.isfinite(self.to_loss[node.index])
            and (self.to_loss[edge.source] > 0 or not on_data[edge.source])
            and edge.source in unread
            and not self._chooses_among(up, node)
        ]
        least = min((distance for distance, _ in candidates), default=0)
        found = [crossing for distance, crossing in candidates if distance == least]
        behind = [further for crossing in found for further in self.deaths(crossing.node.index)]
        return sorted([*found, *behind], key=lambda crossing: -crossing.node.index)

    def _before_reads(self, start: int) -> set[int]:
        """What a start reaches alive without being read at chosen addresses: behind them only the chosen ones are."""
        queue, seen = [start], {start}
        while queue:
            for user, edge in self.users[queue.pop()]:
                chosen = any(not is_floating(self.nodes[e.source]) for e in self.nodes[user].edges)
                read = chosen and self.to_loss[user] == 0 and edge.dead_share > 0
                if user not in seen and not read and not self.is_dead(edge) and not self.is_blocked(edge):
                    seen.add(user)
                    queue.append(user)
        return seen

    def _chooses_among(self, up: list[float], chooser: Node) -> bool:
        """Whether an integer result is where something is read that comes, alive, from the start of ``up``."""
        queue, seen = [chooser.index], {chooser.index}
        while queue:
            index = queue.pop()
            if is_floating(self.nodes[index]) and self.nodes[index].operator != "one_hot":
                continue
            for user, _ in self.users[index]:
                edges = self.nodes[user].edges
                if any(up[e.source] == 0 and e.slope == "passes" and e.dead_share > 0 for e in edges):
                    return True
                if user not in seen:
                    seen.add(user)
                    queue.append(user)
        return False

    def _connected(self, start: int, onwards: Onwards) -> set[int]:
        seen, queue = {start}, deque([start])
        while queue:
            for neighbour, _ in onwards(queue.popleft()):
                if neighbour not in seen:
                    seen.add(neighbour)
                    queue.append(neighbour)
        return seen

    def reached_from(self, start: int) -> set[int]:
        """Every node that depends on this one, dead edges or not."""
        return self._connected(start, self._users)

    def on_the_way(self, start: int) -> set[int]:
        """Every node between this one and the loss, both included."""
        if start not in self._on_the_way:
            self._on_the_way[start] = self.reached_from(start) & self.before_loss
        return self._on_the_way[start]


def _relax(far: list[float], queue: deque[int], index: int, distance: float, *, dead: bool) -> None:
    if distance < far[index]:
        far[index] = distance
        if dead:
            queue.append(index)
        else:
            queue.appendleft(index)


def is_floating(node: Node) -> bool:
    """Whether a node's result can carry a gradient."""
    return node.dtype.startswith(("float", "bfloat", "complex"))
