"""Contract line 8: every bad input has its sentence, on each framework, and none is answered in silence.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import straightthrough as ste
from native import JAX, TENSORFLOW, TORCH, each_framework, each_pair
from straightthrough import _registry

TO_CONVERT = "make it an array with torch.as_tensor(x), jnp.asarray(x) or tf.convert_to_tensor(x)"
TO_CAST = "cast it to float32, or use the framework's own operator"
AN_ARRAY = "an array of TensorFlow, PyTorch or JAX"

# What a ready operation needs beside x. One that needs more and is not here fails below, and asks for its row.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"), (0.5,)),
    "clip": (-1.0, 1.0),
    "top_k_mask": (1,),
}

each_operation = pytest.mark.parametrize("operation", _registry.operations.values(), ids=_registry.operations)
COMPARISONS = (ste.greater, ste.greater_equal, ste.less, ste.less_equal, ste.equal, ste.not_equal)


def refused(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    """The call raises exactly this error with exactly this sentence."""
    with pytest.raises(ste.SteError) as caught:
        call()
    assert str(caught.value) == message
    assert type(caught.value) is error
    assert "\n" not in message


def arguments(native: Any, operation: ste.Operation) -> tuple[Any, ...]:
    if operation is ste.stochastic_round:
        return (native.generator(0),)
    return ARGUMENTS.get(operation.name, ())


NOT_ARRAYS = {
    "none": (None, "None"),
    "string": ("text", "'text'"),
    "float": (3.0, "3.0"),
    "integer": (3, "3"),
    "boolean": (True, "True"),
    "ragged list": ([[1.0], [1.0, 2.0]], "[[1.0], [1.0, 2.0]]"),
    "list": ([1.0, 2.0], "[1.0, 2.0]"),
    "tuple": ((1.0, 2.0), "(1.0, 2.0)"),
    "dictionary": ({"x": 1}, "{'x': 1}"),
    "numpy array": (np.ones(2, np.float32), "numpy.ndarray"),
    "numpy scalar": (np.float32(1), "numpy.float32"),
    "class": (int, "<class 'int'>"),
}
not_an_array = pytest.mark.parametrize(("value", "shown"), NOT_ARRAYS.values(), ids=NOT_ARRAYS)


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


# 4 to 6: dtypes without a gradient.

DTYPES = ("int8", "uint8", "int32", "int64", "bool", "complex64")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def _of(native: Any, dtype: str, values: Any = (1, 0)) -> Any:
    if native is JAX and dtype == "int64":
        pytest.skip("JAX has int64 in its 64-bit mode only")
    return native.array(list(values), dtype)


@each_dtype
@each_framework
def test_4_to_6_an_operation_wants_floats(native, dtype):
    x = _of(native, dtype)
    for name, operation in _registry.operations.items():
        message = f"{name}: x must be a floating array, got an array of {dtype}; {TO_CAST}"
        refused(ste.DtypeError, message, lambda o=operation: o(x, *arguments(native, o)))


@each_dtype
@each_framework
def test_4_to_6_the_primitives_proxy_must_be_floating(native, dtype):
    x, bad = native.array([0.3, -1.2]), _of(native, dtype)
    message = f"straight_through: proxy must be a floating array, got an array of {dtype}; only floats carry a gradient"
    refused(ste.DtypeError, message, lambda: ste.straight_through(x, bad))
    refused(ste.DtypeError, message, lambda: ste.straight_through(bad, bad))


@each_dtype
@each_framework
def test_4_to_6_a_proxy_wants_floats(native, dtype):
    bad = _of(native, dtype)
    for name in ste.proxies.names():
        proxy = ste.proxies.get(name)
        message = f"{name}: x must be a floating array, got an array of {dtype}; only floats carry a gradient"
        refused(ste.DtypeError, message, lambda proxy=proxy: proxy(bad))
        if proxy.family.elementwise:
            refused(ste.DtypeError, message, lambda proxy=proxy: proxy.slope(bad))


@each_dtype
@each_framework
def test_4_to_6_matched_wants_floats(native, dtype):
    message = f"proxies.matched: x must be a floating array, got an array of {dtype}; cast it to float32"
    refused(ste.DtypeError, message, lambda: ste.proxies.matched("gaussian", _of(native, dtype)))


@each_dtype
@each_framework
def test_4_to_6_a_comparison_wants_one_dtype(native, dtype):
    x, y = native.array([0.3, 1.0]), _of(native, dtype)
    for operation in COMPARISONS:
        message = (
            f"{operation.name}: y must be a number, or an array of x's framework and dtype float32, "
            f"got an array of {dtype}; cast one of them"
        )
        refused(ste.DtypeError, message, lambda o=operation: o(x, y))


@each_framework
def test_6_a_complex_result_is_refused(native):
    x, bad = native.array([0.3, -1.2]), native.array([1, 0], "complex64")
    message = "straight_through: result must be floating, integer or boolean, got an array of complex64"
    refused(ste.DtypeError, message, lambda: ste.straight_through(bad, x))
    message = "levels: the result must be floating, integer or boolean, got an array of complex64"

    def levels(x: Any) -> Any:
        return bad

    refused(ste.DtypeError, message, lambda: ste.with_proxy(levels, "relu")(x))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_4_float8_carries_no_gradient(dtype):
    message = f"sign: x must be a floating array, got an array of {dtype}; {TO_CAST}"
    for x in (TORCH.torch.ones(2).to(getattr(TORCH.torch, dtype)), JAX.array([1.0, 1.0], dtype)):
        refused(ste.DtypeError, message, lambda x=x: ste.sign(x))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool"])
@each_framework
def test_4_and_5_integer_and_boolean_results_are_cast_to_the_proxys_dtype(native, dtype):
    x = native.array([0.3, -1.2], "bfloat16")
    y = ste.straight_through(native.array([1, 0], dtype), x)
    assert y.dtype == x.dtype
    assert native.numpy(y).tolist() == [1, 0]


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


# 9 and 10: shapes.

SHAPES = {
    "does not broadcast": ((2,), (3,)),
    "larger than the proxy": ((3, 1), (3,)),
    "more dimensions": ((1, 3), (3,)),
    "a dimension against none": ((1,), ()),
    "larger along one axis": ((3, 2), (3, 1)),
    "empty against one": ((0,), (1,)),
    "empty against three": ((0,), (3,)),
}


@pytest.mark.parametrize(("have", "want"), SHAPES.values(), ids=SHAPES)
@each_framework
def test_9_and_10_a_result_must_broadcast_to_its_proxy(native, have, want):
    result, proxy = native.array(np.ones(have)), native.array(np.ones(want))
    message = f"straight_through: result must be of a shape that broadcasts to the proxy's {want}, got {have}"
    refused(ste.ShapeError, message, lambda: ste.straight_through(result, proxy))


@pytest.mark.parametrize(
    ("have", "want"),
    [((), (3,)), ((1,), (3,)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((1,), (0,)), ((), (0,)), ((0,), (0,))],
)
@each_framework
def test_9_a_smaller_result_is_broadcast_and_its_proxy_gets_the_whole_gradient(native, have, want):
    result, proxy = native.array(np.full(have, 2.0)), native.array(np.ones(want))
    y = ste.straight_through(result, proxy)
    assert native.numpy(y).tolist() == np.full(want, 2.0).tolist()
    (gradient,) = native.gradients(lambda proxy: ste.straight_through(result, proxy), proxy)
    assert gradient.tolist() == np.ones(want).tolist()


@pytest.mark.parametrize("have", [(3,), (2, 1)])
@each_framework
def test_9_a_proxys_array_must_broadcast_to_the_input(native, have):
    x, array = native.array([0.3, -1.2]), native.array(np.ones(have))
    tail = f"must be of a shape that broadcasts to (2,), got {have}"
    proxy = ste.proxies.clipped_relu(width=array)
    refused(ste.ShapeError, f"sign: clipped_relu's width {tail}", lambda: ste.sign(x, proxy=proxy))
    soft = ste.proxies.softmax(temperature=array)
    message = f"one_hot_argmax: softmax's temperature {tail}"
    refused(ste.ShapeError, message, lambda: ste.one_hot_argmax(x, proxy=soft))


@each_framework
def test_9_a_comparison_must_broadcast(native):
    x, y = native.array([1.0, 2.0]), native.array([1.0, 2.0, 3.0])
    for operation in COMPARISONS:
        message = f"{operation.name}: y must be of a shape that broadcasts with x's (2,), got (3,)"
        refused(ste.ShapeError, message, lambda o=operation: o(x, y))


@pytest.mark.parametrize(
    ("operator", "shape"),
    [(lambda x: x[:, None], (2, 1)), (lambda x: x[:1], (1,)), (lambda x: x[0], ())],
    ids=["longer", "shorter", "scalar"],
)
@each_framework
def test_9_and_10_a_users_operator_must_keep_the_shape(native, operator, shape):
    message = (
        f"<lambda>: the result must be of the input's shape (2,), got {shape}; "
        "an element-wise proxy needs one result per input; give a function of the operator's arguments"
    )
    refused(ste.ShapeError, message, lambda: ste.with_proxy(operator, "relu")(native.array([1.0, 2.0])))


@each_operation
@each_framework
def test_9_no_elements_are_no_error_for_an_element_wise_operation(native, operation):
    if operation in (ste.one_hot_argmax, ste.one_hot_argmin, ste.top_k_mask):
        x = native.array(np.zeros((0, 3)))
    else:
        x = native.array(np.zeros((0,)))
    (gradient,) = native.gradients(lambda x: operation(x, *arguments(native, operation)), x)
    assert gradient.shape == tuple(x.shape)


# 11: a result of a wider dtype.


@pytest.mark.parametrize(
    ("have", "want"),
    [("float32", "bfloat16"), ("float32", "float16"), ("float16", "bfloat16"), ("bfloat16", "float16")],
)
@each_framework
def test_11_a_wider_result_is_refused(native, have, want):
    result, proxy = native.array([1.0, 2.0], have), native.array([1.0, 2.0], want)
    message = (
        f"straight_through: result must be of the proxy's dtype {want} or narrower, got {have}; "
        "a cast would change its value; cast the proxy, or the result yourself"
    )
    refused(ste.DtypeError, message, lambda: ste.straight_through(result, proxy))


@pytest.mark.parametrize("native", [TORCH, TENSORFLOW], ids=lambda native: native.name)
def test_11_float64_with_float32(native):
    result, proxy = native.array([1.0], "float64"), native.array([1.0])
    message = (
        "straight_through: result must be of the proxy's dtype float32 or narrower, got float64; "
        "a cast would change its value; cast the proxy, or the result yourself"
    )
    refused(ste.DtypeError, message, lambda: ste.straight_through(result, proxy))


@pytest.mark.parametrize("have", ["bfloat16", "float16"])
@each_framework
def test_11_a_narrower_result_is_cast(native, have):
    y = ste.straight_through(native.array([1.5], have), native.array([2.0]))
    assert y.dtype == native.array([2.0]).dtype
    assert native.numpy(y).tolist() == [1.5]


# 12: two devices.


def test_12_torch_two_devices():
    torch = TORCH.torch
    here, there = torch.ones(2), torch.ones(2, device="meta")
    message = "straight_through: result must be on the proxy's device cpu, got one on meta"
    refused(ste.ArgumentError, message, lambda: ste.straight_through(there, here))
    message = "straight_through: result must be on the proxy's device meta, got one on cpu"
    refused(ste.ArgumentError, message, lambda: ste.straight_through(here, there))
    width = ste.proxies.clipped_relu(width=torch.ones((), device="meta"))
    message = "sign: clipped_relu's width must be on x's device cpu, got one on meta"
    refused(ste.ArgumentError, message, lambda: ste.sign(here, proxy=width))
    message = "greater: y must be on x's device cpu, got one on meta"
    refused(ste.ArgumentError, message, lambda: ste.greater(here, there))

    def stand_in(x: Any) -> Any:
        return there

    message = "sign: what the proxy stand_in returns must be on x's device cpu, got one on meta"
    refused(ste.ArgumentError, message, lambda: ste.sign(here, proxy=stand_in))


TWO_DEVICES = {
    "jax": (
        """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ["JAX_PLATFORMS"] = "cpu"
