"""A user's program as a list of operators with their source lines, and what one run of it told.

`examine` is the one door: a file per framework runs the program, and all of them give the same plain `Examination`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from straightthrough import _backends
from straightthrough._errors import FrameworkError, kind_of, wrong
from straightthrough.programs._description import Carried as Carried
from straightthrough.programs._description import Edge as Edge
from straightthrough.programs._description import Examination as Examination
from straightthrough.programs._description import Node as Node
from straightthrough.programs._description import Parameter as Parameter
from straightthrough.programs._description import Place as Place

_OWNERS = {"torch": "torch", "tensorflow": "tensorflow", "flax": "jax", "jax": "jax"}


def examine(loss: Any, params: Any, *batch: Any) -> Examination:
    """Runs ``loss(params, *batch)`` once, with everything measured; nothing of the user's is left changed.

    Args:
        loss: a function of the parameters and the batch that returns a scalar.
        params: an ``nn.Module``, a ``keras.Model``, an ``nnx.Module``, or arrays in lists, tuples and dictionaries.
        batch: what the loss is called with beside them.

    Raises:
        FrameworkError: no framework is recognised by the parameters.
    """
    runner = import_module(f"straightthrough.programs.{framework_of(params, batch)}")
    return cast(Examination, runner.examine(loss, params, batch))


def framework_of(params: Any, batch: Any = ()) -> str:
    """The framework of a program, by its parameters; by its batch where they do not tell (numpy arrays)."""
    for value in (params, batch):
        framework = _framework(value)
        if framework is not None:
            return framework
    wanted = (
        "an nn.Module, a keras.Model, an nnx.Module, or arrays of PyTorch, TensorFlow or JAX in lists and dictionaries"
    )
    raise FrameworkError(wrong("doctor", "params", wanted, kind_of(params)))


def _framework(value: Any) -> str | None:
    for base in type(value).__mro__:
        root = base.__module__.split(".")[0]
        if root == "keras" and base.__name__ in ("Layer", "Model", "Variable"):
            return _keras_backend()
        if root in ("torch", "flax", "tensorflow") and base.__name__ in ("Module", "Variable"):
            return _OWNERS[root]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return next((found for found in map(_framework, value) if found is not None), None)
    return _backends.framework_of(value)


def _keras_backend() -> str:
    import sys

    return str(sys.modules["keras"].backend.backend())
