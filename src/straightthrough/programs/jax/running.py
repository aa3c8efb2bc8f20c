"""A graph run forward, with what is measured on the way: what each operator's result holds, and its derivative.

Everything here is traced into one compiled program. A loop's body is measured in every round, and the rounds are
added up; a branch is measured only if it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from straightthrough.programs.jax.graph import Block, Choice, Operator, Scan, Step, Value, While, is_floating

Row = dict[str, Any]
"""What is measured of one node: names -> scalars. Those that begin with ``sum_`` add up over rounds, others peak."""

Rows = dict[int, Row]


@dataclass
class Run:
    """One run of a block.

    Attributes:
        arrays: of each value so far.
        rows: measurements, by node; None where nothing is measured.
        taps: operators whose inputs are wanted, and those inputs.
        wanted: which operators are tapped.
        keep: whether the derivatives are kept for a run backward.
        kept: of each step: an operator's derivative; a loop's carries before each round.
        peaks: the largest magnitude of each value.
    """

    arrays: dict[Value, Any] = field(default_factory=dict)
    rows: Rows | None = None
    taps: dict[int, list[Any]] = field(default_factory=dict)
    wanted: frozenset[int] = frozenset()
    keep: bool = False
    kept: dict[Any, Any] = field(default_factory=dict)
    peaks: dict[Value, Any] = field(default_factory=dict)

    def read(self, value: Value) -> Any:
        return value.constant if value.constant is not None else self.arrays[value]

    def inner(self, inputs: list[Value], arrays: Any) -> Run:
        """A run of a loop's or a branch's body."""
        rows: Rows | None = None if self.rows is None else {}
        return Run(dict(zip(inputs, arrays, strict=True)), rows, {}, self.wanted, self.keep)


def number_type() -> Any:
    """The dtype that measurements are taken in."""
    return jnp.float64 if jax.config.jax_enable_x64 else jnp.float32  # type: ignore[attr-defined]


def peak(array: Any) -> Any:
    """The largest magnitude: nan if there is a nan, inf if there is an infinity."""
    if not jnp.size(array):
        return jnp.zeros((), number_type())
    return jnp.max(jnp.abs(array)).astype(number_type())


def norm(array: Any) -> Any:
    """Euclidean norm, without underflow."""
    largest = peak(array)
    safe = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    scaled = jnp.abs(array).astype(number_type()) / safe
    return jnp.where(jnp.isfinite(largest), safe * jnp.sqrt(jnp.sum(scaled * scaled)), largest)


def cotangent(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Any:
    """Numbers that look random, are the same in every run, and are nowhere zero: magnitudes from 0.5 to 1.5."""
    index = lax.iota(jnp.uint32, int(np.prod(shape, dtype=np.int64))).reshape(shape) + jnp.uint32(seed + 1)
    mixed = (index ^ (index >> 13)) * jnp.uint32(2654435769)
    mixed = (mixed ^ (mixed >> 16)) * jnp.uint32(2246822519)
    fraction = (mixed >> 9).astype(jnp.float32) / 2**23
    return jnp.where(mixed & 1 == 1, fraction + 0.5, -fraction - 0.5).astype(dtype)


def run(block: Block, state: Run) -> list[Any]:
    """Runs the steps; returns the block's outputs."""
    for step in block.steps:
        _RUNNERS[type(step)](step, state)
    return [state.read(value) for value in block.outputs]


def bound(operator: Operator, arrays: list[Any]) -> Any:
    """An operator as a function of its movable inputs -> its differentiable outputs, all outputs beside."""
    movable, outs = operator.movable, operator.differentiable

    def function(*moved: Any) -> tuple[list[Any], list[Any]]:
        filled = list(arrays)
        for position, array in zip(movable, moved, strict=True):
            filled[position] = array
        results = operator.function(*filled)
        return [results[i] for i in outs], results

    return function


def derivative(operator: Operator, arrays: list[Any]) -> tuple[list[Any], Any]:
    """All outputs, and the function that takes cotangents of the differentiable ones back; None where there is none."""
    movable = operator.movable
    if not movable or not operator.differentiable or operator.stops:
        return operator.function(*arrays), None
    moved = [jnp.asarray(arrays[i]) for i in movable]
    try:
        _, back, results = jax.vjp(bound(operator, arrays), *moved, has_aux=True)
    except Exception:  # JAX has no derivative of it, and says so in many ways
        return operator.function(*arrays), None
    return results, back


