"""What of TensorFlow is made different while a program is recorded, and put back after."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from straightthrough.programs.tensorflow._where import in_function


class HiddenHandle:
    """A variable's handle, hidden from the compiled fast path: it would read the variable without calling back."""

    def __get__(self, variable: Any, owner: type | None = None) -> Any:
        if variable is None:
            return self
        if f"{os.sep}gen_" in sys._getframe(1).f_code.co_filename:
            return None
        return vars(variable)["_handle"]

    def __set__(self, variable: Any, handle: Any) -> None:
        vars(variable)["_handle"] = handle


class WatchedFunction:
    """One of numpy's universal functions whose calls are seen; everything else of it as it was."""

    def __init__(self, function: Any, call: Callable[..., Any]):
        self._function = function
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


def unconverted(f: Any, *_: Any, **__: Any) -> Any:
    """Nothing need be converted to run eagerly, and the lines stay the user's."""
    return f


def as_in_a_graph(original: Callable[..., Any]) -> Callable[..., Any]:
    """`tf.while_loop` takes a bare tensor from the body of a loop over one variable in a function, not eagerly."""

    def called(cond: Any, body: Any, loop_vars: Any, *args: Any, **kwargs: Any) -> Any:
        def listed(*variables: Any) -> Any:
            result = body(*variables)
            return result if isinstance(result, list | tuple) else type(loop_vars)([result])

        alone = isinstance(loop_vars, list | tuple) and len(loop_vars) == 1 and in_function()
        return original(cond, listed if alone else body, loop_vars, *args, **kwargs)

    return called


@contextmanager
def replaced(owner: Any, name: str, new: Any) -> Iterator[None]:
    missing = object()
    old = vars(owner).get(name, missing)
    setattr(owner, name, new)
    try:
        yield
    finally:
        if old is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, old)


@contextmanager
def functions_run_eagerly() -> Iterator[None]:
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextmanager
def random_state() -> Iterator[None]:
    """Python's, numpy's and TensorFlow's random state, put back."""
    seeds = getattr(context.context(), "_rng", None)
    states = random.getstate(), np.random.get_state(), seeds.getstate() if seeds is not None else None
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        if seeds is not None and states[2] is not None:
            seeds.setstate(states[2])
