"""Contract line 8: shapes that do not fit, and two devices.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import straightthrough as ste
from conformance.refusals import COMPARISONS, arguments, each_operation, refused
from native import TORCH, each_framework

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