import jax
a, b = (jax.device_put(jax.numpy.ones(2), device) for device in jax.devices())
""",
        ("cpu:1", "cpu:0"),
    ),
    "tensorflow": (
        """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
with tf.device("CPU:0"):
    a = tf.identity(tf.ones(2))
with tf.device("CPU:1"):
    b = tf.identity(tf.ones(2))
""",
        ("/job:localhost/replica:0/task:0/device:CPU:1", "/job:localhost/replica:0/task:0/device:CPU:0"),
    ),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in TWO_DEVICES])
def test_12_two_devices_of_one_machine(name):
    pytest.importorskip(name)
    setup, (proxys, results) = TWO_DEVICES[name]
    program = f"""{setup}
import straightthrough as ste
try:
    ste.straight_through(a, b)
except ste.ArgumentError as error:
    print(error)
print(ste.straight_through(a, a).shape[0], ste.sign(b).shape[0])
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(ste.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    message = f"straight_through: result must be on the proxy's device {proxys}, got one on {results}"
    assert done.stdout.splitlines() == [message, "2 2"]


# 13 and 14: names; things that are no proxy.


@each_framework
def test_13_an_unknown_proxy_names_the_nearest(native):
    x = native.array([[0.3, -1.2]])
    for name, operation in _registry.operations.items():
        message = f"{name}: no proxy is named 'clipd_relu'; did you mean 'clipped_relu'?"
        refused(ste.UnknownNameError, message, lambda o=operation: o(x, *arguments(native, o), proxy="clipd_relu"))


def test_13_unknown_names_everywhere():
    known = ", ".join(sorted([*_registry.families, *_registry.aliases]))
    operations = ", ".join(sorted(_registry.operations))
    cases = {
        "with_proxy": (
            lambda: ste.with_proxy(abs, "sigmod"),
            "abs: no proxy is named 'sigmod'; did you mean 'sigmoid'?",
        ),
        "get": (
            lambda: ste.proxies.get("hardtan"),
            "proxies.get: no proxy is named 'hardtan'; did you mean 'hardtanh'?",
        ),
        "get, far": (lambda: ste.proxies.get("xyzzy"), f"proxies.get: no proxy is named 'xyzzy'; there are: {known}"),
        "get, empty": (lambda: ste.proxies.get(""), f"proxies.get: no proxy is named ''; there are: {known}"),
        "describe": (
            lambda: ste.proxies.describe("reluu"),
            "proxies.describe: no proxy is named 'reluu'; did you mean 'relu'?",
        ),
        "plot": (lambda: ste.proxies.plot("reluu"), "proxies.plot: no proxy is named 'reluu'; did you mean 'relu'?"),
        "plot, operator": (
            lambda: ste.proxies.plot("relu", operator="sgn"),
            "proxies.plot: no operation is named 'sgn'; did you mean 'sign'?",
        ),
        "operation": (
            lambda: _registry.operation_named("xyzzy"),
            f"operation: no operation is named 'xyzzy'; there are: {operations}",
        ),
        "matched": (
            lambda: ste.proxies.matched("gausian", None),
            "proxies.matched: no proxy is named 'gausian'; did you mean 'gaussian'?",
        ),
        "scaled": (
            lambda: ste.proxies.scaled("triangel", 2.0),
            "proxies.scaled: no proxy is named 'triangel'; did you mean 'triangle'?",
        ),
    }
    for call, message in cases.values():
        refused(ste.UnknownNameError, message, call)


@pytest.mark.parametrize("text", ["clipped_relu(width=2", "clipped_relu(2)", "atan(alpha=three)", "atan(alpha)"])
def test_13_a_text_that_is_no_proxy(text):
    message = f"sign: proxy must be a name, or a name with numbers such as 'atan(alpha=3)', got {text!r}"
    refused(ste.UnknownNameError, message, lambda: ste.sign(TORCH.array([1.0]), proxy=text))


def test_13_a_text_that_stands_for_an_array():
    """The text of a proxy with an array parameter must not silently become the default width."""
    proxy = ste.proxies.clipped_relu(width=TORCH.array(3.0))
    for text in ("clipped_relu(width=array)", str(proxy)):
        with pytest.raises(ste.ArgumentError, match=r"^sign: .*width"):
            ste.sign(TORCH.array([1.0]), proxy=text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3.0, "3.0"), (2, "2"), (True, "True"), (["relu"], "['relu']")],
    ids=["float", "integer", "boolean", "list"],
)
@each_framework
def test_14_a_proxy_is_a_name_or_a_callable(native, value, shown):
    message = f"must be a name or a callable, got {shown}"
    refused(ste.ArgumentError, f"sign: proxy {message}", lambda: ste.sign(native.array([1.0]), proxy=value))
    refused(ste.ArgumentError, f"abs: proxy {message}", lambda: ste.with_proxy(abs, value))
    refused(ste.ArgumentError, f"proxies.get: proxy {message}", lambda: ste.proxies.get(value))


