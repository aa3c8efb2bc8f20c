"""JAX: a function exported as serialized StableHLO, its parameters inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from straightthrough._hard import hard
from straightthrough.report import write_bytes
from straightthrough.ship.shipping import Exported, refuse_residue

FORMAT = "StableHLO of jax.export"
SUFFIX = ".jaxexport"
EXECUTION = "compiled"

# Our derivative rules, by the names of the functions that they belong to.
_RULES = {"straight_through", "attached"}
_BOOKKEEPING = {"constant", "return"}


def version() -> str:
    """The framework and its version."""
    return f"jax {jax.__version__}"


def loader() -> str:
    """The program that runs the file."""
    return """
import jax
with open(path, "rb") as file:
    model = jax.export.deserialize(bytearray(file.read())).call
outputs = jax.tree.leaves(model(*inputs))
"""


def export(model: Any, example: tuple[Any, ...], path: Path) -> Exported:
    """Writes the file; returns what is in its graph, and the training model's outputs."""

    # New functions: jit would find what it traced before, in another mode.
    def training(*arguments: Any) -> Any:
        return model(*arguments)

    def hard_only(*arguments: Any) -> Any:
        return hard(model)(*arguments)

    wanted = jax.tree.leaves(jax.jit(training)(*example))
    refuse_residue(list(_residue(jax.make_jaxpr(hard_only)(*example).jaxpr)))
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in example]
    exported = jax_export.export(jax.jit(hard_only))(*shapes)
    operations: dict[str, int] = {}
    for name in re.findall(r"\b(?:stablehlo|chlo)\.(\w+)", exported.mlir_module()):
        if name not in _BOOKKEEPING:
            operations[name] = operations.get(name, 0) + 1
    write_bytes(path, bytes(exported.serialize()))
    return Exported(operations, [np.asarray(output) for output in wanted])


def _residue(jaxpr: Any) -> Iterator[str]:
    """What only serves a derivative: JAX erases it on the way to StableHLO, so it is looked for before."""
    stopped: set[int] = set()
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name == "stop_gradient":
            stopped.update(map(id, equation.outvars))
        # Alone it costs nothing; added to something else it is the textbook line, whose arithmetic would stay.
        if name in ("add", "sub") and stopped & set(map(id, equation.invars)):
            yield "stop_gradient"
        if name.startswith("custom_") and _owner(equation) in _RULES:
            yield "a proxy of straightthrough"
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                program = getattr(inner, "jaxpr", inner)
                if hasattr(program, "eqns"):
                    yield from _residue(program)


def _owner(equation: Any) -> str:
    """The name of the function that a custom derivative belongs to."""
    inner = equation.params.get("call_jaxpr")
    information = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
    return str(getattr(information, "func_name", ""))
