"""Equations as functions of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Literal, jaxpr_as_fun

from straightthrough.programs.jax.graph import Value


def function_of(equations: list[Any], atoms: list[Any], results: list[Any]) -> Callable[..., list[Any]]:
    """The equations run in order: the arrays of ``atoms`` -> those of ``results``."""

    def run(*arrays: Any) -> list[Any]:
        literals = {id(atom): array for atom, array in zip(atoms, arrays, strict=True) if isinstance(atom, Literal)}
        known = {atom: array for atom, array in zip(atoms, arrays, strict=True) if not isinstance(atom, Literal)}
        for equation in equations:
            read = [literals[id(v)] if isinstance(v, Literal) else known[v] for v in equation.invars]
            known.update(zip(equation.outvars, bind(equation, read), strict=True))
        return [known[v] for v in results]

    return run


def bind(equation: Any, values: list[Any]) -> list[Any]:
    """The equation's own primitive on other values."""
    bound = equation.primitive.get_bind_params(equation.params)
    # Older releases of JAX hand the functions of a custom rule over beside the parameters.
    functions, params = bound if isinstance(bound, tuple) else ([], bound)
    with equation.ctx.manager:
        made = equation.primitive.bind(*functions, *values, **params)
    return list(made) if equation.primitive.multiple_results else [made]


def plain_function(closed: Any) -> Callable[..., list[Any]]:
    """The function that a custom derivative rule belongs to, without the rule."""

    def run(*arrays: Any) -> list[Any]:
        return list(jaxpr_as_fun(closed)(*arrays))

    return run


def key_of(equation: Any, inputs: list[Value]) -> Any:
    """Equal for equations that do the same to arrays of the same shapes; None where that cannot be told."""
    shapes = tuple((v.aval.shape, str(v.aval.dtype), v.constant is None) for v in inputs)
    same = tuple(v is w for i, v in enumerate(equation.invars) for w in equation.invars[:i])
    constants = tuple(repr(v.constant) for v in inputs if v.constant is not None)
    try:
        key = (equation.primitive, tuple(sorted(equation.params.items())), shapes, same, constants)
        hash(key)
    except TypeError:
        return None
    return key


def leaves_of(tree: Any) -> list[Any]:
    """The arrays of a pytree."""
    return list(jax.tree.leaves(tree))
