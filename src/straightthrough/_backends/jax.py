"""The array table for JAX, and its derivative primitive."""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from straightthrough._backends._table import Curve
from straightthrough._errors import ArgumentError, FrameworkError, kind_of, wrong
from straightthrough._mode import mode

NAME = "jax"
Array = Any

exp, expm1, log1p, log, sqrt = jnp.exp, jnp.expm1, jnp.log1p, jnp.log, jnp.sqrt
sin, cos, tanh, arctan, erf = jnp.sin, jnp.cos, jnp.tanh, jnp.arctan, jax.scipy.special.erf
power, isnan, isfinite = jnp.power, jnp.isnan, jnp.isfinite
round, floor, ceil, trunc = jnp.round, jnp.floor, jnp.ceil, jnp.trunc
where = jnp.where

_FLOATING = {"float64", "float32", "bfloat16", "float16"}
_HALF = {"bfloat16", "float16"}


def is_floating(x: Array) -> bool:
    return x.dtype.name in _FLOATING


def dtype_name(x: Array) -> str:
    return str(x.dtype.name)


def shape(x: Array) -> tuple[int | None, ...]:
    return tuple(x.shape)


def device(x: Array) -> str | None:
    # A tracer has no place yet, and an array may lie on several devices.
    if isinstance(x, jax.core.Tracer) or not x.committed:
        return None
    return ", ".join(sorted(str(place) for place in x.devices()))


def cast(x: Array, like: Array) -> Array:
    return x.astype(like.dtype)


