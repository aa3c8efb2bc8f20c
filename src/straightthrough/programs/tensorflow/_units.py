"""Steps joined to operators as a user knows them, and the derivative of one such operator."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from straightthrough.programs._names import canonical
from straightthrough.programs.tensorflow._steps import (
    Cell,
    Step,
    Tensor,
    Where,
    backward,
    is_floating,
    is_plain,
    same,
)

_ALIASES = ("Identity", "IdentityN", "EnsureShape", "CheckNumerics")
_GENERIC = re.compile(
    r"binary_op_wrapper|slice_helper|(add|sub|mul|real_?div|true_?div|floor_?div)_?(python3|dispatch)?$"
)
_SUFFIX = re.compile(r"(_v\d+|_impl|_internal|_helper|_with_dispatch|_python3|_dispatch)$")


@dataclass(eq=False)
class Unit:
    """One operator: the steps that one call of the framework's made, or one step.

    Attributes:
        inputs: the tensors from outside that depend on a parameter, each once.
        outputs: the tensors that are used outside.
    """

    steps: list[Step]
    where: Where
    made: set[int] = field(default_factory=set)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)

    @property
    def native(self) -> str:
        """The framework's own name."""
        ops = [step.op for step in self.steps if step.op not in _ALIASES]
        if self.where.operation is not None:
            return str(self.where.operation[0].name)
        if len(ops) == 1 or not self.where.name or _GENERIC.search(self.where.name):
            return ops[-1] if ops else self.steps[-1].op
        return self.where.name

    @property
    def operator(self) -> str:
        """Our name."""
        if self.leaves:
            return self.steps[-1].op
        name = self.native
        if name == self.where.name:
            name = _SUFFIX.sub("", name.strip("_"))
        name = canonical(name)
        if name.startswith("stateless"):
            name = canonical(name.removeprefix("stateless").strip("_"))
        return canonical(name.removeprefix("reduce_")) if name.startswith("reduce_") else name

    @property
    def single(self) -> Step | None:
        return self.steps[0] if len(self.steps) == 1 else None

    @property
    def stop(self) -> bool:
        return any(step.op in ("StopGradient", "PreventGradient") for step in self.steps) and len(self.steps) == 1

    @property
    def leaves(self) -> bool:
        return self.steps[-1].leaves


def joined(steps: Sequence[Step], dependent: set[int], result: Tensor | None) -> list[Unit | Step]:
    """Operators and, between them, the copies that are only other names of an array; in the order of the run."""
    found: list[Unit | Step] = []
    unit: Unit | None = None
    for step in steps:
        if _is_copy(step) and (unit is None or step.inputs[0]._id not in unit.made):
            found.insert(len(found) - (unit is not None), step)
            continue
        if unit is None or step.leaves or unit.leaves or step.where.call != unit.where.call:
            unit = Unit([], step.where)
            found.append(unit)
        unit.steps.append(step)
        unit.made.update(tensor._id for tensor in step.outputs)
    _connect(found, dependent, result)
    return found


def _is_copy(step: Step) -> bool:
    return step.op in _ALIASES and len(step.inputs) == 1 and step.rule in (None, same)


def _connect(sequence: Sequence[Unit | Step], dependent: set[int], result: Tensor | None) -> None:
    used = set() if result is None else {result._id}
    for entry in reversed(sequence):
        if isinstance(entry, Step):
            used.update(tensor._id for tensor in entry.inputs)
            continue
        outputs = {tensor._id: tensor for step in entry.steps for tensor in step.outputs}
        entry.outputs = [tensor for key, tensor in outputs.items() if key in used] or entry.steps[-1].outputs
        inputs = {tensor._id: tensor for step in entry.steps for tensor in step.inputs}
        entry.inputs = [t for key, t in inputs.items() if key in dependent and key not in entry.made]
        used.update(inputs)


def pull(steps: Sequence[Step], cotangents: dict[int, Tensor], wanted: set[int]) -> None:
    """Carries cotangents from the outputs of steps to their inputs; those of a step's outputs are let go."""
    for step in reversed(steps):
        given = [cotangents.pop(tensor._id, None) for tensor in step.outputs]
        if not any(c is not None for c in given):
            continue
        positions = [position for position, tensor in enumerate(step.inputs) if tensor._id in wanted]
        for position, gradient in enumerate(backward(step, given, positions)):
            if gradient is not None:
                tensor = step.inputs[position]
                if is_floating(tensor) or not is_plain(tensor):
                    before = cotangents.get(tensor._id)
                    cotangents[tensor._id] = gradient if before is None else before + gradient


def derivative(
    unit: Iterable[Step], inputs: Sequence[Tensor], outputs: Sequence[Tensor], given: Sequence[Tensor], inner: set[int]
) -> list[Tensor | None]:
    """The cotangents of a unit's inputs from those of its outputs."""
    cotangents = {tensor._id: c for tensor, c in zip(outputs, given, strict=True)}
    pull(list(unit), cotangents, inner | {tensor._id for tensor in inputs})
    return [cotangents.get(tensor._id) for tensor in inputs]


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    value = tensor.value if isinstance(tensor, Cell) else tensor
    return () if value is None else tuple(value.shape.as_list())


def dtype_of(tensor: Tensor) -> str:
    value = tensor.value if isinstance(tensor, Cell) else tensor
    return "float32" if value is None else str(value.dtype.name)
