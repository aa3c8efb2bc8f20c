"""A recorded run: what was executed, on which tensors, and how to execute it again or differentiate it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import backprop, context, execute

from straightthrough.programs._description import Place

Tensor = Any

_FIXED = ("StatefulPartitionedCall", "PartitionedCall", "EagerPyFunc", "PyFunc", "Random", "Multinomial", "Stateful")
"""Beginnings of what is not executed a second time: a draw would be another one, a side effect would happen again."""


class Cell:
    """What a variable holds between two assignments: stands where a tensor stands, known by a number of its own."""

    _count = 0

    def __init__(self, handle: Tensor, value: Tensor = None):
        Cell._count -= 1
        self._id = Cell._count
        self.handle = handle
        self.value = value


@dataclass(frozen=True)
class Where:
    """The place of a step, and the call of the framework's that it belongs to.

    Attributes:
        place, inside: as in `Node`.
        call: a number for the one call of a framework's function that the user's line made.
        name: that function's name.
        operation: our own operation whose call it is, its proxy and its input.
    """

    place: Place | None = None
    inside: Place | None = None
    call: int = -1
    name: str = ""
    operation: tuple[Any, Any, Any] | None = None


@dataclass(eq=False)
class Step:
    """One executed operator, or a region with a derivative rule of its own.

    Attributes:
        op: the framework's name.
        inputs, outputs: the tensors; a `Cell` for what a variable holds.
        attrs: what the operator was executed with.
        rule: from the cotangents of the outputs to those of the inputs, where that is not the registered one.
        again: executes a region once more: from other inputs to (outputs, rule).
        inner: the steps of a region.
        on_data: it reads an array that is not made of parameters alone.
        leaves: its result is a Python number or a numpy array.
    """

    op: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    attrs: tuple[Any, ...] = ()
    rule: Callable[..., Any] | None = None
    again: Callable[[list[Tensor]], tuple[list[Tensor], Callable[..., Any]]] | None = None
    inner: list[Step] = field(default_factory=list)
    where: Where = field(default_factory=Where)
    on_data: bool = False
    leaves: bool = False


def same(*cotangents: Tensor) -> tuple[Tensor, ...]:
    """The rule of a copy."""
    return cotangents


def is_floating(tensor: Tensor) -> bool:
    if isinstance(tensor, Cell):
        return tensor.value is None or is_floating(tensor.value)
    return bool(tensor.dtype.is_floating or tensor.dtype.is_complex)


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor holds numbers: lists of tensors are handed about as variants."""
    return isinstance(tensor, Cell) or tensor.dtype not in (tf.variant, tf.resource, tf.string)


def dense(gradient: Any) -> Tensor | None:
    """A gradient as one array: look-ups give the rows that were touched."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.convert_to_tensor(gradient)
    return gradient


def backward(step: Step, cotangents: Sequence[Tensor | None], wanted: Iterable[int]) -> list[Tensor | None]:
    """The cotangents of a step's inputs, None where the framework gives no derivative.

    Args:
        cotangents: one for each output; None for nothing.
        wanted: the positions of the inputs that are asked for.
    """
    nothing: list[Tensor | None] = [None] * len(step.inputs)
    given = [
        c is not None and (is_floating(o) or not is_plain(o)) for c, o in zip(cotangents, step.outputs, strict=True)
    ]
    if not any(given):
        return nothing
    full = [_or_zeros(c if ok else None, o) for ok, c, o in zip(given, cotangents, step.outputs, strict=True)]
    wanted = set(wanted)
    try:
        if step.rule is not None:
            found = step.rule(*full)
        else:
            skipped = tuple(position for position in range(len(step.inputs)) if position not in wanted)
            found = backprop._gradient_function(
                step.op, step.attrs, len(step.inputs), step.inputs, step.outputs, full, skipped, ""
            )
    except LookupError:  # no derivative is registered
        return nothing
    if not isinstance(found, list | tuple):
        found = [found]
    return [dense(g) if position in wanted else None for position, g in enumerate(found)] or nothing


def _or_zeros(cotangent: Tensor | None, output: Tensor) -> Tensor | None:
    if cotangent is not None or not is_plain(output):
        return cotangent
    return tf.zeros_like(output.value if isinstance(output, Cell) else output)


def replayed(steps: Sequence[Step], values: dict[int, Tensor]) -> list[Step]:
    """The steps executed again with other values of some tensors; ``values`` is filled on the way."""
    return [_again(step, values) for step in steps]


def _again(step: Step, values: dict[int, Tensor]) -> Step:
    if not any(tensor._id in values for tensor in step.inputs) or step.leaves or step.op.startswith(_FIXED):
        return step
    if step.op == "Assign":
        if len(step.inputs) == 1:
            values[step.outputs[0]._id] = values[step.inputs[0]._id]
        return step
    if step.rule is same:
        outputs, rule = [_value(t, values) for t in step.inputs], step.rule
        inputs = outputs
    else:
        inputs = [_value(tensor, values) for tensor in step.inputs]
        if step.again is not None:
            outputs, rule = step.again(inputs)
        else:
            made = execute.quick_execute(step.op, len(step.outputs), inputs, step.attrs, context.context())
            outputs, rule = list(made), None
    for old, new in zip(step.outputs, outputs, strict=True):
        values[old._id] = new
    return Step(step.op, inputs, outputs, step.attrs, rule, step.again)


def _value(tensor: Tensor, values: dict[int, Tensor]) -> Tensor:
    found = values.get(tensor._id, tensor)
    return found.value if isinstance(found, Cell) else found