@each_framework
def test_14_an_array_is_no_proxy(native):
    x = native.array([1.0])
    with pytest.raises(ste.ArgumentError, match=r"^sign: proxy must be a name or a callable, got "):
        ste.sign(x, proxy=x)


def test_14_an_operator_is_callable_and_takes_arrays():
    refused(ste.ArgumentError, "with_proxy: operator must be callable, got 3", lambda: ste.with_proxy(3, "relu"))
    refused(
        ste.ArgumentError, "with_proxy: operator must be callable, got 'sign'", lambda: ste.with_proxy("sign", "relu")
    )
    refused(ste.ArgumentError, "hard: function must be callable, got 3", lambda: ste.hard(3))
    message = (
        "with_proxy: operator must take arrays, got Python's round, which fails on them or gives an int; "
        "use straightthrough.round"
    )
    refused(ste.ArgumentError, message, lambda: ste.with_proxy(round, "identity"))


# 15 and 16: a proxy function's result.


@pytest.mark.parametrize(
    ("stand_in", "shape"), [(lambda x: x[:1], (1,)), (lambda x: x[:, None], (2, 1)), (lambda x: x[0], ())]
)
@each_framework
def test_15_a_proxy_function_must_keep_the_operators_shape(native, stand_in, shape):
    message = f"sign: what the proxy <lambda> returns must be of the operator's shape (2,), got {shape}"
    refused(ste.ShapeError, message, lambda: ste.sign(native.array([0.3, -1.2]), proxy=stand_in))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (1, "1"),
        (1.5, "1.5"),
        ("text", "'text'"),
        ([1.0], "[1.0]"),
        (np.ones(2, "f"), "numpy.ndarray"),
    ],
    ids=["none", "integer", "float", "string", "list", "numpy array"],
)
@each_framework
def test_16_a_proxy_function_must_return_an_array(native, value, shown):
    def stand_in(x: Any) -> Any:
        return value

    message = f"sign: what the proxy stand_in returns must be a floating array of {native.name}, got {shown}"
    refused(ste.FrameworkError, message, lambda: ste.sign(native.array([0.3, -1.2]), proxy=stand_in))


