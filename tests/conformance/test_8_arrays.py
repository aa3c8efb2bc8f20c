"""Contract line 8: what is no array, and arrays of two frameworks.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import straightthrough as ste
from conformance.refusals import AN_ARRAY, ARGUMENTS, COMPARISONS, TO_CAST, TO_CONVERT, not_an_array, refused
from native import JAX, TENSORFLOW, each_framework, each_pair
from straightthrough import _registry

# 1 to 3: None; strings and other things that are no arrays; ragged lists.


@not_an_array
def test_1_to_3_an_operation_wants_an_array(value, shown):
    for name, operation in _registry.operations.items():
        message = f"{name}: x must be {AN_ARRAY}, got {shown}; {TO_CONVERT}"
        refused(ste.FrameworkError, message, lambda o=operation: o(value, *ARGUMENTS.get(o.name, ())))


@not_an_array
@each_framework
def test_1_to_3_the_primitive_wants_arrays(native, value, shown):
    x = native.array([0.3, -1.2])
    tail = f"must be {AN_ARRAY}, got {shown}; {TO_CONVERT}"
    refused(ste.FrameworkError, f"straight_through: result {tail}", lambda: ste.straight_through(value, x))
    refused(ste.FrameworkError, f"straight_through: proxy {tail}", lambda: ste.straight_through(x, value))
    refused(ste.FrameworkError, f"stop_gradient: x {tail}", lambda: ste.stop_gradient(value))


@not_an_array
def test_1_to_3_a_proxy_wants_an_array(value, shown):
    for name in ste.proxies.names():
        message = f"{name}: x must be {AN_ARRAY}, got {shown}; {TO_CONVERT}"
        refused(ste.FrameworkError, message, lambda name=name: ste.proxies.get(name)(value))


@not_an_array
@each_framework
def test_1_to_3_a_users_operator_must_return_an_array(native, value, shown):
    message = f"levels: what the operator returns must be {AN_ARRAY}, got {shown}; {TO_CONVERT}"

    def levels(x: Any) -> Any:
        return value

    refused(ste.FrameworkError, message, lambda: ste.with_proxy(levels, "relu")(native.array([1.0])))


@not_an_array
def test_1_to_3_matched_wants_an_array(value, shown):
    message = f"proxies.matched: x must be {AN_ARRAY}, got {shown}; {TO_CONVERT}"
    refused(ste.FrameworkError, message, lambda: ste.proxies.matched("gaussian", value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "None"), ("text", "'text'"), (np.ones(2, "f"), "numpy.ndarray"), (True, "True")],
    ids=["none", "string", "numpy array", "boolean"],
)
@each_framework
def test_1_to_3_a_comparison_wants_a_number_or_an_array(native, value, shown):
    for operation in COMPARISONS:
        message = f"{operation.name}: y must be a number, or an array of x's framework and dtype float32, got {shown}"
        refused(ste.FrameworkError, message, lambda o=operation: o(native.array([0.3]), value))


def test_1_to_3_tensorflows_own_containers_and_strings():
    tf = TENSORFLOW.tf
    x, text = tf.constant([1.0]), tf.constant(["a"])
    for value in (tf.sparse.from_dense([[1.0, 0.0]]), tf.ragged.constant([[1.0], [1.0, 2.0]])):
        shown = f"{type(value).__module__}.{type(value).__qualname__}"
        message = f"sign: x must be {AN_ARRAY}, got {shown}; {TO_CONVERT}"
        refused(ste.FrameworkError, message, lambda value=value: ste.sign(value))
    message = f"sign: x must be a floating array, got an array of string; {TO_CAST}"
    refused(ste.DtypeError, message, lambda: ste.sign(text))
    message = "straight_through: result must be floating, integer or boolean, got an array of string"
    refused(ste.DtypeError, message, lambda: ste.straight_through(text, x))


def test_1_to_3_a_keras_tensor_belongs_in_a_layer():
    keras = pytest.importorskip("keras")
    message = (
        f"sign: x must be {AN_ARRAY}, got keras.src.backend.common.keras_tensor.KerasTensor; "
        "put the operation in a layer: straightthrough.keras.StraightThrough(operation)(x)"
    )
    refused(ste.FrameworkError, message, lambda: ste.sign(keras.KerasTensor((2,))))


def test_variables_of_keras_and_flax_are_arrays():
    keras, nnx = pytest.importorskip("keras"), pytest.importorskip("flax.nnx")
    jnp = JAX.jax.numpy
    tf_variable, nnx_variable = TENSORFLOW.tf.Variable([-2.0, 3.0]), nnx.Param(jnp.asarray([-2.0, 3.0]))
    for variable in (keras.Variable([-2.0, 3.0]), tf_variable, nnx_variable):
        assert np.asarray(ste.sign(variable)).tolist() == [-1, 1]
        assert np.asarray(ste.straight_through(variable, variable)).tolist() == [-2, 3]
        assert np.asarray(ste.greater(variable, variable)).tolist() == [0, 0]
        assert np.asarray(ste.proxies.relu()(variable)).tolist() == [0, 3]
    learned = ste.proxies.clipped_identity(width=nnx.Param(jnp.asarray(2.0)))
    assert JAX.gradients(lambda x: ste.sign(x, proxy=learned), jnp.asarray([1.5, 2.5]))[0].tolist() == [1, 0]


# 7 and 8: arrays of two frameworks.


@each_pair
def test_7_and_8_result_and_proxy_of_two_frameworks(native, other):
    x, y = native.array([0.3, -1.2]), other.array([0.3, -1.2])
    message = f"straight_through: proxy must be an array of {native.name} like the first one, got one of {other.name}"
    refused(ste.FrameworkError, message, lambda: ste.straight_through(x, y))


@each_pair
def test_7_a_comparison_of_two_frameworks(native, other):
    x, y = native.array([0.3, -1.2]), other.array([0.3, -1.2])
    for operation in COMPARISONS:
        wanted = "a number, or an array of x's framework and dtype float32"
        message = f"{operation.name}: y must be {wanted}, got an array of {other.name}"
        refused(ste.FrameworkError, message, lambda o=operation: o(x, y))


@each_pair
def test_7_a_proxys_array_of_another_framework(native, other):
    x, one = native.array([0.3, -1.2]), other.array(1.0)
    tail = f"must be an array of {native.name} like the first one, got one of {other.name}"
    proxy = ste.proxies.clipped_relu(width=one)
    refused(ste.FrameworkError, f"sign: clipped_relu's width {tail}", lambda: ste.sign(x, proxy=proxy))
    refused(ste.FrameworkError, f"clipped_relu: clipped_relu's width {tail}", lambda: proxy(x))
    soft = ste.proxies.softmax(temperature=one)
    message = f"one_hot_argmax: softmax's temperature {tail}"
    refused(ste.FrameworkError, message, lambda: ste.one_hot_argmax(x, proxy=soft))


@pytest.mark.parametrize("proxy", ["identity", "relu"])
@each_pair
def test_7_a_users_operator_that_leaves_the_framework(native, other, proxy):
    x, y = native.array([0.3, -1.2]), other.array([0.3, -1.2])

    def levels(x: Any) -> Any:
        return y

    message = (
        f"levels: what the operator returns must be an array of {native.name} like the first one, "
        f"got one of {other.name}"
    )
    refused(ste.FrameworkError, message, lambda: ste.with_proxy(levels, proxy)(x))


@each_pair
def test_7_a_proxy_function_that_leaves_the_framework(native, other):
    x, y = native.array([0.3, -1.2]), other.array([0.3, -1.2])

    def stand_in(x: Any) -> Any:
        return y

    shown = f"{type(y).__module__}.{type(y).__qualname__}"
    message = f"sign: what the proxy stand_in returns must be a floating array of {native.name}, got {shown}"
    refused(ste.FrameworkError, message, lambda: ste.sign(x, proxy=stand_in))