def _run_operator(operator: Operator, state: Run) -> None:
    arrays = [state.read(value) for value in operator.inputs]
    if id(operator) in state.wanted:
        state.taps[id(operator)] = [jnp.asarray(array) for array in arrays]
    if any(node is not None for node in operator.nodes) and (state.keep or state.rows is not None):
        results, back = derivative(operator, arrays)
        if state.keep:
            state.kept[operator] = back
    else:
        results, back = operator.function(*arrays), None
    state.arrays.update(zip(operator.outputs, results, strict=True))
    if state.rows is not None:
        _measure(operator, state, arrays, results, back)


def _measure(operator: Operator, state: Run, arrays: list[Any], results: list[Any], back: Any) -> None:
    assert state.rows is not None
    if all(node is None for node in operator.nodes):
        return
    before = peak_before(state, operator.inputs)
    differentiable = operator.differentiable
    for position, node in enumerate(operator.nodes):
        if node is None:
            continue
        row = state.rows[node] = result_row(state, operator.outputs[position], results[position], before)
        if position in differentiable and back is not None and not operator.linear:
            _measure_edges(operator, row, results, back, position)
        if operator.carries is not None and operator.movable:
            _measure_input(row, arrays[operator.movable[0]])
        if operator.inner is not None and position in differentiable:
            _measure_inner(operator, row, arrays, position)


def peak_before(state: Run, inputs: list[Value]) -> Any:
    """The largest magnitude among an operator's inputs."""
    peaks = []
    for value in inputs:
        if not is_floating(value.aval):
            continue
        if value not in state.peaks:
            state.peaks[value] = peak(state.read(value))
        peaks.append(state.peaks[value])
    return jnp.max(jnp.stack(peaks)) if peaks else jnp.zeros((), number_type())


def result_row(state: Run, value: Value, array: Any, before: Any) -> Row:
    """How large a result is, and whether a nan (2) or an infinity (1) was born in it."""
    one = jnp.ones((), number_type())
    if not value.floating:
        return {"sum_ran": one, "peak": 0 * one, "born": 0 * one}
    largest = state.peaks[value] = peak(array)
    born = jnp.where(
        jnp.isnan(largest) & ~jnp.isnan(before), 2, jnp.where(jnp.isinf(largest) & jnp.isfinite(before), 1, 0)
    )
    finite = jnp.where(jnp.isfinite(largest), 0, 1)
    return {"sum_ran": one, "peak": finite.astype(one.dtype), "born": born.astype(one.dtype)}


def _taken_back(operator: Operator, results: list[Any], back: Any, position: int) -> list[Any]:
    given = []
    for i in operator.differentiable:
        array = results[i]
        given.append(cotangent(array.shape, array.dtype) if i == position else jnp.zeros_like(array))
    return list(back(given))


def _measure_edges(operator: Operator, row: Row, results: list[Any], back: Any, position: int) -> None:
    for i, slope in zip(operator.movable, _taken_back(operator, results, back, position), strict=True):
        row[f"top_{i}"] = peak(slope)
        dead = (slope == 0) | ~jnp.isfinite(slope)
        row[f"sum_dead_{i}"] = jnp.mean(dead, dtype=number_type()) if slope.size else jnp.ones((), number_type())


def _measure_input(row: Row, x: Any) -> None:
    x = x.astype(number_type())
    row["sum_mean"], row["sum_std"] = jnp.mean(x), jnp.std(x)


def _measure_inner(operator: Operator, row: Row, arrays: list[Any], position: int) -> None:
    """Whether the plain derivative of a function with a custom rule is zero: then the rule is a surrogate."""
    plain = Operator(operator.inner or operator.function, operator.inputs, operator.outputs, operator.nodes)
    results, back = derivative(plain, arrays)
    largest = jnp.zeros((), number_type())
    if back is not None:
        largest = jnp.max(jnp.stack([peak(s) for s in _taken_back(plain, results, back, position)]))
    row["inner"] = largest
    if operator.movable:
        _measure_input(row, arrays[operator.movable[0]])


def empty_rows(rows: Any) -> Any:
    """Zeros in the shape of some rows, for a body that has not run."""
    return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), rows)


def added(rows: Rows, more: Rows) -> Rows:
    """The measurements of two rounds together."""
    return {
        node: {name: _together(name, rows[node][name], number) for name, number in row.items()}
        for node, row in more.items()
    }


def _together(name: str, one: Any, other: Any) -> Any:
    if name.startswith("sum_"):
        return one + other
    if name == "gradient":
        return jnp.hypot(one, other)
    return jnp.maximum(one, other)