@each_dtype
@each_framework
def test_16_a_proxy_function_must_return_floats(native, dtype):
    bad = _of(native, dtype)

    def stand_in(x: Any) -> Any:
        return bad

    message = (
        f"sign: what the proxy stand_in returns must be a floating array, got an array of {dtype}; "
        "only floats carry a gradient"
    )
    refused(ste.DtypeError, message, lambda: ste.sign(native.array([0.3, -1.2]), proxy=stand_in))


# 17: widths, sharpnesses, temperatures.

OUT_OF_RANGE = {
    "zero": (0, "0"),
    "below zero": (-1.5, "-1.5"),
    "nan": (float("nan"), "nan"),
    "infinite": (float("inf"), "inf"),
    "none": (None, "None"),
    "string": ("2", "'2'"),
    "boolean": (True, "True"),
    "list": ([1.0], "[1.0]"),
    "numpy array": (np.ones(2, np.float32), "array([1., 1.], dtype=float32)"),
}
POSITIVE = sorted(
    (family.name, name)
    for family in _registry.families.values()
    for name, parameter in family.parameters.items()
    if not parameter.whole and parameter.wanted == "> 0"
)


@pytest.mark.parametrize(("value", "shown"), OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
def test_17_widths_and_temperatures_are_above_zero(value, shown):
    assert ("softmax", "temperature") in POSITIVE
    assert ("clipped_relu", "width") in POSITIVE
    for proxy, name in POSITIVE:
        if (proxy, name) == ("ede", "k") and value is None:
            continue  # ede's k follows from its t unless given
        or_array = "" if isinstance(value, (int, float)) and value is not True else ", or a floating array"
        message = f"{proxy}: {name} must be a finite number > 0{or_array}, got {shown}"
        refused(ste.ArgumentError, message, lambda p=proxy, n=name: getattr(ste.proxies, p)(**{n: value}))


def test_17_the_other_ranges():
    cases = {
        "q_pseudo_spike: q must be a finite number > 1, got 1": lambda: ste.proxies.q_pseudo_spike(q=1),
        "reste: power must be a finite number >= 1, got 0.5": lambda: ste.proxies.reste(power=0.5),
        "reste: threshold must be a finite number > 0.1, got 0.1": lambda: ste.proxies.reste(threshold=0.1),
        "log_tailed_relu: alpha must be a finite number >= 0, got -1": lambda: ste.proxies.log_tailed_relu(alpha=-1),
        "leaky_relu: below must be a finite number, got nan": lambda: ste.proxies.leaky_relu(below=float("nan")),
        "square_wave: terms must be a whole number >= 1, got 0": lambda: ste.proxies.square_wave(terms=0),
        "square_wave: terms must be a whole number >= 1, got 1.5": lambda: ste.proxies.square_wave(terms=1.5),
        "square_wave: terms must be a whole number >= 1, got an array; it says how many terms there are": (
            lambda: ste.proxies.square_wave(terms=TORCH.array(2.0))
        ),
        "range_mask: low must be below high, got low=1 and high=1": lambda: ste.proxies.range_mask(low=1, high=1),
        "proxies.scaled: height must be a finite number, got nan": lambda: ste.proxies.scaled("relu", float("nan")),
        "clipped_relu: width must be a finite number > 0, got -2.0": (
            lambda: ste.sign(TORCH.array([1.0]), proxy="clipped_relu(width=-2)")
        ),
        "clipped_relu: width must be a finite number > 0, got nan": lambda: ste.proxies.get("clipped_relu(width=nan)"),
        "softmax: temperature must be a finite number > 0, got 0.0": (
            lambda: ste.one_hot_argmax(TORCH.array([1.0]), proxy="softmax(temperature=0)")
        ),
        "proxies.matched: ratio must be a finite number > 0, got 0": (
            lambda: ste.proxies.matched("gaussian", TORCH.array([1.0, 2.0]), ratio=0)
        ),
        "proxies.matched: ratio must be a finite number > 0, got 'a'": (
            lambda: ste.proxies.matched("gaussian", TORCH.array([1.0, 2.0]), ratio="a")
        ),
        "proxies.matched: ratio must be a finite number > 0, got nan": (
            lambda: ste.proxies.matched("gaussian", TORCH.array([1.0, 2.0]), ratio=float("nan"))
        ),
    }
    for message, call in cases.items():
        refused(ste.ArgumentError, message, call)


@each_dtype
@each_framework
def test_17_an_array_parameter_must_be_floating(native, dtype):
    bad = _of(native, dtype)
    message = f"clipped_relu: width must be a finite number > 0, or a floating array, got an array of {dtype}"
    refused(ste.DtypeError, message, lambda: ste.proxies.clipped_relu(width=bad))


# 19: thresholds and clip ranges.


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2, 1.0), (float("nan"), 1.0), (0.0, float("nan"))])
@each_framework
def test_19_a_clips_low_is_below_its_high(native, low, high):
    message = f"clip: low and high must be numbers with low < high, got {low} and {high}"
    refused(ste.ArgumentError, message, lambda: ste.clip(native.array([0.3]), low, high))


