"""The checks in TensorFlow: numbers in and out, and each transformation; see `testing.torch`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Array = Any
Function = Callable[[Array], Array]
Outcome = dict[str, Array]


def array(values: Any, dtype: str) -> Array:
    """Numbers as an array of the framework."""
    return tf.cast(tf.constant(np.asarray(values, np.float64)), dtype)


def numbers(x: Array) -> Any:
    """An array as numbers in float64."""
    return tf.cast(x, tf.float64).numpy()


def dtype_name(x: Array) -> str:
    """``"float32"``, ..."""
    return str(x.dtype.name)


def precise() -> contextlib.AbstractContextManager[Any]:
    """A context in which float64 is to be had."""
    return contextlib.nullcontext()


def gradients(function: Callable[..., Array], inputs: Sequence[Array], weight: Array) -> tuple[Array, list[Array]]:
    """The value, and the loss gradient pulled back to each input; zeros where nothing arrives."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
    found = tape.gradient(value, inputs, output_gradients=weight, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return value, list(found)


def _each(one: Callable[[Function, Array, Array], Outcome]) -> Callable[..., list[Outcome]]:
    def run(functions: Sequence[Function], x: Array, weight: Array) -> list[Outcome]:
        return [one(function, x, weight) for function in functions]

    return run


def _graph(one: Callable[[Function, Array, Array], Outcome], **options: Any) -> Callable[..., list[Outcome]]:
    """All functions in one tf.function."""

    def run(functions: Sequence[Function], x: Array, weight: Array) -> list[Outcome]:
        program = tf.function(lambda x, weight: [one(f, x, weight) for f in functions], **options)
        found: list[Outcome] = program(x, weight)
        return found

    return run


def _tape(function: Function, x: Array, weight: Array) -> Outcome:
    value, (gradient,) = gradients(function, [x], weight)
    return {"value": value, "gradient": gradient}


def _nested_tapes(function: Function, x: Array, weight: Array) -> Outcome:
    with tf.GradientTape() as tape:
        tape.watch(x)
        _, (gradient,) = gradients(function, [x], weight)
    second = tape.gradient(gradient, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return {"gradient": gradient, "second": second}


def _accumulator(function: Function, x: Array, weight: Array) -> Outcome:
    with tf.autodiff.ForwardAccumulator(x, weight) as accumulator:
        value = function(x)
    return {"value": value, "tangent": accumulator.jvp(value, tf.UnconnectedGradients.ZERO)}


def _accumulator_over_tape(function: Function, x: Array, weight: Array) -> Outcome:
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
        _, (gradient,) = gradients(function, [x], weight)
    return {"gradient": gradient, "second": accumulator.jvp(gradient, tf.UnconnectedGradients.ZERO)}


def _jacobian(function: Function, x: Array, weight: Array) -> Outcome:
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return {"jacobian": tape.jacobian(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)}


def _vectorized_map(function: Function, x: Array, weight: Array) -> Outcome:
    rows, grads = tf.stack([x, x]), tf.stack([weight, weight])
    found = tf.vectorized_map(lambda pair: _tape(function, *pair), (rows, grads))
    return {name: rows[1] for name, rows in found.items()}


def _recompute_grad(function: Function, x: Array, weight: Array) -> Outcome:
    return _tape(tf.recompute_grad(function), x, weight)


def _while_loop(function: Function, x: Array, weight: Array) -> Outcome:
    def looped(x: Array) -> Array:
        return tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, function(x)), (0, x))[1]

    return _tape(looped, x, weight)


TRANSFORMATIONS: dict[str, Callable[..., list[Outcome]]] = {
    "eager": _each(_tape),
    "function": _graph(_tape, autograph=False),
    "function_autograph": _graph(_tape, autograph=True),
    "jit_compile": _graph(_tape, autograph=False, jit_compile=True),
    "nested_tapes": _each(_nested_tapes),
    "nested_tapes_function": _graph(_nested_tapes, autograph=False),
    "accumulator": _each(_accumulator),
    "accumulator_over_tape": _each(_accumulator_over_tape),
    "accumulator_function": _graph(_accumulator, autograph=False),
    "jacobian": _each(_jacobian),
    "vectorized_map": _each(_vectorized_map),
    "recompute_grad": _each(_recompute_grad),
    "while_loop": _graph(_while_loop, autograph=False),
}
CHEAP = tuple(TRANSFORMATIONS)
