"""Carriers: a float proxy that travels beside an integer or a boolean until the value becomes a float again.

A *numeric* carrier has the hard value's shape and, as a float, its very value. A *one-hot* carrier belongs to an index:
weights over the candidates (exactly one-hot, with the derivative of a soft selection) and the integer that each
candidate stands for, so that ``i + n``, ``i < 0`` and ``i == iota`` keep the kind. Whatever is done with a carrier, its
value stays the hard one: only its derivative is the proxy's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from straightthrough.core import straight_through

Array = Any


@functools.partial(jax.tree_util.register_dataclass, data_fields=["value"], meta_fields=["keys"])
@dataclass
class Numeric:
    """A float of the hard value's shape and value.

    Attributes:
        value: the float.
        keys: of the operators whose proxies are in its derivative.
    """

    value: Array
    keys: tuple[str, ...] = ()


@functools.partial(jax.tree_util.register_dataclass, data_fields=["weights", "values"], meta_fields=["name", "keys"])
@dataclass
class OneHot:
    """An index, or a function of one.

    Attributes:
        weights: of the hard value's shape and, last, the candidates; exactly one-hot.
        values: what the hard value would be for each candidate: of a shape that broadcasts to that of the weights.
        name: equal for carriers of the same index in the same layout: such two go together candidate by candidate.
        keys: of the operators whose proxies are in the weights' derivative.
    """

    weights: Array
    values: Array
    name: tuple[Any, ...]
    keys: tuple[str, ...] = ()


Carrier = Numeric | OneHot

LOGIC: dict[str, Callable[..., Array]] = {
    "not": lambda a: 1 - a,
    "and": lambda a, b: a * b,
    "or": lambda a, b: a + b - a * b,
    "xor": lambda a, b: a + b - 2 * a * b,
    "eq": lambda a, b: a * b + (1 - a) * (1 - b),
    "ne": lambda a, b: a + b - 2 * a * b,
}
"""On booleans as 0 and 1."""

SHAPING = {
    *("reshape", "broadcast_in_dim", "transpose", "squeeze", "expand_dims", "slice", "rev", "copy", "copy_p"),
    *("concatenate", "dynamic_slice", "gather", "pad", "split", "optimization_barrier"),
}
"""What moves elements and computes nothing, as long as the carrier is not in an address."""

ARITHMETIC = {
    *("add", "sub", "mul", "neg", "max", "min", "reduce_sum", "reduce_max", "reduce_min", "cumsum", "dot_general"),
    *("add_any", "clamp", "integer_pow", "square"),
}
"""Integer arithmetic that floats repeat exactly (up to 2^24), with a derivative."""

ELEMENTWISE = {
    *("add", "sub", "mul", "neg", "max", "min", "and", "or", "not", "xor", "rem", "div", "select_n", "clamp", "sign"),
    *("abs", "eq", "ne", "lt", "le", "gt", "ge", "convert_element_type", "shift_left", "integer_pow"),
}
"""What can be done candidate by candidate."""


def number(carrier: Carrier, dtype: Any = jnp.float32) -> Array:
    """The carrier as one float: of an index, the sum over the candidates, whose derivative moves between them."""
    if isinstance(carrier, Numeric):
        return carrier.value.astype(dtype)
    return (carrier.weights * carrier.values.astype(carrier.weights.dtype)).sum(-1).astype(dtype)


def joined(hard: Array, carrier: Carrier) -> Array:
    """The landing: value of the float ``hard``, derivative of the carrier."""
    return straight_through(hard, number(carrier, hard.dtype))


def constant_like(hard: Array, pattern: Carrier) -> Carrier:
    """A carrier without derivative for a value that has none, of the structure of another."""
    if isinstance(pattern, Numeric):
        return Numeric(hard.astype(pattern.value.dtype), pattern.keys)
    values = jnp.broadcast_to(pattern.values, jnp.shape(pattern.weights))
    weights = (values == hard[..., None]).astype(pattern.weights.dtype)
    return OneHot(weights, values, pattern.name, pattern.keys)


def keys_of(carriers: list[Carrier | None]) -> tuple[str, ...]:
    """Of all operators whose proxies meet here."""
    return tuple(dict.fromkeys(key for carrier in carriers if carrier is not None for key in carrier.keys))


def candidate_by_candidate(
    equation: Any, bind: Any, hard: list[Array], carriers: list[Carrier | None]
) -> Carrier | None:
    """An element-wise operator on indices: of one index, repeated for each candidate; of two, for each pair of them."""
    hots = [carrier for carrier in carriers if isinstance(carrier, OneHot)]
    names = {hot.name for hot in hots}
    keys = keys_of(carriers)
    if len(names) == 1 and all(carrier is None or isinstance(carrier, OneHot) for carrier in carriers):
        rank = jnp.ndim(hots[0].weights)
        values = [
            _widened(hot.values, rank) if isinstance(hot, OneHot) else _with_candidates(array, rank)
            for array, hot in zip(hard, carriers, strict=True)
        ]
        (made,) = bind(equation, list(jnp.broadcast_arrays(*values)))
        return OneHot(hots[0].weights, made, hots[0].name, keys)
    if len(names) == 2 and len(hard) == 2 and equation.primitive.name in ("eq", "ne"):
        return _pairs(equation, bind, hots[0], hots[1], keys)
    return None


def _pairs(equation: Any, bind: Any, one: OneHot, other: OneHot, keys: tuple[str, ...]) -> Numeric:
    a = jnp.broadcast_to(one.values, one.weights.shape)[..., :, None]
    b = jnp.broadcast_to(other.values, other.weights.shape)[..., None, :]
    (meets,) = bind(equation, list(jnp.broadcast_arrays(a, b)))
    together = one.weights[..., :, None] * other.weights[..., None, :]
    return Numeric((together * meets.astype(together.dtype)).sum((-1, -2)), keys)


def _widened(values: Array, rank: int) -> Array:
    return values.reshape((1,) * (rank - values.ndim) + values.shape)


def _with_candidates(array: Array, rank: int) -> Array:
    return jnp.asarray(array)[..., None] if jnp.ndim(array) == rank - 1 else _widened(jnp.asarray(array), rank)


def moved(equation: Any, bind: Any, hard: list[Array], carriers: list[Carrier | None]) -> list[Carrier | None]:
    """A shape operation: the carrier goes through the same one, its candidates untouched."""
    keys = keys_of(carriers)
    if any(isinstance(carrier, OneHot) for carrier in carriers):
        return _moved_one_hots(equation, bind, hard, carriers, keys)
    floats = [
        number(carrier) if carrier is not None else _as_float(array, position, equation)
        for position, (array, carrier) in enumerate(zip(hard, carriers, strict=True))
    ]
    return [Numeric(made, keys) for made in bind(equation, floats)]


def _as_float(array: Array, position: int, equation: Any) -> Array:
    """Beside floats the other parts must be floats; a choice or an address stays what it is."""
    is_address = equation.primitive.name in ("gather", "dynamic_slice", "select_n") and (
        position == 0 if equation.primitive.name == "select_n" else position >= 1
    )
    return array if is_address else jnp.asarray(array).astype(jnp.float32)


def _moved_one_hots(
    equation: Any, bind: Any, hard: list[Array], carriers: list[Carrier | None], keys: tuple[str, ...]
) -> list[Carrier | None]:
    hots = [carrier for carrier in carriers if isinstance(carrier, OneHot)]
    if len({hot.name for hot in hots}) != 1 or any(isinstance(carrier, Numeric) for carrier in carriers):
        return [None] * len(equation.outvars)
    pattern = hots[0]
    count = pattern.weights.shape[-1]
    weights, values = [], []
    for position, (array, carrier) in enumerate(zip(hard, carriers, strict=True)):
        if isinstance(carrier, OneHot):
            weights.append(carrier.weights)
            values.append(jnp.broadcast_to(carrier.values, carrier.weights.shape))
        elif _as_float(array, position, equation) is array:
            return [None] * len(equation.outvars)
        else:
            # The same for every candidate; whose weights it stands beside makes no difference.
            borrowed = pattern.weights if pattern.weights.shape[:-1] == jnp.shape(array) else None
            weights.append(jnp.full((*jnp.shape(array), count), 1 / count) if borrowed is None else borrowed)
            values.append(jnp.broadcast_to(jnp.asarray(array)[..., None], (*jnp.shape(array), count)))
    along = functools.partial(jax.vmap, in_axes=-1, out_axes=-1)
    moved_weights = along(lambda *parts: tuple(bind(equation, list(parts))))(*weights)
    moved_values = along(lambda *parts: tuple(bind(equation, list(parts))))(*values)
    name = (*pattern.name, equation.primitive.name, str(sorted(equation.params.items(), key=str)))
    return [OneHot(w, v, name, keys) for w, v in zip(moved_weights, moved_values, strict=True)]


def chosen(hard: Array, choice: Carrier, cases: list[Array]) -> Array:
    """Landing in ``select_n``: value and the cases' derivatives as they are, the choice's goes between the two."""
    between = jnp.where(jnp.isfinite(cases[1] - cases[0]), cases[1] - cases[0], 0)
    return _with_derivative(hard, number(choice, hard.dtype) * lax.stop_gradient(between))


def _with_derivative(hard: Array, moves: Array) -> Array:
    """``hard``, and beside its own derivative that of ``moves``, whose value does not count."""
    return straight_through(hard, hard + (moves - lax.stop_gradient(moves)).astype(hard.dtype))


def looked_up(equation: Any, bind: Any, hard: list[Array], result: Array, index: OneHot) -> Array:
    """Landing in a gather: the looked-up entries, weighted by the candidates, are what the derivative moves between."""
    operand, indices = hard[0], hard[1]
    values = jnp.moveaxis(jnp.broadcast_to(index.values, index.weights.shape), -1, 0)
    entries = jax.vmap(lambda at: bind(equation, [operand, at.astype(indices.dtype)])[0])(values)
    numbers = equation.params["dimension_numbers"]
    weights = jnp.moveaxis(_row_weights(index), -1, 0)
    for axis in numbers.offset_dims:
        weights = jnp.expand_dims(weights, axis + 1)
    return _with_derivative(result, (weights * lax.stop_gradient(entries)).sum(0))


def _row_weights(index: OneHot) -> Array:
    """The weights of a row of an index array whose last axis holds the coordinates: those of the one that varies."""
    values = jnp.broadcast_to(index.values, index.weights.shape)
    varies = (values != values[..., :1]).any(-1, keepdims=True)
    # Coordinates that do not vary borrowed the weights, or hold equal ones: any will do.
    first = jnp.argmax(varies, axis=-2, keepdims=True)
    return jnp.take_along_axis(index.weights, first, axis=-2)[..., 0, :]


def sliced(equation: Any, bind: Any, hard: list[Array], result: Array, carriers: list[Carrier | None]) -> Array | None:
    """Landing in a dynamic slice with one index that varies."""
    at = [position for position, carrier in enumerate(carriers) if carrier is not None]
    hot = carriers[at[0]]
    if len(at) != 1 or at[0] == 0 or not isinstance(hot, OneHot):
        return None

    def entry(value: Array) -> Array:
        changed = [value.astype(a.dtype) if position == at[0] else a for position, a in enumerate(hard)]
        return bind(equation, changed)[0]

    entries = jax.vmap(entry)(jnp.broadcast_to(hot.values, hot.weights.shape))
    weights = hot.weights.reshape(-1, *(1,) * result.ndim)
    return _with_derivative(result, (weights * lax.stop_gradient(entries)).sum(0))


def scattered(equation: Any, bind: Any, hard: list[Array], result: Array, index: OneHot) -> Array:
    """Landing in a scatter: each candidate's place receives the update times its weight."""
    operand, indices, updates = hard
    numbers = equation.params["dimension_numbers"]
    values = jnp.moveaxis(jnp.broadcast_to(index.values, index.weights.shape), -1, 0)
    weights = jnp.moveaxis(_row_weights(index), -1, 0)
    for axis in sorted(numbers.update_window_dims):
        weights = jnp.expand_dims(weights, axis + 1)
    mode = equation.params["mode"]

    def placed(at: Array, weight: Array) -> Array:
        part = (lax.stop_gradient(updates) * weight).astype(operand.dtype)
        return lax.scatter_add(jnp.zeros_like(operand), at.astype(indices.dtype), part, numbers, mode=mode)

    return _with_derivative(result, jax.vmap(placed)(values, weights).sum(0))
