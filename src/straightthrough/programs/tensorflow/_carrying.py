"""Hard operators that already carry a proxy: ours, and rules that a user wrote."""

from __future__ import annotations

import tensorflow as tf

from straightthrough.programs._carried import width_of, written
from straightthrough.programs._description import Carried, Node
from straightthrough.programs.tensorflow._steps import Cell, Step, Tensor, is_floating
from straightthrough.programs.tensorflow._units import Unit

_HARD = ("Round", "Rint", "Floor", "Ceil", "Sign", "FloorDiv")


def carried_by(unit: Unit, node: Node) -> Carried | None:
    """The proxy of our own operation, or ``"by hand"`` where a custom gradient stands for a hard operator."""
    if unit.where.operation is not None:
        _, proxy, x = unit.where.operation
        return _carried(written(proxy), width_of(proxy), x, node)
    step = unit.single
    passes = any(edge.slope == "passes" for edge in node.edges)
    if step is not None and step.inner and passes and any(map(_is_hard, step.inner)):
        return _carried("by hand", None, step.inputs[0], node)
    return None


def _is_hard(step: Step) -> bool:
    return step.op in _HARD or any(not is_floating(tensor) for tensor in step.outputs)


def _carried(proxy: str, width: float | None, x: Tensor, node: Node) -> Carried | None:
    x = x.value if isinstance(x, Cell) else x
    if x is None:
        return None
    wide = tf.cast(tf.convert_to_tensor(x), tf.float32)
    live = 1.0 - min((edge.dead_share for edge in node.edges), default=1.0)
    mean, std = float(tf.reduce_mean(wide)), float(tf.math.reduce_std(wide))
    return Carried(proxy, mean, std, live, width)