@pytest.mark.parametrize("bad", [None, "a", False, [0.0]], ids=["none", "string", "boolean", "list"])
@each_framework
def test_19_a_clips_bounds_are_numbers(native, bad):
    message = f"clip: low and high must be numbers with low < high, got {bad!r} and 1.0"
    refused(ste.ArgumentError, message, lambda: ste.clip(native.array([0.3]), bad, 1.0))


@pytest.mark.parametrize("bad", [0, -0.5, float("nan"), float("inf"), None, "a", True], ids=repr)
@each_framework
def test_19_a_threshold_is_above_zero(native, bad):
    message = f"ternary: threshold must be a finite number > 0, got {bad!r}"
    refused(ste.ArgumentError, message, lambda: ste.ternary(native.array([0.3]), bad))
    refused(ste.ArgumentError, message, lambda: ste.ternary(native.array([0.3]), threshold=bad))


# 20: axes.

SELECTIONS = {"one_hot_argmax": (), "one_hot_argmin": (), "top_k_mask": (1,)}
each_selection = pytest.mark.parametrize("name", SELECTIONS)


@pytest.mark.parametrize("axis", [2, -3, 1.0, None, "last", True, [0]], ids=repr)
@each_selection
@each_framework
def test_20_an_axis_is_one_of_the_inputs(native, name, axis):
    x, operation = native.array([[0.3, -1.2]]), getattr(ste, name)
    message = f"{name}: axis must be a whole number from -2 to 1, got {axis!r}; x has shape (1, 2)"
    refused(ste.ArgumentError, message, lambda: operation(x, *SELECTIONS[name], axis=axis))
    refused(ste.ArgumentError, message, lambda: operation(x, *SELECTIONS[name], axis))


