"""The five deaths of a gradient, found in what a run told: flat, cut, tie, saturated, non-finite."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from straightthrough.doctor._paths import Crossing, Paths
from straightthrough.doctor.remedies import remedy
from straightthrough.programs import Edge, Examination, Node
from straightthrough.programs._keys import Keys, short_place

Kind = Literal["flat", "cut", "tie", "saturated", "non_finite"]

NEARLY_ALL = 0.98
"""From this share of dead elements on, an operator that saturates is reported though something still passes."""

NOISE = 0.5
"""A gradient whose cosine with itself one ulp away is below this is rounding noise, or stands at a tie."""

KINDS: dict[Kind, str] = {
    "flat": "its derivative is 0 here and at nearby inputs",
    "cut": "no derivative passes: the result is an integer, a boolean, detached, or left the framework",
    "tie": "its derivative is not unique at this input: it is another one ulp away",
    "saturated": "its derivative is 0 for (nearly) all elements of this batch, though not at nearby inputs",
    "non_finite": "its derivative is infinite or nan",
}


@dataclass
class Finding:
    """A place where the gradient dies.

    Attributes:
        kind: how: one of `KINDS`.
        operator: our name for what stands there.
        key: ``"round@file.py:12"``, with ``#2`` for a second one on the line: what `with_proxies` takes.
        file, line, text: the user's line; file is "" where no frame is the user's.
        function: the function that the line stands in.
        inside: ``"file.py:12"`` within a framework or package, where the operator was called from there.
        shape, dtype: of the operator's result.
        share: of the input's elements that are affected.
        wholly: parameters that get no gradient by it.
        partly: parameters that lose a part of theirs by it.
        gradient: norm of the loss gradient that arrives at its result; None where none does.
        remedy: the line to write instead, or what to do.
    """

    kind: Kind
    operator: str
    key: str
    file: str
    line: int
    text: str
    function: str = ""
    inside: str = ""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    share: float = 1.0
    wholly: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    gradient: float | None = None
    remedy: str = ""
    order: int = field(default=0, repr=False)


def kind_of_edge(edge: Edge) -> Kind:
    """The name of a dead edge's death."""
    if edge.slope == "absent":
        return "cut"
    if edge.slope == "non_finite":
        return "non_finite"
    return edge.why if edge.why in ("saturated", "tie") else "flat"


def keys(nodes: list[Node]) -> dict[int, str]:
    """The key of each node."""
    named = Keys()
    return {node.index: named.key(node.operator, node.place) for node in nodes}


class Findings:
    """Collects deaths; those of one kind at one key become one."""

    def __init__(self, examination: Examination, keys: dict[int, str]):
        self._keys = keys
        self._nodes = examination.nodes
        self._found: dict[tuple[str, str], Finding] = {}

    def add(self, node: Node, kind: Kind, parameter: str, *, wholly: bool, share: float = 1.0) -> str:
        """Records that ``parameter`` loses gradient at ``node``; returns the key."""
        key = self._keys[node.index]
        finding = self._found.get((key, kind))
        if finding is None:
            finding = self._found[key, kind] = self._new(node, kind, key, share)
        finding.order = max(finding.order, node.index)
        finding.share = max(finding.share, share)
        names = finding.wholly if wholly else finding.partly
        if parameter not in names:
            names.append(parameter)
        return key

    def add_all(self, crossings: list[Crossing], parameter: str, *, wholly: bool) -> str | None:
        """Records a chain; the first one, nearest the loss, is the answer to "by which"."""
        added = [
            self.add(
                crossing.node,
                kind_of_edge(crossing.edge),
                parameter,
                wholly=wholly,
                share=crossing.edge.dead_share if crossing.edge.slope != "absent" else 1.0,
            )
            for crossing in crossings
        ]
        return added[0] if added else None

    def sorted(self) -> list[Finding]:
        """Nearest the loss first."""
        return sorted(self._found.values(), key=lambda finding: -finding.order)

    def _new(self, node: Node, kind: Kind, key: str, share: float) -> Finding:
        place = node.place
        return Finding(
            kind,
            node.operator,
            key,
            place.file if place else "",
            place.line if place else 0,
            place.text if place else "",
            place.function if place else "",
            short_place(node.inside) if node.inside else "",
            node.shape,
            node.dtype,
            share,
            gradient=node.gradient,
            remedy=remedy(kind, node.operator, place),
        )


def non_finite_births(examination: Examination, paths: Paths, start: int) -> list[Node]:
    """Where a gradient of inf or nan begins: the loss gradient arrives finite, the operator's derivative is not.

    Where the loss itself is not finite, that is where the first nan, or else the first infinity, was made.
    """
    reached = paths.on_the_way(start)
    nodes = [node for node in examination.nodes if node.index in reached]
    if not math.isfinite(examination.value):
        # The nan need not be made of this parameter: what is multiplied with one has no gradient either.
        before = [examination.nodes[index] for index in sorted(paths.before_loss)]
        return _born_in(nodes) or _born_in(before)
    born = [
        node
        for node in nodes
        if (node.gradient is None or math.isfinite(node.gradient))
        and any(edge.slope == "non_finite" and edge.source in reached for edge in node.edges)
    ]
    # A product with an infinity that was made before it is not the cause.
    born = [node for node in born if all(examination.nodes[edge.source].finite for edge in node.edges)] or born
    # Without a count of its own: a finite slope times a large loss gradient overflows where it enters first.
    return born or [node for node in nodes if _overflows(node, examination.nodes)]


def _born_in(nodes: list[Node]) -> list[Node]:
    return [node for node in nodes if node.nan_born] or [node for node in nodes if node.inf_born]


def _overflows(node: Node, nodes: list[Node]) -> bool:
    if node.gradient is None or not math.isfinite(node.gradient):
        return False
    return any(not math.isfinite(nodes[edge.source].gradient or 0.0) for edge in node.edges)


def ties(examination: Examination, paths: Paths, start: int) -> list[Node]:
    """Operators on a way from ``start`` to the loss whose derivative is another one ulp away."""
    reached = paths.on_the_way(start)
    return [
        node
        for node in reversed(examination.nodes)
        if node.index in reached and any(edge.tie_share > 0.01 and edge.source in reached for edge in node.edges)
    ]


def saturations(examination: Examination, paths: Paths, start: int) -> list[Crossing]:
    """Element-wise operators that pass next to nothing, though not nothing."""
    reached = paths.on_the_way(start)
    return [
        Crossing(node, edge)
        for node in reversed(examination.nodes)
        if node.index in reached and node.elementwise
        for edge in node.edges
        if edge.source in reached
        and edge.slope == "passes"
        and edge.why == "saturated"
        and edge.dead_share >= NEARLY_ALL
    ]
