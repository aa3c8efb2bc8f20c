"""The loss gradient taken back through a graph, operator by operator, with its norm at each result.

It is what `jax.grad` computes; here every intermediate is seen, also those below a cut. A loop's body is run again,
round by round, from the carries that the run forward kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from straightthrough.programs.jax.graph import Block, Choice, Operator, Scan, Value, While
from straightthrough.programs.jax.running import Rows, Run, added, cotangent, empty_rows, norm, run

Revive = Callable[[int, Value], bool]
"""Whether the edge from this value into this node is dead, and to be replaced by a random derivative."""


@dataclass
class Sweep:
    """Cotangents that have arrived so far.

    Attributes:
        cotangents: by value.
        norms: of the loss gradient at each node's result; None where they are not asked for.
        revive: see `Revive`; None in an ordinary sweep.
    """

    cotangents: dict[Value, Any] = field(default_factory=dict)
    norms: Rows | None = None
    revive: Revive | None = None

    def add(self, value: Value, array: Any) -> None:
        if not value.floating or not value.depends:
            return
        have = self.cotangents.get(value)
        self.cotangents[value] = array if have is None else have + array

    def inner(self) -> Sweep:
        return Sweep({}, None if self.norms is None else {}, self.revive)

    def of(self, values: list[Value], shapes: list[Any]) -> list[Any]:
        """The cotangents of some values, zeros where none arrived; None for what cannot have one."""
        return [
            self.cotangents.get(v, jnp.zeros(s.shape, s.dtype)) if v.floating and v.depends else None
            for v, s in zip(values, shapes, strict=True)
        ]


def sweep(block: Block, state: Run, back: Sweep) -> None:
    """Goes through the steps from the last to the first."""
    for step in reversed(block.steps):
        if isinstance(step, Operator):
            _sweep_operator(step, state, back)
        elif isinstance(step, Scan):
            _sweep_scan(step, state, back)
        elif isinstance(step, Choice):
            _sweep_choice(step, state, back)
        else:
            _sweep_while(step, state, back)


def note(back: Sweep, node: int | None, value: Value) -> None:
    """Writes down the norm that arrived at a node's result."""
    if back.norms is not None and node is not None and value in back.cotangents:
        back.norms[node] = {"gradient": norm(back.cotangents[value])}


def _sweep_operator(operator: Operator, state: Run, back: Sweep) -> None:
    for value, node in zip(operator.outputs, operator.nodes, strict=True):
        note(back, node, value)
    if back.revive is not None:
        _revive(operator, state, back)
    taking_back = state.kept.get(operator)
    outs = [operator.outputs[i] for i in operator.differentiable]
    if taking_back is None or not any(value in back.cotangents for value in outs):
        return
    arrays = [state.read(value) for value in outs]
    given = [back.cotangents.get(v, jnp.zeros_like(a)) for v, a in zip(outs, arrays, strict=True)]
    slopes = taking_back(given)
    for position, slope in zip(operator.movable, slopes, strict=True):
        back.add(operator.inputs[position], slope)


def _revive(operator: Operator, state: Run, back: Sweep) -> None:
    assert back.revive is not None
    for position in operator.movable:
        value = operator.inputs[position]
        if any(node is not None and back.revive(node, value) for node in operator.nodes):
            array = state.read(value)
            back.add(value, cotangent(jnp.shape(array), jnp.result_type(array), position + 1))


