"""The checks in JAX: numbers in and out, and each transformation that the contract names; see `testing.torch`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = Any
Function = Callable[[Array], Array]
Outcome = dict[str, Array]


def array(values: Any, dtype: str) -> Array:
    """Numbers as an array of the framework."""
    return jnp.asarray(np.asarray(values, np.float64)).astype(dtype)


def numbers(x: Array) -> Any:
    """An array as numbers in float64."""
    return np.asarray(x).astype(np.float64)


def dtype_name(x: Array) -> str:
    """``"float32"``, ..."""
    return str(x.dtype.name)


def precise() -> contextlib.AbstractContextManager[Any]:
    """A context in which float64 is to be had."""
    context: contextlib.AbstractContextManager[Any] = jax.enable_x64(True)
    return context


def gradients(function: Callable[..., Array], inputs: Sequence[Array], weight: Array) -> tuple[Array, list[Array]]:
    """The value, and the loss gradient pulled back to each input."""
    value, pullback = jax.vjp(function, *inputs)
    return value, list(pullback(weight))


def _each(one: Callable[[Function, Array, Array], Outcome]) -> Callable[..., list[Outcome]]:
    def run(functions: Sequence[Function], x: Array, weight: Array) -> list[Outcome]:
        return [one(function, x, weight) for function in functions]

    return run


def _together(one: Callable[[Function, Array, Array], Outcome]) -> Callable[..., list[Outcome]]:
    """All functions in one jit: a compilation each would cost a hundred times more."""

    def run(functions: Sequence[Function], x: Array, weight: Array) -> list[Outcome]:
        found: list[Outcome] = jax.jit(lambda x, weight: [one(f, x, weight) for f in functions])(x, weight)
        return found

    return run


def _vjp(function: Function, x: Array, weight: Array) -> Outcome:
    value, pullback = jax.vjp(function, x)
    return {"value": value, "gradient": pullback(weight)[0]}


def _grad(function: Function, x: Array, weight: Array) -> Outcome:
    return {"gradient": jax.grad(lambda x: (weight * function(x)).sum())(x)}


def _jvp(function: Function, x: Array, weight: Array) -> Outcome:
    value, tangent = jax.jvp(function, (x,), (weight,))
    return {"value": value, "tangent": tangent}


def _linearize(function: Function, x: Array, weight: Array) -> Outcome:
    value, linear = jax.linearize(function, x)
    return {"value": value, "tangent": linear(weight)}


def _vmap(function: Function, x: Array, weight: Array) -> Outcome:
    found = jax.vmap(lambda x, w: _vjp(function, x, w))(jnp.stack([x, x]), jnp.stack([weight, weight]))
    return {name: rows[1] for name, rows in found.items()}


def _grad_of_grad(function: Function, x: Array, weight: Array) -> Outcome:
    gradient, second = jax.jvp(lambda x: _vjp(function, x, weight)["gradient"], (x,), (jnp.ones_like(x),))
    reverse = jax.grad(lambda x: _vjp(function, x, weight)["gradient"].sum())(x)
    return {"gradient": gradient, "second": second, "second_in_reverse": reverse}


def _hessian(function: Function, x: Array, weight: Array) -> Outcome:
    return {"hessian": jax.hessian(lambda x: (weight * function(x)).sum())(x)}


def _jacfwd(function: Function, x: Array, weight: Array) -> Outcome:
    return {"jacobian": jax.jacfwd(function)(x)}


def _jacrev(function: Function, x: Array, weight: Array) -> Outcome:
    return {"jacobian": jax.jacrev(function)(x)}


def _checkpoint(function: Function, x: Array, weight: Array) -> Outcome:
    return _vjp(jax.checkpoint(function), x, weight)


def _scan(function: Function, x: Array, weight: Array) -> Outcome:
    def scanned(x: Array) -> Array:
        return lax.scan(lambda carry, _: (carry, function(x)), 0.0, None, length=2)[1][1]

    return _vjp(scanned, x, weight)


def _while_loop(function: Function, x: Array, weight: Array) -> Outcome:
    """JAX differentiates a while_loop in forward mode only."""

    def looped(x: Array) -> Array:
        return lax.while_loop(lambda state: state[0] < 2, lambda state: (state[0] + 1, function(x)), (0, x))[1]

    return _jvp(looped, x, weight)


def _cond(function: Function, x: Array, weight: Array) -> Outcome:
    return _vjp(lambda x: lax.cond(x[0] == x[0], function, lambda x: x, x), x, weight)


TRANSFORMATIONS: dict[str, Callable[..., list[Outcome]]] = {
    "eager": _each(_vjp),
    "jit": _together(_vjp),
    "grad": _together(_grad),
    "jvp": _together(_jvp),
    "jvp_eager": _each(_jvp),
    "linearize": _each(_linearize),
    "vmap": _together(_vmap),
    "grad_of_grad": _together(_grad_of_grad),
    "hessian": _together(_hessian),
    "jacfwd": _together(_jacfwd),
    "jacrev": _together(_jacrev),
    "checkpoint": _together(_checkpoint),
    "scan": _together(_scan),
    "while_loop": _together(_while_loop),
    "cond": _together(_cond),
}
CHEAP = tuple(TRANSFORMATIONS)