@each_selection
@each_framework
def test_20_an_axis_has_elements(native, name):
    operation = getattr(ste, name)
    message = f"{name}: x must be of at least one element along the axis, got shape (2, 0), axis -1"
    refused(ste.ArgumentError, message, lambda: operation(native.array(np.zeros((2, 0))), *SELECTIONS[name]))
    message = f"{name}: axis must be an axis of x, which has none, got -1; x has shape ()"
    refused(ste.ArgumentError, message, lambda: operation(native.array(1.0), *SELECTIONS[name]))


@each_framework
def test_20_a_softmax_too(native):
    soft = ste.proxies.softmax()
    message = "softmax: x must be of at least one element along the axis, got shape (0,), axis -1"
    refused(ste.ArgumentError, message, lambda: soft(native.array(np.zeros(0))))
    message = "softmax: axis must be an axis of x, which has none, got -1; x has shape ()"
    refused(ste.ArgumentError, message, lambda: soft(native.array(1.0)))


@pytest.mark.parametrize("k", [0, 3, -1, 1.0, None, "a", True], ids=repr)
@each_framework
def test_20_k_is_a_number_of_elements(native, k):
    message = f"top_k_mask: k must be a whole number >= 1 and at most 2, the length of axis 0, got {k!r}"
    refused(ste.ArgumentError, message, lambda: ste.top_k_mask(native.array([0.3, -1.2]), k))


@each_framework
def test_20_numpy_integers_are_whole_numbers(native):
    x = native.array([[0.3, -1.2], [1.0, 2.0]])
    assert native.numpy(ste.one_hot_argmax(x, axis=np.int64(0))).tolist() == [[0, 0], [1, 1]]
    assert native.numpy(ste.top_k_mask(x, np.int64(2))).tolist() == [[1, 1], [1, 1]]


# 23: keys.

WANTED_KEY = {
    "torch": "a torch.Generator, or None for torch's default one",
    "tensorflow": "a tf.random.Generator, or None for the global one",
    "jax": "one JAX key, as from jax.random.key(0)",
}


def test_23_jax_wants_a_key():
    message = f"stochastic_round: key must be {WANTED_KEY['jax']}, got None; JAX draws nothing without a key"
    refused(ste.ArgumentError, message, lambda: ste.stochastic_round(JAX.array([0.3])))
    refused(ste.ArgumentError, message, lambda: JAX.jax.jit(ste.stochastic_round)(JAX.array([0.3])))


def test_23_jax_wants_one_key():
    random = JAX.jax.random
    for keys in (random.split(random.key(0), 3), random.split(random.PRNGKey(0), 3)):
        message = (
            f"stochastic_round: key must be {WANTED_KEY['jax']}, got an array of shape {keys.shape}; "
            "use jax.vmap to draw once per key"
        )
        refused(ste.ArgumentError, message, lambda keys=keys: ste.stochastic_round(JAX.array([0.3]), keys))
        drawn = JAX.jax.vmap(lambda key: ste.stochastic_round(JAX.array([0.3]), key))(keys)
        assert drawn.shape == (3, 1)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_23_an_array_that_is_no_key(shape):
    array = JAX.jax.numpy.zeros(shape, "uint32")
    with pytest.raises(ste.ArgumentError, match=r"^stochastic_round: key must be one JAX key, as from .*, got "):
        ste.stochastic_round(JAX.array([0.3]), array)