def _sweep_scan(step: Scan, state: Run, back: Sweep) -> None:
    """One round backward at a time; a carry that gets no gradient from outside may still get one from a later round."""
    if not any(v.depends for v in step.outputs):
        return
    constants, carries = [state.read(v) for v in step.constants], [state.read(v) for v in step.carries]
    slices = [state.read(v) for v in step.slices]
    outs = back.of(step.outputs, [v.aval for v in step.outputs])
    count, first, last = len(carries), len(constants), len(constants) + len(carries)
    inputs = step.body.inputs
    flowing = [v.floating and v.depends for v in inputs]
    after = [
        (given if given is not None else jnp.zeros(jnp.shape(c), jnp.result_type(c))) if flows else None
        for given, c, flows in zip(outs[:count], carries, flowing[first:last], strict=True)
    ]
    sums = [
        jnp.zeros(jnp.shape(c), jnp.result_type(c)) if f else None for c, f in zip(constants, flowing, strict=False)
    ]

    def body(carry: Any, now: Any) -> Any:
        after, sums, norms = carry
        before, slice_now, given = now
        inner = Run(dict(zip(inputs, [*constants, *before, *slice_now], strict=True)), keep=True)
        run(step.body, inner)
        own = back.inner()
        for value, array in zip(step.body.outputs, [*after, *given], strict=True):
            if array is not None:
                own.add(value, array)
        sweep(step.body, inner, own)
        arrived = own.of(inputs, [v.aval for v in inputs])
        sums = [s + a if s is not None else None for s, a in zip(sums, arrived, strict=False)]
        norms = (
            added(norms, {k: own.norms.get(k, empty) for k, empty in _no_norms(step.body).items()})
            if own.norms is not None
            else {}
        )
        return (arrived[first:last], sums, norms), arrived[last:]

    norms = _no_norms(step.body) if back.norms is not None else {}
    (after, sums, norms), per_slice = lax.scan(
        body,
        (after, sums, norms),
        (state.kept[step], slices, outs[count:]),
        length=step.length,
        reverse=not step.reverse,
    )
    for value, array in zip([*step.constants, *step.carries, *step.slices], [*sums, *after, *per_slice], strict=True):
        if array is not None:
            back.add(value, array)
    if back.norms is not None:
        back.norms.update(norms)


def _no_norms(*blocks: Block) -> Rows:
    zero = jnp.zeros((), norm(jnp.zeros(1)).dtype)
    return {node: {"gradient": zero} for block in blocks for node in block.node_indices()}


def _sweep_choice(step: Choice, state: Run, back: Sweep) -> None:
    for value, node in zip(step.outputs, step.nodes, strict=True):
        note(back, node, value)
    outs = back.of(step.outputs, [v.aval for v in step.outputs])
    arrays = [state.read(v) for v in step.inputs]
    flowing = [v.floating and v.depends for v in step.inputs]

    def taking(block: Block) -> Any:
        def branch(arrays: Any, outs: Any) -> Any:
            inner = Run(dict(zip(block.inputs, arrays, strict=True)), keep=True)
            run(block, inner)
            own = back.inner()
            for value, array in zip(block.outputs, outs, strict=True):
                if array is not None:
                    own.add(value, array)
            sweep(block, inner, own)
            arrived = own.of(block.inputs, [v.aval for v in block.inputs])
            norms = {**_no_norms(*step.branches), **own.norms} if own.norms is not None else {}
            return [a for a, flows in zip(arrived, flowing, strict=True) if flows], norms

        return branch

    arrived, norms = lax.switch(state.read(step.index), [taking(b) for b in step.branches], arrays, outs)
    inputs = [v for v, flows in zip(step.inputs, flowing, strict=True) if flows]
    for value, array in zip(inputs, arrived, strict=True):
        back.add(value, array)
    if back.norms is not None:
        back.norms.update(norms)


def _sweep_while(step: While, state: Run, back: Sweep) -> None:
    """JAX has no derivative of it; a reviving sweep lets everything through that goes in."""
    for value, node in zip(step.outputs, step.nodes, strict=True):
        note(back, node, value)
    if back.revive is None:
        return
    for value in [*step.carries, *step.body_constants, *step.condition_constants]:
        if value.depends and value.floating:
            array = state.read(value)
            back.add(value, cotangent(np.shape(array), jnp.result_type(array), 1))


def value_and_gradients(
    block: Block, arrays: list[Any], parameters: list[Value], state: Run, back: Sweep
) -> tuple[Any, list[Any]]:
    """The loss, and its gradient by the parameters."""
    state.arrays.update(zip(block.inputs, arrays, strict=True))
    state.keep = True
    outs = run(block, state)
    loss = block.outputs[0]
    back.add(loss, jnp.ones_like(outs[0]))
    sweep(block, state, back)
    for value in parameters:
        note(back, value.node, value)
    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in parameters]
    return outs[0], back.of(parameters, shapes)


__all__ = ["Revive", "Sweep", "empty_rows", "sweep", "value_and_gradients"]
