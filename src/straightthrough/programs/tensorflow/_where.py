"""Where a step was executed: the user's line, and the call of the framework's that the line made."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

from straightthrough.core import Operation
from straightthrough.programs._places import frames_from, place_among
from straightthrough.programs.tensorflow._steps import Where

_OPERATORS = (
    "tensorflow/python/ops/",
    "keras/src/ops/",
    "keras/src/activations/",
    "keras/src/losses/",
    "keras/src/random/",
    "keras/src/backend/tensorflow/",
    "tf_keras/src/losses.py",
    "tf_keras/src/activations.py",
    "tf_keras/src/backend.py",
)
"""Where the functions live that a user thinks of as one operator. Layers, loops and branches are looked into."""

_LOOKED_INTO = re.compile(
    r"tensorflow/python/ops/(custom_gradient|map_fn|functional_ops|while_loop|cond|control_flow\w*|script_ops"
    r"|tensor_array_ops|resource_variable_ops|variables|variable\w*|parallel_for/.*|gradients\w*|handle_data\w*)\.py"
    r"|keras/src/backend/tensorflow/(rnn|trainer|layer)\.py|keras/src/ops/(operation|function|node|symbolic\w*)\.py"
    r"|keras/src/backend/tensorflow/core\.py"
)
_OWN_CALL = Operation.__call__.__code__


class Looking:
    """Finds the `Where` of each step; consecutive steps of one call of the framework's share a number."""

    def __init__(self, base: CodeType):
        self._base = base
        self._head: FrameType | None = None
        self._calls = 0

    def here(self, depth: int = 1) -> Where:
        """The user's line that is running, seen from ``depth`` frames above this call."""
        frame: FrameType | None = sys._getframe(depth + 1)
        place, inside = place_among(self._until_base(frame))
        head, operation = self._find(frame, place is not None)
        if head is None or head is not self._head:
            self._head = head
            self._calls += 1
        name = head.f_code.co_name if head is not None else ""
        return Where(place, inside, self._calls, name, operation)

    def _until_base(self, frame: FrameType | None) -> Iterator[tuple[str, int, str, int | None]]:
        for found in frames_from(frame):
            if found[2] == self._base.co_qualname and found[0] == self._base.co_filename:
                return
            yield found

    def _find(self, frame: FrameType | None, has_user: bool) -> tuple[FrameType | None, Any]:
        """The outermost call of an operator's function below the user's line; our own operation comes first."""
        head = None
        while frame is not None and frame.f_code is not self._base:
            code = frame.f_code
            if has_user and _is_users(code.co_filename):
                break
            if code is _OWN_CALL:
                return frame, _operation(frame.f_locals)
            if _is_operator(code):
                head = frame
            frame = frame.f_back
        return head, None


def _operation(names: dict[str, Any]) -> tuple[Any, Any, Any]:
    return names["self"], names.get("chosen", names.get("proxy")), names.get("x")


@functools.cache
def _is_users(file: str) -> bool:
    return place_among([(file, 1, "", None)])[0] is not None


@functools.cache
def _is_operator(code: CodeType) -> bool:
    """Whether this is a function of the framework's that stands for one operator."""
    file = code.co_filename.replace(os.sep, "/")
    if "." in code.co_qualname or not any(folder in file for folder in _OPERATORS):
        return False
    return not _LOOKED_INTO.search(file)


def running(names: tuple[str, ...], depth: int = 60) -> str | None:
    """Which of these functions is running, innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and depth:
        if frame.f_code.co_name in names:
            return frame.f_code.co_name
        frame, depth = frame.f_back, depth - 1
    return None


def in_function() -> bool:
    """Whether a tf.function is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "__call__" and frame.f_code.co_filename.endswith("polymorphic_function.py"):
            return True
        frame = frame.f_back
    return False
