"""Which framework an array belongs to, and the table of array functions for it.

A table is a plain module (`_backends/torch.py`, `jax.py`, `tensorflow.py`) that offers the functions
listed in `_table.py`. It is found by the array's type, only among frameworks that are already imported,
and remembered per type, so that the second look-up is one dictionary access.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

from straightthrough import _registry
from straightthrough._backends._table import Table
from straightthrough._errors import FrameworkError, kind_of, wrong

FRAMEWORKS = ("torch", "jax", "tensorflow")

tables: dict[type, Table] = {}
"""The table of each array type seen so far: the fast path of every operation."""

_HOW_TO_CONVERT = "make it an array with torch.as_tensor(x), jnp.asarray(x) or tf.convert_to_tensor(x)"


def table_of(framework: str) -> Table:
    """The table of one framework, by name; imports that framework."""
    # Import statements, not importlib: a compiler may meet this line first, and it can follow only the former.
    table: Any
    if framework == "torch":
        from straightthrough._backends import torch as table
    elif framework == "jax":
        from straightthrough._backends import jax as table
    else:
        from straightthrough._backends import tensorflow as table
    return cast(Table, table)


def _is_array(framework: str, value: Any) -> bool:
    module = sys.modules[framework]
    if framework == "torch":
        return isinstance(value, module.Tensor)
    if framework == "jax":
        return isinstance(value, module.Array)
    return isinstance(value, (module.Tensor, module.Variable))


def framework_of(value: Any) -> str | None:
    """``"torch"``, ``"jax"`` or ``"tensorflow"``; None for anything that is not one of their arrays."""
    for framework in FRAMEWORKS:
        # A half-imported framework has no Tensor yet, and no arrays either.
        module = sys.modules.get(framework)
        whole = module is not None and hasattr(module, "Array" if framework == "jax" else "Tensor")
        if whole and _is_array(framework, value):
            return framework
    return None


def _held_array(value: Any) -> Any:
    """The array inside a ``keras.Variable`` or a ``flax.nnx.Variable``, else the value itself."""
    for base in type(value).__mro__:
        if base.__name__ == "Variable" and base.__module__.startswith("keras."):
            return value.value
        if base.__name__ == "Variable" and base.__module__.startswith("flax.nnx"):
            return value[...]
    return value


def admit(function: str, argument: str, value: Any) -> tuple[Table, Any]:
    """The table for ``value``, and ``value`` as an array of that framework.

    Raises:
        FrameworkError: it is not an array of TensorFlow, PyTorch or JAX.
    """
    table = tables.get(type(value))
    if table is not None:
        return table, value
    framework = framework_of(value)
    if framework is None and not _registry.torch_is_tracing():
        value = _held_array(value)
        framework = framework_of(value)
    if framework is None:
        if type(value).__name__ == "KerasTensor":
            remedy = "put the operation in a layer: straightthrough.keras.StraightThrough(operation)(x)"
        else:
            remedy = _HOW_TO_CONVERT
        wanted = "an array of TensorFlow, PyTorch or JAX"
        raise FrameworkError(wrong(function, argument, wanted, kind_of(value), remedy))
    table = table_of(framework)
    if not _registry.torch_is_tracing():
        tables[type(value)] = table
    return table, value


def admit_like(table: Table, function: str, argument: str, value: Any) -> Any:
    """``value`` as an array of the framework that ``table`` is for.

    Raises:
        FrameworkError: it is not an array, or one of another framework.
    """
    other, value = admit(function, argument, value)
    if other is not table:
        want, got = table.NAME, other.NAME
        raise FrameworkError(wrong(function, argument, f"an array of {want} like the first one", f"one of {got}"))
    return value


def broadcasts(have: Sequence[int | None], want: Sequence[int | None]) -> bool:
    """Whether an array of shape ``have`` broadcasts to ``want``; a length of None may be anything."""
    pairs = zip(have[::-1], want[::-1], strict=False)
    return len(have) <= len(want) and all(h in (1, w) or h is None or w is None for h, w in pairs)


def two_devices(table: Table, one: Any, other: Any) -> tuple[str, str] | None:
    """The devices of two arrays where both are known and differ, else None."""
    here, there = table.device(one), table.device(other)
    return None if here is None or there is None or here == there else (here, there)


def backend_of(*arrays: Any) -> Table:
    """The one table that all these arrays share.

    Raises:
        FrameworkError: one is not an array, or they belong to two frameworks.
    """
    table, _ = admit("backend_of", "argument 1", arrays[0])
    for position, array in enumerate(arrays[1:], 2):
        admit_like(table, "backend_of", f"argument {position}", array)
    return table
