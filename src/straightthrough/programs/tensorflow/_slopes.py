"""How each input of an operator passes a cotangent on, and, where nothing passes, why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf

from straightthrough.programs._description import Edge, Why
from straightthrough.programs.tensorflow import _numbers as numbers
from straightthrough.programs.tensorflow._steps import Cell, Tensor, is_floating, is_plain, replayed
from straightthrough.programs.tensorflow._units import Unit, derivative

GOOD_SHARE = 0.02
"""So many elements must come alive for a kink or a flank to be the reason."""

NEARLY_ALL = 0.98
LARGE = 1 << 22
"""Above this many elements fewer draws are made."""

_SMOOTH = frozenset(
    (
        "MatMul",
        "BatchMatMul",
        "BatchMatMulV2",
        "BatchMatMulV3",
        "Einsum",
        "Conv2D",
        "Conv3D",
        "DepthwiseConv2dNative",
        "Conv2DBackpropInput",
        "Add",
        "AddV2",
        "AddN",
        "Sub",
        "Mul",
        "BiasAdd",
        "Neg",
        "Square",
        "Reshape",
        "Transpose",
        "ExpandDims",
        "Squeeze",
        "Pack",
        "Unpack",
        "ConcatV2",
        "Split",
        "SplitV",
        "Sum",
        "Mean",
        "Tile",
        "BroadcastTo",
        "StridedSlice",
        "Slice",
        "GatherV2",
        "GatherNd",
        "Exp",
        "Tanh",
        "Sigmoid",
        "Softplus",
        "Erf",
        "Sin",
        "Cos",
        "Identity",
        "Pad",
        "PadV2",
        "MirrorPad",
        "Cumsum",
        "Softmax",
        "LogSoftmax",
        "SoftmaxCrossEntropyWithLogits",
        "SparseSoftmaxCrossEntropyWithLogits",
        "FusedBatchNormV3",
        "FusedBatchNorm",
        "AvgPool",
        "SquaredDifference",
        "Softsign",
        "ReverseV2",
        "Roll",
        "TensorListStack",
        "Gelu",
        "Cast",
        "ScatterNd",
        "UnsortedSegmentSum",
        "SegmentSum",
        "MatrixDiagV3",
        "MatrixDiagPartV3",
        "L2Loss",
    )
)
"""Their derivative has no jumps: one ulp away it is the same, and they are not asked."""


def edges_of(unit: Unit, outputs: list[Tensor], seed: int, sources: dict[int, int]) -> tuple[list[Edge], bool]:
    """One edge for each input that depends on a parameter; and whether the operator is element-wise where it matters.

    Args:
        outputs: those of the unit's outputs that make up the node.
        sources: from a tensor to its node.
    """
    inputs = [tensor for tensor in unit.inputs if tensor._id in sources]
    if not all(map(is_plain, [*inputs, *outputs])):
        return [Edge(sources[tensor._id]) for tensor in inputs], False
    again = Again(unit, outputs, seed)
    slopes = again.slopes(inputs) if any(map(is_floating, outputs)) else [None] * len(inputs)
    edges, elementwise = [], False
    for tensor, slope in zip(inputs, slopes, strict=True):
        edge = Edge(sources[tensor._id])
        edges.append(edge)
        elementwise |= Judge(again, tensor, slope).fill(edge)
    return edges, elementwise


class Again:
    """One operator that can be evaluated at other values of its inputs."""

    def __init__(self, unit: Unit, outputs: list[Tensor], seed: int):
        self.unit = unit
        self.outputs = outputs
        self._given = [numbers.cotangent(t, seed + i) if is_floating(t) else None for i, t in enumerate(outputs)]

    def slopes(self, inputs: list[Tensor]) -> list[Tensor | None]:
        """What arrives at these inputs of a random cotangent at the outputs."""
        return derivative(self.unit.steps, inputs, self.outputs, self._given, self.unit.made)

    def at(
        self, values: dict[int, Tensor], subject: Tensor, *, slope: bool = True
    ) -> tuple[list[Tensor], Tensor | None]:
        """The outputs at other values, and the slope there of one input; None where it fails."""
        known = dict(values)
        try:
            steps = replayed(self.unit.steps, known)
            outputs = [known.get(tensor._id, tensor) for tensor in self.outputs]
            if not slope:
                return outputs, None
            moved = known.get(subject._id, subject)
            made = {tensor._id for step in steps for tensor in step.outputs}
            given = self._cotangents(outputs)
            return outputs, derivative(steps, [moved], outputs, given, made)[0]
        except tf.errors.OpError:
            return self.outputs, None

    def _cotangents(self, outputs: list[Tensor]) -> list[Tensor]:
        pairs = zip(self._given, outputs, strict=True)
        return [numbers.cotangent(o) if given is not None and given.shape != o.shape else given for given, o in pairs]

    @property
    def smooth(self) -> bool:
        return all(step.op in _SMOOTH and step.rule is None for step in self.unit.steps)

    @property
    def repeatable(self) -> bool:
        return not any(step.op in ("Assign", "PyFunc", "EagerPyFunc") or step.leaves for step in self.unit.steps)


@dataclass
class Judge:
    """Says how one input passes a cotangent on."""

    again: Again
    subject: Tensor
    slope: Tensor | None

    def fill(self, edge: Edge) -> bool:
        """Fills the edge in; returns whether the operator was found to be element-wise."""
        if not is_floating(self.subject) or self.slope is None:
            self._fill_absent(edge)
            return False
        bad = numbers.non_finite_share(self.slope)
        if bad > 0:
            edge.slope, edge.dead_share = "non_finite", bad
            return False
        edge.dead_share = numbers.dead_share(self.slope)
        if self.slope.shape.num_elements() and edge.dead_share == 1.0:
            edge.slope, edge.why = "zero", self.why(None)
            return self._elementwise()
        if edge.dead_share >= NEARLY_ALL and not self.again.smooth and self._elementwise():
            edge.why = self.why(self.slope == 0)
            return True
        if not self.again.smooth:
            edge.tie_share = self._tie_share()
        return False

    def _fill_absent(self, edge: Edge) -> None:
        """No derivative: an integer, a stop; or a step whose derivative the framework leaves out because it is 0."""
        edge.slope, edge.dead_share = "absent", 1.0
        unit = self.again.unit
        hidden = is_floating(self.subject) and any(map(is_floating, self.again.outputs)) and not unit.stop
        if not hidden or not self.again.repeatable or isinstance(self.subject, Cell):
            return
        if not self._depends():
            edge.slope, edge.why = "zero", "blocked"
        elif self._piecewise_constant():
            edge.slope, edge.why = "zero", "flat"

    # --- inputs near by ---------------------------------------------------------------------------------------------

    def _near(self) -> Iterator[Tensor]:
        """Inputs near by, and then further away."""
        x = self.subject
        step = numbers.spread(x)
        yield x + step * numbers.normal(x, 1)
        yield x * numbers.uniform(x, 2)
        if x.shape.num_elements() > LARGE:
            return
        yield x + 0.01 * step * numbers.normal(x, 3)
        yield x * 0.01 * numbers.uniform(x, 4)
        yield x * 10 ** (3 * numbers.uniform(x, 5))
        yield numbers.normal(x, 6)
        yield 1000 * numbers.normal(x, 7)

    def _at(self, value: Tensor, *, slope: bool = True) -> tuple[list[Tensor], Tensor | None]:
        return self.again.at({self.subject._id: value}, self.subject, slope=slope)

    def _moves(self, outputs: list[Tensor]) -> bool:
        return not all(map(numbers.same_values, outputs, self.again.outputs))

    # --- questions --------------------------------------------------------------------------------------------------

    def why(self, dead: Tensor | None) -> Why:
        """Why the derivative is 0, for every element or for the dead ones."""
        if not self.again.repeatable:
            return "flat"
        if _share(self._at(numbers.one_ulp(self.subject))[1], dead) > GOOD_SHARE:
            return "tie"
        changes = False
        for value in self._near():
            outputs, slope = self._at(value)
            if _share(slope, dead) > 0:
                return "saturated"
            changes = changes or self._moves(outputs)
        if self._alive_with_others(dead):
            return "blocked"
        return "flat" if changes else "blocked"

    def _alive_with_others(self, dead: Tensor | None) -> bool:
        steps = self.again.unit.steps
        others = {t._id: t for step in steps for t in step.inputs if is_floating(t) and not isinstance(t, Cell)}
        others = {k: t for k, t in others.items() if k != self.subject._id and k not in self.again.unit.made}
        if not others:
            return False
        for size in (0.01, 1.0):
            moved = {k: t + tf.cast(size, t.dtype) * (1 + tf.abs(t)) * numbers.normal(t, 8) for k, t in others.items()}
            if _share(self.again.at(moved, self.subject)[1], dead) > 0:
                return True
        return False

    def _depends(self) -> bool:
        return any(self._moves(self._at(value, slope=False)[0]) for value in self._near())

    def _piecewise_constant(self) -> bool:
        """Whether the result stays the same a small step away."""
        x = self.subject
        small = tf.cast(1e-3, x.dtype) * numbers.spread(x) * numbers.normal(x, 9)
        outputs, _ = self._at(x + small, slope=False)
        pairs = [(a, b) for a, b in zip(outputs, self.again.outputs, strict=True) if a.shape == b.shape]
        same = [float(tf.reduce_mean(tf.cast(tf.equal(a, b), tf.float32))) for a, b in pairs if a.shape.num_elements()]
        return bool(same) and min(same) > 0.8

    def _tie_share(self) -> float:
        """The share of elements whose derivative is another one ulp away."""
        if not self.again.repeatable or isinstance(self.subject, Cell):
            return 0.0
        _, moved = self._at(numbers.one_ulp(self.subject))
        if moved is None or self.slope is None or moved.shape != self.slope.shape or not moved.shape.num_elements():
            return 0.0
        size = tf.maximum(tf.abs(moved), tf.abs(self.slope))
        other = tf.abs(moved - self.slope) > tf.cast(0.01, size.dtype) * size
        return float(tf.reduce_mean(tf.cast(other, tf.float32)))

    def _elementwise(self) -> bool:
        x = self.subject
        if isinstance(x, Cell) or not self.again.repeatable or x.shape.num_elements() < 2:
            return False
        if len(self.again.outputs) != 1 or self.again.outputs[0].shape != x.shape:
            return False
        half = tf.reshape(tf.range(x.shape.num_elements()) % 2 == 0, tf.shape(x))
        (moved,), _ = self._at(tf.where(half, x + numbers.spread(x) * numbers.normal(x, 10), x), slope=False)
        rest = tf.math.logical_not(half)
        old = self.again.outputs[0]
        return moved.shape == x.shape and numbers.same_values(tf.boolean_mask(moved, rest), tf.boolean_mask(old, rest))


def _share(slope: Tensor | None, among: Tensor | None) -> float:
    """The share of elements with a finite derivative that is not 0, among those that had none."""
    if slope is None or not slope.shape.num_elements():
        return 0.0
    alive = tf.not_equal(slope, 0)
    if among is not None and among.shape == alive.shape:
        alive = tf.boolean_mask(alive, among)
    return float(tf.reduce_mean(tf.cast(alive, tf.float32))) if alive.shape.num_elements() else 0.0
