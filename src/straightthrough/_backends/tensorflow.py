"""The array table for TensorFlow, and its derivative primitive."""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util

from straightthrough._backends._table import Curve
from straightthrough._errors import FrameworkError, UnsupportedError, kind_of, wrong

NAME = "tensorflow"
Array = Any

exp, expm1, log1p, log, sqrt = tf.math.exp, tf.math.expm1, tf.math.log1p, tf.math.log, tf.math.sqrt
sin, cos, tanh, arctan, erf = tf.math.sin, tf.math.cos, tf.math.tanh, tf.math.atan, tf.math.erf
magnitude = tf.math.abs
isnan, isfinite = tf.math.is_nan, tf.math.is_finite
round, floor, ceil = tf.math.round, tf.math.floor, tf.math.ceil
where = tf.where

_FLOATING = {tf.float64, tf.float32, tf.bfloat16, tf.float16}
_HALF = {tf.bfloat16, tf.float16}


def is_floating(x: Array) -> bool:
    return x.dtype in _FLOATING


def dtype_name(x: Array) -> str:
    return str(x.dtype.name)


def shape(x: Array) -> tuple[int | None, ...]:
    return tuple(x.shape.as_list()) if x.shape.rank is not None else ()


def device(x: Array) -> str | None:
    # Inside a tf.function a tensor has no place yet.
    return str(x.device) if tf.executing_eagerly() else None


def cast(x: Array, like: Array) -> Array:
    return tf.cast(x, like.dtype)


def widen(x: Array) -> Array:
    return tf.cast(x, tf.float32) if x.dtype in _HALF else x


def mask(condition: Array, like: Array) -> Array:
    return tf.cast(condition, like.dtype)


def _like(value: Array | float, x: Array) -> Array:
    return tf.constant(value, x.dtype) if isinstance(value, float) else tf.cast(value, x.dtype)


def clip(x: Array, low: Array | float, high: Array | float) -> Array:
    low, high = _like(low, x), _like(high, x)
    return tf.where(x >= high, high, tf.where(x <= low, low, x))


def bound(x: Array, low: float, high: float) -> Array:
    # One kernel for the two comparisons and choices of `clip`.
    return tf.raw_ops.ClipByValue(t=x, clip_value_min=_like(low, x), clip_value_max=_like(high, x))


def logistic_slope(u: Array, height: Array | float) -> Array:
    # One kernel for two products and a difference; its own derivative is known.
    return tf.raw_ops.SigmoidGrad(y=tf.math.sigmoid(u), dy=tf.broadcast_to(_like(height, u), tf.shape(u)))


def direction(x: Array) -> Array:
    return tf.stop_gradient(tf.sign(x))


def power(x: Array, exponent: Array | float) -> Array:
    return tf.pow(x, _like(exponent, x))


def trunc(x: Array) -> Array:
    return tf.where(x < 0, tf.math.ceil(x), tf.math.floor(x))


def softmax(x: Array, axis: int) -> Array:
    return tf.nn.softmax(x, axis=axis)


def sum(x: Array, axis: int) -> Array:
    return tf.reduce_sum(x, axis=axis, keepdims=True)


def cumsum(x: Array, axis: int) -> Array:
    return tf.cumsum(x, axis=axis)


def swap_to_last(x: Array, axis: int) -> Array:
    axes = list(range(x.shape.rank))
    axes[axis], axes[-1] = axes[-1], axes[axis]
    return tf.transpose(x, axes)


def order(x: Array) -> Array:
    x = widen(x)
    # XLA folds x + 0.0 away, so the sign of -0.0 is removed by a choice.
    x = tf.where(x == 0, tf.zeros_like(x), x)
    bits = tf.bitcast(x, tf.int32 if x.dtype == tf.float32 else tf.int64)
    largest = tf.constant(bits.dtype.max, bits.dtype)
    bits = tf.where(bits < 0, tf.bitwise.bitwise_xor(bits, largest), bits)
    return tf.where(tf.math.is_nan(x), largest, bits)


def kth_largest(x: Array, k: int) -> Array:
    return tf.math.top_k(x, k, sorted=True).values[..., -1:]


def argmax_mask(x: Array, axis: int) -> Array:
    # tf.argmax skips nan: the first one, if there is any, is looked for apart.
    nans = tf.math.is_nan(x)
    index = tf.where(
        tf.reduce_any(nans, axis=axis),
        tf.argmax(tf.cast(nans, tf.int32), axis=axis),
        tf.argmax(widen(x), axis=axis),
    )
    return tf.one_hot(index, tf.shape(x)[axis], on_value=True, off_value=False, dtype=tf.bool, axis=axis)


