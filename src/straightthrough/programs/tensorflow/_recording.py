"""One run of the user's program, every operator that depends on a parameter recorded, and everything put back after.

TensorFlow calls back after each operator that it executes eagerly. Functions are made to run eagerly, so that the
Python stack tells each operator's line; what has a derivative rule of its own, or leaves the framework, is met on its
way.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.autograph.impl import api as autograph
from tensorflow.python.eager import record
from tensorflow.python.framework import op_callbacks, ops
from tensorflow.python.ops import (
    custom_gradient,
    gen_resource_variable_ops,
    gen_stateful_random_ops,
    resource_variable_ops,
    script_ops,
    while_loop,
)
from tensorflow.python.ops.parallel_for import control_flow_ops as mapping

from straightthrough.programs.tensorflow._regions import Region, is_recomputed
from straightthrough.programs.tensorflow._replacing import (
    HiddenHandle,
    WatchedFunction,
    as_in_a_graph,
    functions_run_eagerly,
    random_state,
    replaced,
    unconverted,
)
from straightthrough.programs.tensorflow._steps import Cell, Step, Tensor, is_floating, same
from straightthrough.programs.tensorflow._where import Looking, running

_VALUE_FREE = frozenset(
    ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "VariableShape", "VarIsInitializedOp")
)
"""They read what an array is like, not what is in it."""

_EXITS = {"__bool__": "bool", "__array__": "numpy", "numpy": "numpy"} | dict.fromkeys(
    ("__float__", "__int__", "__index__", "__complex__"), "item"
)
_PRINTED = ("value_text", "__format__", "__repr__", "__str__")
_MOST_TURNS = 256
"""A vectorised map of more turns stays vectorised: it is then one operator to us."""


class Recorder:
    """Records the steps of what runs inside ``with recorder:``.

    Args:
        tensors: parameters that are tensors.
        handles: of parameters that are variables, and their cells.
        batch: the arrays the loss is called with.
        base: the code of the function that calls the user's; lines above it are not the user's.
        keep: False to guard the user's state only.
    """

    def __init__(self, tensors: list[Tensor], cells: list[Cell], batch: list[Tensor], base: Any, *, keep: bool = True):
        self.steps: list[Step] = []
        self.dependent = {tensor._id for tensor in tensors} | {cell._id for cell in cells}
        self.cells = {cell.handle._id: cell for cell in cells}
        self.modes: set[bool] = set()
        self._data = {tensor._id for tensor in batch}
        self._looking = Looking(base)
        self._thread = threading.get_ident()
        self._busy = not keep
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._read: dict[int, Tensor] = {}
        self._undo = ExitStack()

    # --- entering and leaving ---------------------------------------------------------------------------------------

    def __enter__(self) -> Recorder:
        with ExitStack() as undo:
            undo.enter_context(random_state())
            undo.callback(self._restore_variables)
            undo.enter_context(functions_run_eagerly())
            for owner, name, new in self._replacements():
                undo.enter_context(replaced(owner, name, new))
            op_callbacks.add_op_callback(self._called_back)
            undo.callback(op_callbacks.remove_op_callback, self._called_back)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def _replacements(self) -> Iterator[tuple[Any, str, Any]]:
        for module in (gen_resource_variable_ops, gen_stateful_random_ops):
            for name in dir(module):
                if name.startswith(("assign_", "resource_scatter", "resource_strided", "rng_", "stateful_", "mutex")):
                    function = getattr(module, name)
                    if callable(function) and not name.endswith("_fallback"):
                        yield module, name, self._guarded(function)
        yield while_loop, "while_loop", as_in_a_graph(while_loop.while_loop)
        yield autograph, "tf_convert", unconverted
        if self._busy:
            return
        yield record, "record_operation", self._recorded_by_rule(record.record_operation)
        yield custom_gradient, "_eager_mode_decorator", self._region(custom_gradient._eager_mode_decorator)
        yield script_ops, "py_func_common", self._python(script_ops.py_func_common)
        yield mapping, "pfor", self._mapped(mapping.pfor)
        yield resource_variable_ops.BaseResourceVariable, "_handle", HiddenHandle()
        yield ops._EagerTensorBase, "_numpy", self._read_by_python(ops._EagerTensorBase._numpy)
        yield ops._EagerTensorBase, "__array_function__", self._by_numpys_functions()
        for name in ("array", "asarray", "asanyarray"):
            yield np, name, self._read_by_numpy(getattr(np, name))
        for name in [name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)]:
            yield np, name, WatchedFunction(getattr(np, name), self._read_by_numpy(getattr(np, name)))

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Remembers what a variable held before it is written to."""

        def written(resource: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(resource, "_id", None) is not None and resource._id not in self._kept:
                with self._unseen():
                    self._keep(resource)
            return function(resource, *args, **kwargs)

        return written

    def _keep(self, handle: Tensor) -> None:
        dtype = _held_dtype(handle)
        if dtype is None or not bool(gen_resource_variable_ops.var_is_initialized_op(handle)):
            return
        self._kept[handle._id] = (handle, gen_resource_variable_ops.read_variable_op(handle, dtype))

    def _restore_variables(self) -> None:
        for handle, value in self._kept.values():
            gen_resource_variable_ops.assign_variable_op(handle, value)
        self._kept.clear()

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before

    # --- what is executed -------------------------------------------------------------------------------------------

    def _called_back(self, op: Any, inputs: Any, attrs: Any, outputs: Any, *_: Any, **graph: Any) -> None:
        if self._busy or graph.get("graph") is not None or threading.get_ident() != self._thread:
            return
        op = op.decode() if isinstance(op, bytes) else op
        with self._unseen():
            self._executed(op, list(inputs), tuple(attrs or ()), list(outputs or ()))

    def _executed(self, op: str, inputs: list[Tensor], attrs: tuple[Any, ...], outputs: list[Tensor]) -> None:
        if op in _VALUE_FREE:
            return
        if inputs and inputs[0].dtype == tf.resource:
            self._on_variable(op, inputs, attrs, outputs)
            return
        self._add(Step(op, inputs, outputs, attrs))

    def _add(self, step: Step, depth: int = 4) -> None:
        """Keeps a step if it depends on a parameter; notes which arrays are made of the batch."""
        step.inputs = [self._read.get(tensor._id, tensor) for tensor in step.inputs]
        inputs = [tensor for tensor in step.inputs if tensor._id not in self.dependent]
        step.on_data = any(tensor._id in self._data or _is_data(tensor) for tensor in inputs)
        if len(inputs) == len(step.inputs):
            if any(tensor._id in self._data for tensor in inputs):
                self._data.update(tensor._id for tensor in step.outputs)
            return
        step.where = self._looking.here(depth)
        self._note_mode()
        self.dependent.update(tensor._id for tensor in step.outputs)
        self.steps.append(step)

    def _on_variable(self, op: str, inputs: list[Tensor], attrs: tuple[Any, ...], outputs: list[Tensor]) -> None:
        handle = inputs[0]
        cell = self.cells.get(handle._id)
        if op == "ReadVariableOp" and cell is not None:
            if cell.value is None:
                cell.value = outputs[0]
                self._add(Step("Identity", [cell], outputs, attrs, rule=same), 5)
            self._read[outputs[0]._id] = cell.value
        elif op in ("ResourceGather", "ResourceGatherNd") and cell is not None:
            self._looked_up(op, cell, inputs, attrs, outputs)
        elif op.startswith(("Assign", "ResourceScatter")):
            self._written(op, cell, inputs, outputs)
        elif any(tensor._id in self.dependent for tensor in inputs[1:]) and outputs:
            self._add(Step(op, inputs[1:], outputs, attrs), 5)

    def _looked_up(self, op: str, cell: Cell, inputs: list[Tensor], attrs: Any, outputs: list[Tensor]) -> None:
        """A look-up in a variable, as one in an array: so it can be done again with another array."""
        if cell.value is None:
            cell.value = gen_resource_variable_ops.read_variable_op(cell.handle, outputs[0].dtype)
        named = dict(zip(attrs[::2], attrs[1::2], strict=True))
        kinds = ("Tparams", cell.value.dtype.as_datatype_enum, "Tindices", inputs[1].dtype.as_datatype_enum)
        if op == "ResourceGather":
            axis = tf.constant(0, tf.int32)
            batch_dims = ("batch_dims", named.get("batch_dims", 0), *kinds, "Taxis", axis.dtype.as_datatype_enum)
            step = Step("GatherV2", [cell.value, inputs[1], axis], outputs, batch_dims)
        else:
            step = Step("GatherNd", [cell.value, inputs[1]], outputs, kinds)
        if cell._id in self.dependent and cell.value._id not in self.dependent:
            self._add(Step("Identity", [cell], [cell.value], rule=same), 6)
        self._add(step, 6)

    def _written(self, op: str, cell: Cell | None, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        handle, values = inputs[0], inputs[1:]
        if op != "AssignVariableOp" and cell is not None:
            values = [cell, *values]
        depends = any(tensor._id in self.dependent for tensor in values)
        if depends or cell is not None:
            new = Cell(handle)
            self.cells[handle._id] = new
            if depends:
                self._add(Step("Assign", values, [new]), 6)

    def _note_mode(self) -> None:
        state = _keras_state()
        if state is not None:
            training = getattr(state.get_global_attribute("current_call_ctx"), "training", None)
            if training is not None:
                self.modes.add(bool(training))

    # --- what has a rule of its own ---------------------------------------------------------------------------------

    def _recorded_by_rule(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Copies and the like, which TensorFlow hands to its tape directly."""

        def recorded(op: str, outputs: Any, inputs: Any, rule: Any) -> Any:
            if not self._busy and op == "_copy":
                self._add(Step("Identity", list(inputs), list(outputs), rule=same))
            return original(op, outputs, inputs, rule)

        return recorded

    def _region(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A function with a custom gradient: one step with its rule; a recomputed block is looked into instead."""

        def called(f: Any, args: Any, kwargs: Any) -> Any:
            if self._busy or is_recomputed(f):
                return original(f, args, kwargs)
            start = len(self.steps)
            where = self._looking.here(1)
            region = Region(original, f, args, kwargs)
            result = region.run()
            inner = self.steps[start:]
            self.steps[start:] = [step for step in inner if isinstance(step.inputs[0], Cell)]
            with self._unseen():
                self._closed(region, inner, where)
            return result

        return called

    def _closed(self, region: Region, inner: list[Step], where: Any) -> None:
        inputs, closed_over = list(region.inputs), []
        known = {tensor._id for tensor in inputs}
        made = {tensor._id for step in inner for tensor in step.outputs}
        for step in inner:
            for tensor in step.inputs:
                if tensor._id in self.dependent and tensor._id not in known and tensor._id not in made:
                    closed_over.append(tensor)
                    known.add(tensor._id)
        count = len(region.inputs)
        rule = region.rule
        step = Step(region.name, [*inputs, *closed_over], region.outputs, rule=lambda *c: [*rule(*c)][:count])
        step.again, step.inner = region.again, inner
        self._add(step)
        step.where = where

    def _python(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """numpy_function: what it returns depends on what it was given, without a derivative."""

        def called(func: Any, inp: Any, *args: Any, **kwargs: Any) -> Any:
            if self._busy:
                return original(func, inp, *args, **kwargs)
            with self._unseen():
                result = original(func, inp, *args, **kwargs)
            inputs = [t for t in tf.nest.flatten(inp) if isinstance(t, ops.EagerTensor)]
            outputs = [t for t in tf.nest.flatten(result) if isinstance(t, ops.EagerTensor)]
            if outputs:
                self._add(Step("PyFunc", inputs, outputs), 2)
            return result

        return called

    def _mapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A vectorised map as a loop, so that its body can be seen."""

        def called(loop_fn: Any, iters: Any, *args: Any, **kwargs: Any) -> Any:
            turns = tf.get_static_value(iters)
            if self._busy or turns is None or not 0 < int(turns) <= _MOST_TURNS:
                return original(loop_fn, iters, *args, **kwargs)
            rows = [loop_fn(tf.constant(turn, tf.int32)) for turn in range(int(turns))]
            return tf.nest.map_structure(lambda *row: tf.stack(row), *rows)

        return called

    # --- what leaves the framework ----------------------------------------------------------------------------------

    def _read_by_python(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def read(tensor: Tensor) -> Any:
            if not self._busy and tensor._id in self.dependent and running(_PRINTED, 4) is None:
                self._left(tensor, _EXITS[running(tuple(_EXITS), 3) or "numpy"])
            return original(tensor)

        return read

    def _read_by_numpy(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """numpy reads a tensor's memory without asking it."""

        def read(*args: Any, **kwargs: Any) -> Any:
            if not self._busy:
                self._note_numpy(args)
            return original(*args, **kwargs)

        return read

    def _note_numpy(self, args: Any) -> None:
        for value in args:
            for tensor in [value, *(value if isinstance(value, list | tuple) else ())]:
                if isinstance(tensor, ops.EagerTensor) and tensor._id in self.dependent:
                    self._left(tensor, "numpy")

    def _by_numpys_functions(self) -> Callable[..., Any]:
        def called(_: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
            del types
            if not self._busy:
                self._note_numpy(args)
            args, kwargs = tf.nest.map_structure(_as_array, (tuple(args), kwargs))
            return function(*args, **kwargs)

        return called

    def _left(self, tensor: Tensor, name: str) -> None:
        with self._unseen():
            self._add(Step(name, [tensor], [], leaves=True))


def _held_dtype(handle: Tensor) -> Any:
    """The dtype of a variable; None for tables and iterators."""
    data = getattr(handle, "_handle_data", None)
    held = list(data.shape_and_type) if data is not None and data.is_set else []
    return tf.dtypes.as_dtype(held[0].dtype) if held else None


def _is_data(tensor: Tensor) -> bool:
    """Whether an array that depends on no parameter is more than a number, a shape or an axis."""
    if isinstance(tensor, Cell):
        return False
    size = tensor.shape.num_elements() or 0
    if is_floating(tensor) or tensor.dtype == tf.bool:
        return size > 1
    return tensor.shape.rank >= 2 or size > 8


def _as_array(value: Any) -> Any:
    return value.numpy() if isinstance(value, ops.EagerTensor) else value


def _keras_state() -> Any:
    return sys.modules.get("keras.src.backend.common.global_state")
