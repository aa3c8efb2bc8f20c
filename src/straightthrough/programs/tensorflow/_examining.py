"""One examination: the run, the way back through it, the measurements, the parameters."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

from straightthrough._errors import ArgumentError, ShapeError, kind_of, wrong
from straightthrough.programs._description import Edge, Examination, Node, Parameter
from straightthrough.programs.tensorflow import _numbers as numbers
from straightthrough.programs.tensorflow._carrying import carried_by
from straightthrough.programs.tensorflow._parameters import Owned, owned, replaced
from straightthrough.programs.tensorflow._recording import Recorder
from straightthrough.programs.tensorflow._revival import revivable
from straightthrough.programs.tensorflow._slopes import edges_of
from straightthrough.programs.tensorflow._steps import Cell, Step, Tensor, is_floating, is_plain, replayed
from straightthrough.programs.tensorflow._units import Unit, dtype_of, joined, pull, shape_of

_FAR = (1.0, 3.0, 10.0, 30.0)
"""In units of a parameter's own size: how far it is moved to see whether the loss responds."""


def run_the_users(loss: Any, params: Any, batch: tuple[Any, ...]) -> Any:
    """The call of the user's function: lines above this frame are not theirs."""
    return loss(params, *batch)


class Examiner:
    """Examines one program; see `examine`."""

    def __init__(self, loss: Any, params: Any, batch: tuple[Any, ...]):
        self._program = (loss, params, batch)
        self._owned = owned(params)
        self._nodes: list[Node] = []
        self._node_of: dict[int, int] = {}
        self._arrived: dict[int, Tensor] = {}
        self._entries: list[tuple[Unit, list[Tensor], int]] = []

    # --- the run ----------------------------------------------------------------------------------------------------

    def examination(self) -> Examination:
        self._keys = [Cell(o.leaf.handle) if o.is_variable else o.leaf for o in self._owned]
        recorder = self._recorder(keep=True)
        with recorder:
            result = run_the_users(*self._program)
            value, made = self._checked(result, recorder)
        self._result = made
        self._sequence = joined(recorder.steps, recorder.dependent, made)
        self._dependent = recorder.dependent
        self._make_nodes()
        self._measure()
        parameters = self._parameters()
        loss = None if made is None else self._node_of.get(made._id)
        modes = recorder.modes
        mode = "training" if True in modes else "inference" if modes else ""
        return Examination("tensorflow", self._nodes, loss, value, parameters, mode, self._responds)

    def _recorder(self, *, keep: bool) -> Recorder:
        tensors = [key for key in self._keys if not isinstance(key, Cell)]
        cells = [key for key in self._keys if isinstance(key, Cell)]
        batch = [t for t in tf.nest.flatten(list(self._program[2])) if isinstance(t, ops.EagerTensor)]
        return Recorder(tensors, cells, batch, run_the_users.__code__, keep=keep)

    def _checked(self, result: Any, recorder: Recorder) -> tuple[float, Tensor | None]:
        """The loss as a number, and as a tensor if it depends on a parameter."""
        if isinstance(result, float):
            return float(result), None
        if not isinstance(result, ops.EagerTensor):
            if not hasattr(result, "dtype"):
                raise ArgumentError(wrong("doctor", "loss", "a function that returns a scalar", kind_of(result)))
            result = tf.convert_to_tensor(result)
        if result.shape.rank != 0:
            got = f"one of shape {tuple(result.shape)}"
            raise ShapeError(wrong("doctor", "loss", "a function that returns a scalar", got, "reduce it to its mean"))
        if not result.dtype.is_floating:
            wanted = "a function that returns a floating scalar"
            raise ArgumentError(wrong("doctor", "loss", wanted, f"one of {result.dtype.name}"))
        return float(result), result if result._id in recorder.dependent else None

    # --- nodes ------------------------------------------------------------------------------------------------------

    def _make_nodes(self) -> None:
        used = {tensor._id for entry in self._sequence for tensor in _inputs(entry)}
        used |= set() if self._result is None else {self._result._id}
        for key in self._keys:
            if key._id in used:
                self._node_of[key._id] = len(self._nodes)
                shape, dtype = shape_of(key), dtype_of(key)
                self._nodes.append(Node(len(self._nodes), "parameter", shape=shape, dtype=dtype))
        for entry in self._sequence:
            if isinstance(entry, Unit):
                self._add_nodes(entry)
            elif entry.inputs[0]._id in self._node_of:
                self._node_of[entry.outputs[0]._id] = self._node_of[entry.inputs[0]._id]

    def _add_nodes(self, unit: Unit) -> None:
        """One node for the floats of an operator's results and one for its integers: only these end the gradient."""
        floats = [t for t in unit.outputs if is_floating(t) or not is_plain(t)]
        others = [t for t in unit.outputs if not (is_floating(t) or not is_plain(t))]
        for outputs in [part for part in (floats, others) if part] or [[]]:
            index = len(self._nodes)
            first = outputs[0] if outputs else unit.inputs[0]
            node = Node(index, unit.operator, unit.native, unit.where.place, unit.where.inside)
            node.shape, node.dtype = shape_of(first), dtype_of(first)
            node.stop, node.leaves = unit.stop, unit.leaves
            self._nodes.append(node)
            self._entries.append((unit, outputs, index))
        for _, outputs, index in self._entries[-2:]:
            for tensor in outputs:
                self._node_of.setdefault(tensor._id, index)

    # --- measurements -----------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        """From the loss to the parameters: the loss gradient at each operator, and its derivative on its own."""
        cotangents: dict[int, Tensor] = {}
        if self._result is not None:
            cotangents[self._result._id] = tf.ones_like(self._result)
        entries: dict[int, list[tuple[list[Tensor], int]]] = {}
        for unit, outputs, index in self._entries:
            entries.setdefault(id(unit), []).append((outputs, index))
        for entry in reversed(self._sequence):
            if isinstance(entry, Unit):
                for outputs, index in entries[id(entry)]:
                    self._measure_node(self._nodes[index], entry, outputs, cotangents)
                pull(entry.steps, cotangents, self._dependent)
            else:
                pull([entry], cotangents, self._dependent)
        for key in self._keys:
            if key._id in self._node_of:
                gradient = cotangents.get(key._id)
                self._nodes[self._node_of[key._id]].gradient = None if gradient is None else numbers.norm(gradient)
        self._arrived = {key._id: cotangents[key._id] for key in self._keys if key._id in cotangents}
        for _, _, index in self._entries:
            node = self._nodes[index]
            node.on_data |= any(self._nodes[edge.source].on_data for edge in node.edges)

    def _measure_node(self, node: Node, unit: Unit, outputs: list[Tensor], cotangents: dict[int, Tensor]) -> None:
        arrived = [cotangents[t._id] for t in outputs if t._id in cotangents and is_plain(t)]
        node.gradient = _together([numbers.norm(gradient) for gradient in arrived]) if arrived else None
        node.on_data = any(step.on_data for step in unit.steps)
        self._look_at_values(node, unit, outputs)
        if not outputs or isinstance(outputs[0], Cell):
            known = [tensor for tensor in unit.inputs if tensor._id in self._node_of]
            node.edges = [Edge(self._node_of[tensor._id], "absent", 1.0) for tensor in known]
        else:
            node.edges, node.elementwise = edges_of(unit, outputs, node.index, self._node_of)
        node.carried = carried_by(unit, node)

    def _look_at_values(self, node: Node, unit: Unit, outputs: list[Tensor]) -> None:
        floats = [t for t in outputs if is_floating(t) and not isinstance(t, Cell)]
        node.finite = all(numbers.non_finite_share(t) == 0 for t in floats)
        if node.finite:
            return
        inputs = [t for step in unit.steps for t in step.inputs if t._id not in unit.made]
        before = [t for t in inputs if is_plain(t) and is_floating(t) and not isinstance(t, Cell)]
        node.nan_born = _has(tf.math.is_nan, floats) and not _has(tf.math.is_nan, before)
        node.inf_born = _has(tf.math.is_inf, floats) and not _has(tf.math.is_inf, before)

    # --- parameters -------------------------------------------------------------------------------------------------

    def _parameters(self) -> list[Parameter]:
        made = [self._parameter(o, key) for o, key in zip(self._owned, self._keys, strict=True)]
        self._compare_one_ulp_away(made)
        if any(p.zero_share > 0 and p.trainable and p.node is not None for p in made) and self._result is not None:
            flow = {index: (unit, outputs) for unit, outputs, index in self._entries}
            found = revivable(self._sequence, flow, self._nodes, self._result, self._dependent)
            for parameter, key in zip(made, self._keys, strict=True):
                if parameter.zero_share > 0:
                    parameter.revivable_share = _revived(self._arrived.get(key._id), found.get(key._id))
        return made

    def _parameter(self, o: Owned, key: Any) -> Parameter:
        value, gradient = o.leaf, self._arrived.get(key._id)
        made = Parameter(o.name, self._node_of.get(key._id), tuple(value.shape), value.dtype.name, o.trainable)
        now = key.value if isinstance(key, Cell) else key
        made.is_zero = now is not None and is_floating(now) and not bool(tf.math.count_nonzero(now))
        if gradient is not None:
            made.gradient = numbers.norm(gradient)
            made.zero_share = numbers.dead_share(gradient)
            made.non_finite_share = numbers.non_finite_share(gradient)
        return made

    def _compare_one_ulp_away(self, made: list[Parameter]) -> None:
        """The same steps, from parameters that are moved by an ulp: noise and ties give another gradient."""
        values: dict[int, Tensor] = {}
        for position, key in enumerate(self._keys):
            value = key.value if isinstance(key, Cell) else key
            if value is not None and is_floating(value):
                values[key._id] = numbers.one_ulp(value, position)
        steps = [step for entry in self._sequence for step in ([entry] if isinstance(entry, Step) else entry.steps)]
        start = dict(values)
        try:
            moved = replayed(steps, values)
        except tf.errors.OpError:
            return
        result = values.get(self._result._id) if self._result is not None else None
        if result is None:
            return
        cotangents = {result._id: tf.ones_like(result)}
        wanted = {tensor._id for tensor in values.values()} | self._dependent
        pull(moved, cotangents, wanted)
        for parameter, key in zip(made, self._keys, strict=True):
            here, there = self._arrived.get(key._id), start.get(key._id)
            there = None if there is None else cotangents.get(there._id)
            if here is not None and there is not None:
                parameter.agreement = numbers.cosine(here, there)

    def _responds(self, name: str) -> bool:
        """Whether the loss changes when this parameter is moved by about its size."""
        position = next(i for i, o in enumerate(self._owned) if o.name == name)
        o = self._owned[position]
        if not (o.value.dtype.is_floating or o.value.dtype.is_complex):
            return False
        base = self._loss_at(o, o.value)
        size = numbers.spread(o.value)
        for draw, far in enumerate(_FAR):
            moved = o.value + tf.cast(far, size.dtype) * size * numbers.normal(o.value, draw)
            value = self._loss_at(o, moved)
            noise = 200 * numbers.epsilon(o.value.dtype.real_dtype.name) * max(abs(base), abs(value))
            if abs(value - base) > noise:
                return True
        return False

    def _loss_at(self, o: Owned, value: Tensor) -> float:
        loss, params, batch = self._program
        with self._recorder(keep=False):
            if o.is_variable:
                o.leaf.assign(value)
            else:
                params = replaced(params, {o.leaf._id: value})
            return float(run_the_users(loss, params, batch))


def _inputs(entry: Unit | Step) -> list[Tensor]:
    return entry.inputs


def _together(norms: list[float]) -> float:
    return sum(norm * norm for norm in norms) ** 0.5 if len(norms) > 1 else norms[0]


def _has(question: Any, tensors: list[Tensor]) -> bool:
    real = [tf.abs(t) if t.dtype.is_complex else t for t in tensors]
    return any(bool(tf.reduce_any(question(t))) for t in real)


def _revived(gradient: Tensor | None, found: Tensor | None) -> float:
    """Of the elements without gradient, the share that would get one."""
    if found is None:
        return 0.0
    alive = tf.not_equal(found, 0)
    if gradient is not None:
        alive = tf.boolean_mask(alive, tf.equal(gradient, 0))
    return float(tf.reduce_mean(tf.cast(alive, tf.float32))) if alive.shape.num_elements() else 0.0
