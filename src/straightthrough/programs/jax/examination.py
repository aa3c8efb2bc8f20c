"""What a run told, put together: slopes, reasons, gradients, agreement, and what could be revived."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from straightthrough.programs._description import Carried, Edge, Node, Parameter
from straightthrough.programs.jax.compiling import compiled
from straightthrough.programs.jax.containers import Container
from straightthrough.programs.jax.graph import Graph, Operator, Value, While, is_floating, sources
from straightthrough.programs.jax.moving import agreement_of, an_ulp_away
from straightthrough.programs.jax.reasons import Reason, reason, rounds_of
from straightthrough.programs.jax.running import Row, Run, run
from straightthrough.programs.jax.sweeping import Sweep, value_and_gradients

NEARLY_ALL = 0.98
"""From this share of dead elements on, an element-wise operator's reason is asked for."""

AGREES = 0.9
"""A gradient that agrees less with itself one ulp away asks for the ties."""

_SMOOTH = {
    "multiply",
    "divide",
    "exp",
    "tanh",
    "dot_general",
    "matmul",
    "conv_general_dilated",
    "sin",
    "cos",
    "sigmoid",
    "square",
    "erf",
}
"""Operators at which no tie can be."""

Key = tuple[int, int]
"""A node, and the position of an input of its operator."""