def _run_scan(step: Scan, state: Run) -> None:
    constants = [state.read(v) for v in step.constants]
    carries = [jnp.asarray(state.read(v)) for v in step.carries]
    slices = [state.read(v) for v in step.slices]
    count = len(carries)

    def body(carry: Any, now: Any) -> Any:
        inner = state.inner(step.body.inputs, [*constants, *carry[0], *now])
        outs = run(step.body, inner)
        rows = added(carry[1], inner.rows) if inner.rows else {}
        return (outs[:count], rows), (outs[count:], carry[0] if state.keep else [], inner.taps)

    rows: Any = {}
    if state.rows is not None:
        slice_shapes = [jax.ShapeDtypeStruct(s.shape[1:], s.dtype) for s in slices]
        rows = empty_rows(_rows_of(step.body, state, [*constants, *carries, *slice_shapes]))
    (carries, rows), (stacked, before, taps) = lax.scan(
        body, (carries, rows), slices, length=step.length, reverse=step.reverse
    )
    state.arrays.update(zip(step.outputs, [*carries, *stacked], strict=True))
    state.kept[step] = before
    state.taps.update(taps)
    if state.rows is not None:
        state.rows.update(rows)


def _rows_of(block: Block, state: Run, inputs: list[Any]) -> Any:
    """The shapes of what is measured in a block."""

    def measured(*arrays: Any) -> Any:
        inner = state.inner(block.inputs, arrays)
        run(block, inner)
        return inner.rows

    return jax.eval_shape(measured, *inputs)


def _taps_of(block: Block, state: Run, inputs: list[Any]) -> Any:
    def tapped(*arrays: Any) -> Any:
        inner = state.inner(block.inputs, arrays)
        run(block, inner)
        return inner.taps

    return jax.eval_shape(tapped, *inputs)


def _run_while(step: While, state: Run) -> None:
    """The body is measured round by round; the derivative of the loop itself does not exist in JAX."""
    ends = [state.read(v) for v in step.condition_constants]
    constants = [state.read(v) for v in step.body_constants]
    carries = [jnp.asarray(state.read(v)) for v in step.carries]

    def goes_on(carry: Any) -> Any:
        return run(step.condition, Run(dict(zip(step.condition.inputs, [*ends, *carry[0]], strict=True))))[0]

    def body(carry: Any) -> Any:
        asked, inner = (
            state.inner(step.condition.inputs, [*ends, *carry[0]]),
            state.inner(step.body.inputs, [*constants, *carry[0]]),
        )
        asked.keep = inner.keep = False
        run(step.condition, asked)
        outs = run(step.body, inner)
        rows = added(carry[1], {**(asked.rows or {}), **(inner.rows or {})})
        return outs, rows, {**asked.taps, **inner.taps}

    rows: Any = {}
    if state.rows is not None:
        rows = {
            **_rows_of(step.condition, state, [*ends, *carries]),
            **_rows_of(step.body, state, [*constants, *carries]),
        }
    taps = {**_taps_of(step.condition, state, [*ends, *carries]), **_taps_of(step.body, state, [*constants, *carries])}
    results, rows, taps = lax.while_loop(goes_on, body, (carries, empty_rows(rows), empty_rows(taps)))
    state.arrays.update(zip(step.outputs, results, strict=True))
    state.taps.update(taps)
    if state.rows is not None:
        state.rows.update(rows)
        _measure_join(step, state)


def _run_choice(step: Choice, state: Run) -> None:
    arrays = [state.read(v) for v in step.inputs]
    shapes = [
        (_rows_of(b, state, arrays) if state.rows is not None else {}, _taps_of(b, state, arrays))
        for b in step.branches
    ]

    def taking(i: int) -> Any:
        def branch(*given: Any) -> Any:
            inner = state.inner(step.branches[i].inputs, given)
            inner.keep = False
            outs = run(step.branches[i], inner)
            rows, taps = dict(inner.rows or {}), dict(inner.taps)
            for other, (more_rows, more_taps) in enumerate(shapes):
                if other != i:
                    rows.update(empty_rows(more_rows))
                    taps.update(empty_rows(more_taps))
            return outs, rows, taps

        return branch

    index = state.read(step.index)
    outs, rows, taps = lax.switch(index, [taking(i) for i in range(len(step.branches))], *arrays)
    state.arrays.update(zip(step.outputs, outs, strict=True))
    state.taps.update(taps)
    if state.rows is not None:
        state.rows.update(rows)
        _measure_join(step, state)


def _measure_join(step: Choice | While, state: Run) -> None:
    assert state.rows is not None
    for value, node in zip(step.outputs, step.nodes, strict=True):
        if node is not None:
            state.rows[node] = result_row(state, value, state.read(value), jnp.inf)


_RUNNERS: dict[type[Step], Any] = {
    Operator: _run_operator,
    Scan: _run_scan,
    While: _run_while,
    Choice: _run_choice,
}