def take(values: Array, indices: Array) -> Array:
    return tf.gather(values, indices)


def constant(values: Any, like: Array) -> Array:
    return tf.convert_to_tensor(values, dtype=like.dtype)


def to_index(x: Array) -> Array:
    return tf.cast(tf.where(tf.math.is_nan(x), tf.zeros_like(x), x), tf.int32)


def uniform(key: Any, like: Array, function: str) -> Array:
    dtype = tf.float64 if like.dtype == tf.float64 else tf.float32
    if key is None:
        return tf.random.uniform(tf.shape(like), dtype=dtype)
    if not isinstance(key, tf.random.Generator):
        raise FrameworkError(wrong(function, "key", "a tf.random.Generator, or None for the global one", kind_of(key)))
    return key.uniform(tf.shape(like), dtype=dtype)


def broadcast_to(x: Array, like: Array) -> Array:
    return tf.broadcast_to(x, tf.shape(like))


def detach(x: Array) -> Array:
    # The rule below gives no gradient to a result, and then TensorFlow does not differentiate it.
    return x


def stop_gradient(x: Array) -> Array:
    return tf.stop_gradient(x)


def _under_forward_mode(result: Array, *arrays: Array) -> Array:
    """``result`` as a ForwardAccumulator needs it; nothing changes when there is none.

    In eager mode the accumulator would take the tangent of ``result`` itself for that of the custom gradient. Inside a
    tf.function it loses the tangent in silence, so that is refused.
    """
    if not forwardprop_util.pack_tangents([result, *arrays]).tangents:
        return result
    if not tf.executing_eagerly():
        raise UnsupportedError(
            "straight_through: TensorFlow's ForwardAccumulator inside a tf.function loses the tangent of a custom "
            "gradient; use it outside the tf.function, or differentiate with tf.GradientTape"
        )
    return tf.stop_gradient(result)


def straight_through(result: Array, proxy: Array) -> Array:
    result, proxy = tf.convert_to_tensor(result), tf.convert_to_tensor(proxy)

    @tf.custom_gradient
    def through(result: Array, proxy: Array) -> tuple[Array, Any]:
        return result, lambda gradient: (None, gradient)

    return through(_under_forward_mode(result, proxy), proxy)


def _times_slope(gradient: Array, x: Array, curve: Curve, arrays: typing.Sequence[Array]) -> Array:
    """gradient × slope(x), exactly 0 where the slope is 0; a window is one choice."""
    xp = typing.cast(Any, sys.modules[__name__])
    inside = curve.window(xp, x, *arrays)
    if inside is not None:
        return tf.where(inside, gradient, tf.zeros((), gradient.dtype))
    # One kernel for a comparison, a choice and a product: 0 where the slope is 0, whatever the gradient.
    return tf.math.multiply_no_nan(gradient, curve.slope(xp, x, *arrays))


def attach_slope(result: Array, x: Array, curve: Curve, arrays: tuple[Array, ...]) -> Array:
    result, x, *arrays = (tf.convert_to_tensor(array) for array in (result, x, *arrays))  # type: ignore[assignment]
    xp = typing.cast(Any, sys.modules[__name__])

    @tf.custom_gradient
    def attached(result: Array, x: Array, *arrays: Array) -> tuple[Array, Any]:
        def backward(gradient: Array) -> Any:
            x_gradient = _times_slope(gradient, x, curve, arrays)
            if not arrays:
                return None, x_gradient
            with tf.GradientTape() as tape:
                tape.watch(arrays)
                value = curve.value(xp, x, *arrays)
            return None, x_gradient, *tape.gradient(value, list(arrays), output_gradients=gradient)

        return result, backward

    return attached(_under_forward_mode(result, x, *arrays), x, *arrays)


def standard_deviation(x: Array) -> Array:
    return tf.math.reduce_std(x)


def as_float(x: Array) -> Array:
    return x if x.dtype.is_floating else tf.cast(x, tf.float32)


def from_numpy(values: Any) -> Array:
    return tf.convert_to_tensor(values)


def binary_sign(x: Array) -> Array:
    # Three vectorised passes; a choice by a mask costs ten times one of them. sign(0) + ½ is positive, nan stays nan.
    return tf.sign(tf.sign(x) + 0.5)


def gradient_possible() -> bool:
    return True


def step(x: Array) -> Array:
    # As above. Under XLA a relu of -0.0 keeps its sign; a square has none, and abs would be optimised away.
    return tf.square(tf.nn.relu(tf.sign(x)))


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


clamp = clip
without_gradient = attach_difference = None
