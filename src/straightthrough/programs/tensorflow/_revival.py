"""Which elements of the parameters would get a gradient if every dead edge passed one on."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from straightthrough.programs._description import Node
from straightthrough.programs.tensorflow import _numbers as numbers
from straightthrough.programs.tensorflow._steps import Cell, Step, Tensor, is_floating, is_plain
from straightthrough.programs.tensorflow._units import Unit, pull


def revivable(
    sequence: list[Unit | Step], nodes_of: dict[int, Any], nodes: list[Node], result: Tensor, dependent: set[int]
) -> dict[int, Tensor]:
    """What arrives at the parameters, by their keys; only where it is 0 means something.

    Args:
        sequence: the operators in the order of the run.
        nodes_of: by node, its unit and outputs.
        result: the loss.
    """
    cotangents: dict[int, Tensor] = {result._id: tf.ones_like(result)}
    reached: set[int] = {result._id}
    of_unit: dict[int, list[int]] = {}
    for index, (unit, _) in nodes_of.items():
        of_unit.setdefault(id(unit), []).append(index)
    for entry in reversed(sequence):
        if isinstance(entry, Step):
            if any(tensor._id in reached for tensor in entry.outputs):
                reached.update(tensor._id for tensor in entry.inputs)
            pull([entry], cotangents, dependent)
            continue
        alive = any(tensor._id in reached for tensor in entry.outputs)
        revived = _passed_on(entry, [nodes[i] for i in of_unit[id(entry)]], dependent) if alive else {}
        if alive:
            reached.update(tensor._id for tensor in entry.inputs)
        pull(entry.steps, cotangents, dependent)
        for key, gradient in revived.items():
            before = cotangents.get(key)
            cotangents[key] = gradient if before is None else before + gradient
    return cotangents


def _passed_on(unit: Unit, nodes: list[Node], dependent: set[int]) -> dict[int, Tensor]:
    """A random cotangent for each input whose edge is dead."""
    found = {}
    for node in nodes:
        known = [tensor for tensor in unit.inputs if tensor._id in dependent]
        for position, (tensor, edge) in enumerate(zip(known, node.edges, strict=False)):
            dead = edge.slope in ("absent", "zero") and edge.why != "blocked"
            if dead and is_plain(tensor) and is_floating(tensor):
                value = tensor.value if isinstance(tensor, Cell) else tensor
                found[tensor._id] = numbers.cotangent(value, node.index + position)
    return found