class Examiner:
    """One program, measured."""

    def __init__(self, graph: Graph, arrays: list[Any]):
        self._graph = graph
        self._arrays = arrays
        self._parameters = graph.block.inputs[len(graph.constants) :]
        self._made_by: dict[int, tuple[Operator, int]] = {
            node: (operator, output)
            for operator in graph.block.operators()
            for output, node in enumerate(operator.nodes)
            if node is not None
        }
        measured = compiled(self._program, graph.constants, arrays)
        result, rows, norms = measured(graph.constants, arrays)
        self._loss, self._gradients = result
        self._rows, self._norms = jax.device_get((rows, norms))
        (_, moved), _, _ = measured(graph.constants, an_ulp_away(arrays))
        self._agreements = [agreement_of(*pair) for pair in zip(self._gradients, moved, strict=True)]
        self._slopes: dict[Key, Edge] = {}

    @property
    def value(self) -> float:
        return float(self._loss)

    def _program(self, constants: list[Any], arrays: list[Any]) -> Any:
        state, back = Run(rows={}), Sweep(norms={})
        result = value_and_gradients(self._graph.block, [*constants, *arrays], self._parameters, state, back)
        return result, state.rows, back.norms

    def nodes(self) -> list[Node]:
        """Those that ran, with their edges, numbered anew."""
        for node in self._graph.nodes:
            gradient = self._norms.get(node.index)
            node.gradient = None if gradient is None else float(gradient["gradient"])
            row = self._rows.get(node.index)
            if row is not None:
                node.finite = bool(row["peak"] == 0)
                node.nan_born, node.inf_born = bool(row["born"] == 2), bool(row["born"] == 1)
                self._measured(node, row)
        self._explain()
        for node in self._graph.nodes:
            node.edges = list(self._edges(node))
        return self._graph.nodes

    def _measured(self, node: Node, row: Row) -> None:
        if node.index not in self._made_by:
            return
        operator, output = self._made_by[node.index]
        for position in operator.dependent:
            slope, share = self._slope(operator, output, position, row)
            self._slopes[node.index, position] = Edge(-1, slope, share)
        if operator.carries is not None:
            self._carry(node, operator, row, operator.carries)
        elif "inner" in row and row["inner"] == 0 and any(e.slope == "passes" for e in self._of(node, operator)):
            self._carry(node, operator, row, "by hand")

    def _of(self, node: Node, operator: Operator) -> list[Edge]:
        return [self._slopes[node.index, position] for position in operator.movable]

    def _slope(self, operator: Operator, output: int, position: int, row: Row) -> Any:
        if operator.stops or position not in operator.movable or output not in operator.differentiable:
            return "absent", 1.0
        if operator.linear:
            return "passes", 0.0
        if f"top_{position}" not in row:
            return "absent", 1.0
        top, share = float(row[f"top_{position}"]), float(row[f"sum_dead_{position}"]) / float(row["sum_ran"] or 1)
        if not math.isfinite(top):
            return "non_finite", share
        return ("zero", 1.0) if top == 0 else ("passes", share)

    def _carry(self, node: Node, operator: Operator, row: Row, proxy: str) -> None:
        if "sum_mean" not in row:
            return
        count = float(row["sum_ran"] or 1)
        live = [1 - edge.dead_share for edge in self._of(node, operator)]
        mean, std = float(row["sum_mean"]) / count, float(row["sum_std"]) / count
        node.carried = Carried(proxy, mean, std, max(live, default=0.0), operator.width)

    def ran(self, node: Node) -> bool:
        row = self._rows.get(node.index)
        return node.operator == "parameter" or (row is not None and row["sum_ran"] > 0)

    def _edges(self, node: Node) -> Iterator[Edge]:
        if node.index in self._made_by:
            operator, _ = self._made_by[node.index]
            for position in operator.dependent:
                edge = self._slopes.get((node.index, position))
                if edge is not None:
                    for source in sources(operator.inputs[position]):
                        yield Edge(source, edge.slope, edge.dead_share, edge.why, edge.tie_share)
        for step in self._graph.block.joins():
            if node.index in step.nodes:
                value = step.outputs[step.nodes.index(node.index)]
                chosen_by = step.condition.outputs[0] if isinstance(step, While) else step.index
                yield from (Edge(source, "absent", 1.0) for source in sources(chosen_by))
                passes = not isinstance(step, While) and value.floating
                for source in dict.fromkeys(s for origin in value.origins for s in sources(origin)):
                    yield Edge(source, "passes" if passes else "absent", 0.0 if passes else 1.0)

    # why

    def _explain(self) -> None:
        asked = {key: False for key in self._slopes if self._is_suspicious(*key)}
        if any(a is not None and a < AGREES for a in self._agreements):
            for node, position in self._slopes:
                if self._may_tie(node, position):
                    asked.setdefault((node, position), True)
        if not asked:
            return
        wanted = frozenset(id(self._made_by[node][0]) for node, _ in asked)

        def tapped(constants: list[Any], arrays: list[Any]) -> Any:
            state = Run(dict(zip(self._graph.block.inputs, [*constants, *arrays], strict=True)), wanted=wanted)
            run(self._graph.block, state)
            return state.taps

        taps = compiled(tapped, self._graph.constants, self._arrays)(self._graph.constants, self._arrays)
        for (node, position), only_ties in asked.items():
            operator, output = self._made_by[node]
            rounds = rounds_of(taps[id(operator)], operator)
            self._note(self._slopes[node, position], reason(operator, rounds, output, position, only_ties=only_ties))

    def _is_suspicious(self, node: int, position: int) -> bool:
        edge = self._slopes[node, position]
        operator, output = self._made_by[node]
        if not self.ran(self._graph.nodes[node]) or position not in operator.movable:
            return False
        if edge.slope == "zero":
            return True
        elementwise = self._graph.nodes[node].elementwise and output in operator.differentiable
        return edge.slope == "passes" and elementwise and edge.dead_share >= NEARLY_ALL

    def _may_tie(self, node: int, position: int) -> bool:
        edge, known = self._slopes[node, position], self._graph.nodes[node]
        operator, _ = self._made_by[node]
        return edge.slope == "passes" and not operator.linear and known.operator not in _SMOOTH and self.ran(known)

    def _note(self, edge: Edge, found: Reason) -> None:
        edge.tie_share = found.tied
        if edge.slope == "zero" or (edge.dead_share >= NEARLY_ALL and found.why in ("saturated", "tie")):
            edge.why = found.why

    # parameters

    def parameters(self, container: Container) -> list[Parameter]:
        """Every parameter, in its owner's order."""
        revived = self._revived()
        moving = {position: i for i, position in enumerate(container.moving)}
        found = []
        for position, (name, array) in enumerate(zip(container.names, container.arrays, strict=True)):
            shape, dtype = tuple(np.shape(array)), str(getattr(array, "dtype", type(array).__name__))
            if position not in moving:
                found.append(Parameter(name, None, shape, dtype, trainable=False))
                continue
            i = moving[position]
            trainable = container.trainable[position] and not self._is_frozen(self._parameters[i])
            found.append(self._parameter(name, i, trainable, None if revived is None else revived[i]))
        return found

    def _parameter(self, name: str, i: int, trainable: bool, revived: Any) -> Parameter:
        value, gradient = self._parameters[i], np.asarray(self._gradients[i])
        zero, finite = gradient == 0, np.isfinite(gradient)
        revivable = 0.0
        if revived is not None and zero.any():
            revivable = float(np.mean((np.asarray(revived) != 0)[zero]))
        return Parameter(
            name,
            value.node if self._is_used(value) else None,
            tuple(value.aval.shape),
            str(value.aval.dtype),
            trainable,
            _norm(gradient),
            float(zero.mean()) if zero.size else 1.0,
            1 - float(finite.mean()) if zero.size else 0.0,
            self._agreements[i],
            revivable,
        )

    def _is_used(self, value: Value) -> bool:
        return any(value.node == edge.source for node in self._graph.nodes for edge in node.edges) or (
            value is self._graph.block.outputs[0]
        )

    def _is_frozen(self, value: Value) -> bool:
        """JAX's way to freeze a parameter: it is handed to stop_gradient wherever it is used."""
        users = [node for node in self._graph.nodes if any(edge.source == value.node for edge in node.edges)]
        return bool(users) and all(node.stop for node in users)

    def _revived(self) -> list[Any] | None:
        """The gradients if every dead edge passed something on; None if there is nothing to revive."""
        partly = [g for g in map(np.asarray, self._gradients) if 0 < np.mean(g == 0) < 1]
        dead = {(node.index, edge.source) for node in self._graph.nodes for edge in node.edges if self._is_dead(edge)}
        if not partly or not dead:
            return None
        wanted = self._wanted()

        def revive(node: int, value: Value) -> bool:
            return node in wanted and any((node, source) in dead for source in sources(value))

        def revived(constants: list[Any], arrays: list[Any]) -> Any:
            block, back = self._graph.block, Sweep(revive=revive)
            return value_and_gradients(block, [*constants, *arrays], self._parameters, Run(), back)[1]

        result: list[Any] = compiled(revived, self._graph.constants, self._arrays)(self._graph.constants, self._arrays)
        return result

    def _is_dead(self, edge: Edge) -> bool:
        floating = self._graph.nodes[edge.source].dtype.startswith(("float", "bfloat", "complex"))
        return floating and (edge.slope == "absent" or (edge.slope == "zero" and edge.why != "blocked"))

    def _wanted(self) -> set[int]:
        """Nodes from which some way leads to the loss that crosses no product with zeros."""
        waiting = sources(self._graph.block.outputs[0])
        found = set(waiting)
        while waiting:
            for edge in self._graph.nodes[waiting.pop()].edges:
                if edge.source not in found and not (edge.slope == "zero" and edge.why == "blocked"):
                    found.add(edge.source)
                    waiting.append(edge.source)
        return found


def _norm(gradient: Any) -> float:
    wide = np.abs(gradient).astype(np.float64)
    if not np.isfinite(wide).all():
        return math.nan
    return float(np.sqrt(np.sum(wide * wide)))


__all__ = ["Examiner", "is_floating"]
