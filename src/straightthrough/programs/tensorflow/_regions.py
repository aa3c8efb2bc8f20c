"""A call of a function with a custom gradient: its tensors, its rule, and how to do it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record
from tensorflow.python.framework import ops

Tensor = Any


def is_recomputed(f: Any) -> bool:
    """Whether the rule is only that of a recomputed block, which is the rule of its operators."""
    return getattr(f, "__qualname__", "") == "recompute_grad.<locals>.inner"


class Region:
    """One call of ``f``, made by TensorFlow's own ``original(f, args, kwargs)``.

    Attributes:
        name: of the function.
        inputs, outputs, rule: what TensorFlow hands to its tape; after `run`.
    """

    def __init__(self, original: Callable[..., Any], f: Any, args: Any, kwargs: Any):
        self._original = original
        self._call = (f, args, kwargs)
        self.name: str = getattr(f, "__name__", "custom_gradient")
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.rule: Callable[..., Any] = lambda *_: ()

    def run(self) -> Any:
        """The call itself."""
        result, (self.outputs, self.inputs, self.rule) = self._captured(*self._call)
        return result

    def again(self, inputs: list[Tensor]) -> tuple[list[Tensor], Callable[..., Any]]:
        """The call with other tensors in place of its inputs: the outputs and the rule."""
        f, args, kwargs = self._call
        new = dict(zip((tensor._id for tensor in self.inputs), inputs, strict=False))

        def put(value: Any) -> Any:
            return new.get(value._id, value) if isinstance(value, ops.EagerTensor) else value

        args, kwargs = tf.nest.map_structure(put, args), tf.nest.map_structure(put, kwargs)
        _, (outputs, _, rule) = self._captured(f, args, kwargs)
        return outputs, lambda *cotangents: [*rule(*cotangents)][: len(self.inputs)]

    def _captured(self, f: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """What is handed to the tape last is the call's own."""
        handed: list[Any] = []
        below = record.record_operation

        def note(op: str, outputs: Any, inputs: Any, rule: Any) -> Any:
            handed.append((list(outputs), list(inputs), rule))
            return below(op, outputs, inputs, rule)

        record.record_operation = note
        try:
            result = self._original(f, args, kwargs)
        finally:
            record.record_operation = below
        return result, handed[-1]
