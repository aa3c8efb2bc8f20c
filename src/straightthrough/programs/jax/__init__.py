"""JAX: pytrees of arrays, nnx.Module, and Keras with the JAX backend.

The loss is traced to a jaxpr once; `building` makes a graph of it, `running` and `sweeping` measure it in one compiled
program, `reasons` asks again where something is dead, and `examination` puts it together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from straightthrough._errors import ArgumentError, ShapeError, kind_of, wrong
from straightthrough.programs._description import Examination, Node
from straightthrough.programs.jax.building import build
from straightthrough.programs.jax.compiling import compiled
from straightthrough.programs.jax.containers import Container, container_of
from straightthrough.programs.jax.examination import Examiner
from straightthrough.programs.jax.graph import Graph, sources
from straightthrough.programs.jax.moving import by_its_size
from straightthrough.programs.jax.running import Run, run
from straightthrough.programs.jax.tracing import Traced, trace


def examine(loss: Callable[..., Any], params: Any, batch: tuple[Any, ...]) -> Examination:
    """Runs ``loss(params, *batch)`` once, with everything measured.

    Raises:
        ArgumentError: there are no parameters, or the loss returns no floating number.
        ShapeError: the loss returns more than one number.
    """
    container = container_of(params)
    arrays = [jnp.asarray(container.arrays[i]) for i in container.moving]

    def of(moving: list[Any]) -> Any:
        filled = list(container.arrays)
        for position, array in zip(container.moving, moving, strict=True):
            filled[position] = array
        with container.holding(filled) as handed:
            return loss(handed, *batch)

    traced = trace(of, arrays)
    _check(traced.result)
    graph = build(traced)
    examiner = Examiner(graph, arrays)
    nodes = examiner.nodes()
    parameters = examiner.parameters(container)
    made = sources(graph.block.outputs[0])
    kept = _kept(nodes, [node for node in nodes if examiner.ran(node)], parameters)
    return Examination(
        "jax",
        [node for node in nodes if node.index in kept.values()],
        kept[made[0]] if made else None,
        examiner.value,
        parameters,
        container.mode,
        _Responds(graph, traced, of, container, arrays),
    )


def _check(result: Any) -> None:
    wanted, remedy = "a scalar of a floating dtype", "return the mean or the sum, and nothing beside it"
    if not hasattr(result, "dtype"):
        if not isinstance(result, float):
            raise ArgumentError(wrong("doctor", "what the loss returns", wanted, kind_of(result), remedy))
        return
    if result.shape != ():
        raise ShapeError(wrong("doctor", "what the loss returns", wanted, f"shape {result.shape}", remedy))
    if not jnp.issubdtype(result.dtype, jnp.floating):
        got = f"a scalar of {result.dtype}"
        raise ArgumentError(wrong("doctor", "what the loss returns", wanted, got, "a gradient needs a float"))


def _kept(nodes: list[Node], ran: list[Node], parameters: list[Any]) -> dict[int, int]:
    """Numbers the nodes that are worth keeping anew; returns old -> new."""
    used = {parameter.node for parameter in parameters}
    worth = [node for node in ran if node.operator != "parameter" or node.index in used]
    kept = {node.index: new for new, node in enumerate(worth)}
    for node in worth:
        node.edges = [edge for edge in node.edges if edge.source in kept]
        for edge in node.edges:
            edge.source = kept[edge.source]
        node.index = kept[node.index]
    for parameter in parameters:
        parameter.node = None if parameter.node is None else kept[parameter.node]
    return kept


class _Responds:
    """Whether the loss changes when one parameter alone is moved by about its own size; compiled when first asked."""

    def __init__(self, graph: Graph, traced: Traced, of: Callable[[list[Any]], Any], container: Container, arrays: Any):
        self._graph, self._traced, self._of = graph, traced, of
        self._names = [container.names[i] for i in container.moving]
        self._arrays = arrays
        self._loss: Callable[[list[Any]], float] | None = None
        self._here = float("nan")

    def __call__(self, name: str) -> bool:
        if name not in self._names:
            return False
        if self._loss is None:
            self._loss = self._eager if self._traced.left else self._compiled()
            self._here = self._loss(self._arrays)
        position = self._names.index(name)
        for moved in by_its_size(self._arrays[position]):
            there = self._loss([moved if i == position else a for i, a in enumerate(self._arrays)])
            same = np.isclose(there, self._here, rtol=self._noise(), atol=0.0, equal_nan=True)
            if not same:
                return True
        return False

    def _noise(self) -> float:
        halves = any(node.dtype in ("bfloat16", "float16") for node in self._graph.nodes)
        return 0.02 if halves else 1e-5

    def _eager(self, arrays: list[Any]) -> float:
        return float(self._of(arrays))

    def _compiled(self) -> Callable[[list[Any]], float]:
        constants, block = self._graph.constants, self._graph.block

        def loss(constants: list[Any], arrays: list[Any]) -> Any:
            return run(block, Run(dict(zip(block.inputs, [*constants, *arrays], strict=True))))[0]

        program = compiled(loss, constants, self._arrays)
        return lambda arrays: float(jax.device_get(program(constants, arrays)))