def widen(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype.name in _HALF else x


def mask(condition: Array, like: Array) -> Array:
    return condition.astype(like.dtype)


def clip(x: Array, low: Array | float, high: Array | float) -> Array:
    return jnp.where(x >= high, high, jnp.where(x <= low, low, x))


def logistic_slope(u: Array, height: Array | float) -> Array:
    s = jax.nn.sigmoid(u)
    return s * (height - s * height)


def direction(x: Array) -> Array:
    return lax.stop_gradient(jnp.sign(x))


def magnitude(x: Array) -> Array:
    return x * direction(x)


def softmax(x: Array, axis: int) -> Array:
    return jax.nn.softmax(x, axis=axis)


def sum(x: Array, axis: int) -> Array:
    return jnp.sum(x, axis=axis, keepdims=True, dtype=x.dtype)


def cumsum(x: Array, axis: int) -> Array:
    return jnp.cumsum(x, axis=axis)


def swap_to_last(x: Array, axis: int) -> Array:
    return jnp.swapaxes(x, axis, -1)


def order(x: Array) -> Array:
    x = lax.stop_gradient(widen(x))
    # XLA folds x + 0.0 away, so the sign of -0.0 is removed by a choice.
    x = jnp.where(x == 0, jnp.zeros_like(x), x)
    bits = lax.bitcast_convert_type(x, jnp.int32 if x.dtype.name == "float32" else jnp.int64)
    largest = jnp.iinfo(bits.dtype).max
    bits = jnp.where(bits < 0, bits ^ largest, bits)
    return jnp.where(jnp.isnan(x), largest, bits)


def kth_largest(x: Array, k: int) -> Array:
    return lax.top_k(x, k)[0][..., -1:]


def argmax_mask(x: Array, axis: int) -> Array:
    index = jnp.argmax(x, axis=axis, keepdims=True)
    axis = axis % x.ndim
    return lax.broadcasted_iota(index.dtype, x.shape, axis) == index


def take(values: Array, indices: Array) -> Array:
    return jnp.take(values, indices, mode="clip")


def constant(values: Any, like: Array) -> Array:
    return jnp.asarray(values, dtype=like.dtype)


def to_index(x: Array) -> Array:
    return jnp.nan_to_num(x, nan=0.0).astype(jnp.int32)


def _check_key(key: Any, function: str) -> None:
    wanted = "one JAX key, as from jax.random.key(0)"
    if key is None:
        raise ArgumentError(wrong(function, "key", wanted, "None", "JAX draws nothing without a key"))
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    raw = isinstance(key, jax.Array) and key.dtype.name == "uint32"
    if not typed and not raw:
        raise FrameworkError(wrong(function, "key", wanted, kind_of(key)))
    shape = () if typed else jax.random.key_data(jax.random.key(0)).shape
    if key.shape != shape:
        got = f"an array of shape {key.shape}"
        remedy = "use jax.vmap to draw once per key" if len(key.shape) > len(shape) else ""
        raise ArgumentError(wrong(function, "key", wanted, got, remedy))


def uniform(key: Any, like: Array, function: str) -> Array:
    _check_key(key, function)
    dtype = jnp.float64 if like.dtype.name == "float64" else jnp.float32
    return jax.random.uniform(key, like.shape, dtype=dtype)


def broadcast_to(x: Array, like: Array) -> Array:
    return jnp.broadcast_to(x, like.shape)


def detach(x: Array) -> Array:
    # An exported graph would keep it. Under jax.grad a tracer may hold a numpy array, which would come out bare.
    return x if mode.hard_only else jnp.asarray(lax.stop_gradient(x))


def stop_gradient(x: Array) -> Array:
    return jnp.asarray(lax.stop_gradient(x))


@jax.custom_jvp
def straight_through(result: Array, proxy: Array) -> Array:
    return result


@straight_through.defjvp
def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    result, proxy = primals
    # The function itself, not `result`: a derivative of the derivative must find the rule again.
    return straight_through(result, proxy), tangents[1]


def _times_slope(tangent: Array, x: Array, curve: Curve, arrays: list[Array]) -> Array:
    """tangent × slope(x), exactly 0 where the slope is 0; a window is one choice."""
    xp = typing.cast(Any, sys.modules[__name__])
    inside = curve.window(xp, x, *arrays)
    if inside is not None:
        return jnp.where(inside, tangent, jnp.zeros_like(tangent))
    slope = curve.slope(xp, x, *arrays)
    return jnp.where(slope == 0, jnp.zeros_like(tangent), tangent) * slope


_attached: dict[str, Callable[..., Array]] = {}


def _attach(curve: Curve) -> Callable[..., Array]:
    """``(result, x, *arrays) -> result`` with the derivative of ``curve``; one function per curve: jit caches hold."""
    xp = typing.cast(Any, sys.modules[__name__])

    @jax.custom_jvp
    def attached(result: Array, x: Array, *arrays: Array) -> Array:
        return result

    def rule(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Any]:
        result, x, *arrays = primals
        _, tangent, *array_tangents = tangents
        total: Any = jnp.zeros_like(result)
        if not isinstance(tangent, SymbolicZero):
            total = _times_slope(tangent, x, curve, arrays)
        # A learned parameter needs the proxy's value differentiated; nobody else pays for it.
        moved = [i for i, t in enumerate(array_tangents) if not isinstance(t, SymbolicZero)]
        if moved:

            def value(*some: Array) -> Array:
                merged = list(arrays)
                for i, array in zip(moved, some, strict=True):
                    merged[i] = array
                return curve.value(xp, x, *merged)

            _, along = jax.jvp(value, tuple(arrays[i] for i in moved), tuple(array_tangents[i] for i in moved))
            total = total + along
        return attached(*primals), total

    attached.defjvp(rule, symbolic_zeros=True)
    return typing.cast("Callable[..., Array]", attached)


def attach_slope(result: Array, x: Array, curve: Curve, arrays: tuple[Array, ...]) -> Array:
    function = _attached.get(curve.key)
    if function is None:
        function = _attached[curve.key] = _attach(curve)
    return function(result, x, *arrays)


def standard_deviation(x: Array) -> Array:
    return jnp.std(x)


def as_float(x: Array) -> Array:
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)


def from_numpy(values: Any) -> Array:
    return jnp.asarray(values)


def binary_sign(x: Array) -> Array:
    one = jnp.ones_like(x)
    return jnp.where(x >= 0, one, jnp.where(x < 0, -one, x))


def gradient_possible() -> bool:
    return True


def step(x: Array) -> Array:
    return jnp.where(jnp.isnan(x), x, mask(x > 0, x))


def ternary(x: Array, threshold: float) -> Array:
    hard = mask(x > threshold, x) - mask(x < -threshold, x)
    return where(isnan(x), x, hard)


def stochastic_round(x: Array, key: Any) -> Array:
    below = floor(x)
    draw = uniform(key, x, "stochastic_round")
    # + 0.0 would turn -0.0 into 0.0.
    return where(draw < cast(x - below, draw), below + 1.0, below)


def compare(relation: Callable[[Any, Any], Array], x: Array, y: Array | float) -> Array:
    return mask(relation(x, y), x)


bound = clamp = clip
without_gradient = attach_difference = None