def test_23_a_reused_key_is_found_by_jaxs_own_checker():
    jax = JAX.jax
    x, key = JAX.array([0.3, 0.7]), jax.random.key(0)

    def twice(x: Any, key: Any) -> Any:
        return ste.stochastic_round(x, key) + ste.stochastic_round(x, key)

    def once_each(x: Any, key: Any) -> Any:
        one, two = jax.random.split(key)
        return ste.stochastic_round(x, one) + ste.stochastic_round(x, two)

    with jax.debug_key_reuse(True):
        with pytest.raises(jax.errors.KeyReuseError):
            jax.jit(twice)(x, key)
        assert jax.jit(once_each)(x, jax.random.key(1)).shape == (2,)
        # Differentiating draws once: the same key must not look used twice.
        gradient = jax.jit(jax.grad(lambda x, key: ste.stochastic_round(x, key).sum()))(x, jax.random.key(2))
        assert gradient.tolist() == [1, 1]


@each_pair
def test_23_a_key_of_another_framework(native, other):
    key = other.generator(0)
    shown = f"{type(key).__module__}.{type(key).__qualname__}"
    message = f"stochastic_round: key must be {WANTED_KEY[native.name]}, got {shown}"
    refused(ste.FrameworkError, message, lambda: ste.stochastic_round(native.array([0.3]), key=key))


@pytest.mark.parametrize("bad", [0, "text", 1.5, [1]], ids=repr)
@each_framework
def test_23_a_seed_is_no_key(native, bad):
    message = f"stochastic_round: key must be {WANTED_KEY[native.name]}, got {bad!r}"
    refused(ste.FrameworkError, message, lambda: ste.stochastic_round(native.array([0.3]), key=bad))


# 24: keywords.

TAKES = {
    "round": "x, proxy",
    "sign": "x, proxy",
    "ternary": "x, threshold, proxy",
    "stochastic_round": "x, key, proxy",
    "clip": "x, low, high, proxy",
    "greater": "x, y, proxy",
    "one_hot_argmax": "x, axis, proxy",
    "top_k_mask": "x, k, axis, proxy",
}


@pytest.mark.parametrize("name", TAKES)
@each_framework
def test_24_an_unknown_keyword_names_those_there_are(native, name):
    operation = getattr(ste, name)
    message = f"{name}: {name} takes {TAKES[name]}; got an unexpected keyword argument 'dim'"
    refused(
        ste.ArgumentError,
        message,
        lambda: operation(native.array([0.3]), *arguments(native, operation), dim=1),
    )


@each_framework
def test_24_missing_and_superfluous_arguments(native):
    x = native.array([0.3])
    message = "greater: greater takes x, y, proxy; missing a required argument: 'y'"
    refused(ste.ArgumentError, message, lambda: ste.greater(x))
    message = "top_k_mask: top_k_mask takes x, k, axis, proxy; missing a required argument: 'k'"
    refused(ste.ArgumentError, message, lambda: ste.top_k_mask(x))
    refused(ste.ArgumentError, "sign: sign takes x, proxy; too many positional arguments", lambda: ste.sign(x, 1, 2))


def test_24_no_argument_at_all():
    for name, operation in _registry.operations.items():
        refused(ste.ArgumentError, f"{name}: the array must be given first, by position: {name}(x)", operation)


@each_framework
def test_24_x_by_keyword(native):
    message = "sign: the array must be given first, by position: sign(x)"
    refused(ste.ArgumentError, message, lambda: ste.sign(x=native.array([0.3])))


def test_24_a_parameter_that_the_proxy_does_not_take():
    cases = {
        "clipped_relu: there is no parameter 'widht'; clipped_relu takes width": (
            lambda: ste.sign(TORCH.array([0.3]), proxy="clipped_relu(widht=2)")
        ),
        "identity: there is no parameter 'width'; identity takes no parameters": (
            lambda: ste.proxies.identity(width=2.0)
        ),
        "ede: there is no parameter 'sharpness'; ede takes t, k": lambda: ste.proxies.ede(sharpness=1.0),
    }
    for message, call in cases.items():
        refused(ste.ArgumentError, message, call)


def test_24_parameters_are_given_by_name():
    message = "clipped_relu: parameters must be given by name, got 2.0; write clipped_relu(width=...)"
    refused(ste.ArgumentError, message, lambda: ste.proxies.clipped_relu(2.0))


class _Levels:
    def __call__(self, x: Any, levels: int = 3) -> Any:
        return x

    def as_method(self, x: Any, levels: int = 3) -> Any:
        return x


def _levels(x: Any, levels: int = 3) -> Any:
    return x


@pytest.mark.parametrize(
    "operator", [_levels, _Levels(), _Levels().as_method], ids=["function", "instance", "bound method"]
)
@each_framework
def test_24_a_users_operator_says_what_it_takes(native, operator):
    with pytest.raises(ste.ArgumentError, match=r"takes x, levels, proxy; .*unexpected keyword argument 'levls'$"):
        ste.with_proxy(operator, "relu")(native.array([0.3]), levls=2)


@pytest.mark.parametrize("proxy", ["identity", "relu", _levels], ids=["identity", "relu", "function"])
@each_framework
def test_24_a_type_error_inside_a_users_operator_is_the_users(native, proxy):
    def strict(x: Any, levels: int = 3) -> Any:
        raise TypeError("levels: my own complaint")

    def called_wrong(x: Any, levels: int = 3) -> Any:
        return _levels(x, levls=levels)

    for operator, complaint in ((strict, "my own complaint"), (called_wrong, "levls")):
        with pytest.raises(TypeError, match=complaint) as caught:
            ste.with_proxy(operator, proxy)(native.array([0.3]), levels=2)
        assert not isinstance(caught.value, ste.SteError)


# Inside the compilers: the same sentences, raised while tracing.


def _chain(error: BaseException | None) -> str:
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


COMPILED = {
    "4 integers": (
        lambda x: ste.sign(x > 0),
        f"sign: x must be a floating array, got an array of bool; {TO_CAST}",
    ),
    "5 boolean proxy": (
        lambda x: ste.straight_through(x, x > 0),
        "straight_through: proxy must be a floating array, got an array of bool; only floats carry a gradient",
    ),
    "2 no array": (
        lambda x: ste.straight_through("text", x),
        f"straight_through: result must be {AN_ARRAY}, got 'text'; {TO_CONVERT}",
    ),
    "10 larger result": (
        lambda x: ste.straight_through(x[:, None], x),
        "straight_through: result must be of a shape that broadcasts to the proxy's (2,), got (2, 1)",
    ),
    "13 unknown name": (
        lambda x: ste.sign(x, proxy="clipd_relu"),
        "sign: no proxy is named 'clipd_relu'; did you mean 'clipped_relu'?",
    ),
    "15 shape of a proxy function": (
        lambda x: ste.sign(x, proxy=lambda x: x[:1]),
        "sign: what the proxy <lambda> returns must be of the operator's shape (2,), got (1,)",
    ),
    "16 proxy function without result": (
        lambda x: ste.sign(x, proxy=lambda x: None),
        "sign: what the proxy <lambda> returns must be a floating array of {framework}, got None",
    ),
    "17 width": (
        lambda x: ste.sign(x, proxy="clipped_relu(width=0)"),
        "clipped_relu: width must be a finite number > 0, got 0.0",
    ),
    "19 clip": (
        lambda x: ste.clip(x, 1.0, 0.0),
        "clip: low and high must be numbers with low < high, got 1.0 and 0.0",
    ),
    "20 axis": (
        lambda x: ste.one_hot_argmax(x, axis=1),
        "one_hot_argmax: axis must be a whole number from -1 to 0, got 1; x has shape (2,)",
    ),
    "24 keyword": (
        lambda x: ste.sign(x, axis=1),
        "sign: sign takes x, proxy; got an unexpected keyword argument 'axis'",
    ),
}


@pytest.mark.parametrize(("function", "message"), COMPILED.values(), ids=COMPILED)
@each_framework
def test_the_same_sentences_inside_a_compiler(native, function, message):
    x = native.array([0.3, -1.2])
    message = message.format(framework=native.name)
    if native is TORCH and function is COMPILED["24 keyword"][0]:
        # Dynamo binds the arguments before our code runs, and says what is wrong itself.
        message = "Unexpected keyword arguments: ['axis']"
    # torch.compile and AutoGraph wrap ours in their own.
    with pytest.raises(Exception) as caught:
        native.compiled(function)(x)
    assert message in _chain(caught.value)


@each_framework
def test_a_good_call_still_works_after_a_refused_one(native):
    x = native.array([0.3, -1.2])
    with pytest.raises(ste.SteError):
        ste.sign(x, proxy="clipd_relu")
    assert native.numpy(native.compiled(ste.sign)(x)).tolist() == [1, -1]


# The sentences and their classes.


def test_every_error_is_an_ste_error_and_the_builtin_one():
    builtin = {
        ste.ArgumentError: ValueError,
        ste.ShapeError: ValueError,
        ste.UnknownNameError: ValueError,
        ste.DtypeError: TypeError,
        ste.FrameworkError: TypeError,
        ste.UnsupportedError: NotImplementedError,
        ste.MissingDependencyError: ImportError,
    }
    for error, base in builtin.items():
        assert issubclass(error, ste.SteError)
        assert issubclass(error, base)
    assert issubclass(ste.DataError, ste.SteError)


def test_this_check_can_fail():
    with pytest.raises(AssertionError):
        refused(ste.ArgumentError, "sign: something else", lambda: ste.sign(None))
    with pytest.raises(pytest.fail.Exception):
        refused(ste.ArgumentError, "", lambda: ste.sign(TORCH.array([1.0])))
