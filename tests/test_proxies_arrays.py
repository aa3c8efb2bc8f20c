"""Parameters of a proxy that are scheduled, traced, annealed or learned."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import straightthrough as ste
from native import JAX, TENSORFLOW, TORCH, each_framework
from proxy_table import TABLE
from straightthrough.proxies import schedule

# Schedules.


def test_schedules_of_numbers():
    assert [schedule.linear(2.0, 1.0, step=s, steps=4) for s in (-1, 0, 2, 4, 9)] == [2, 2, 1.5, 1, 1]
    found = [schedule.exponential(100.0, 1.0, step=s, steps=2) for s in (-1, 0, 1, 2, 9)]
    assert found == pytest.approx([100, 100, 10, 1, 1])
    assert [schedule.ede(step=s, steps=3) for s in (0, 1, 2, 3)] == pytest.approx([0.01, 0.1, 1, 10])


@each_framework
def test_schedules_of_arrays_and_traced_arrays(native):
    def annealed(step: Any) -> Any:
        return schedule.linear(2.0, 1.0, step=step, steps=4) * schedule.exponential(100.0, 1.0, step=step, steps=4)

    compiled, traces = native.counted(annealed)
    for step in (0, 1, 2, 4, 7):
        wanted = schedule.linear(2.0, 1.0, step=step, steps=4) * schedule.exponential(100.0, 1.0, step=step, steps=4)
        for dtype in ("int32", "float32"):
            assert float(annealed(native.array(step, dtype))) == pytest.approx(wanted, rel=1e-5)
        assert float(compiled(native.array(step, "int32"))) == pytest.approx(wanted, rel=1e-5)
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("call", "start"),
    [
        (lambda: schedule.linear("1", 2, step=1, steps=2), "schedule.linear: "),
        (lambda: schedule.linear(1, math.nan, step=1, steps=2), "schedule.linear: "),
        (lambda: schedule.linear(1, 2, step="a", steps=2), "schedule.linear: step must be "),
        (lambda: schedule.linear(1, 2, step=math.nan, steps=2), "schedule.linear: step must be "),
        (lambda: schedule.linear(1, 2, step=1, steps=0), "schedule.linear: steps must be "),
        (lambda: schedule.exponential("1", 2, step=1, steps=2), "schedule.exponential: "),
        (lambda: schedule.exponential(0, 2, step=1, steps=2), "schedule.exponential: "),
    ],
)
def test_bad_schedules(call, start):
    with pytest.raises(ste.ArgumentError) as caught:
        call()
    assert str(caught.value).startswith(start)


# Parameters that are arrays: traced, annealed, learned.

ARRAYS = {
    "gaussian": "std",
    "sigmoid": "sharpness",
    "atan": "alpha",
    "triangle": "width",
    "clipped_identity": "width",
}


@each_framework
def test_an_array_parameter_gives_the_slope_of_the_number(native):
    x = native.array([-1.3, -0.4, 0.1, 0.8, 2.0])
    for name, parameter in ARRAYS.items():
        with_number = getattr(ste.proxies, name)(**{parameter: 0.75})
        with_array = getattr(ste.proxies, name)(**{parameter: native.array(0.75)})
        per_element = getattr(ste.proxies, name)(**{parameter: native.array([0.75] * 5)})
        wanted = native.numpy(with_number.slope(x))
        for proxy in (with_array, per_element):
            np.testing.assert_allclose(native.numpy(proxy.slope(x)), wanted, rtol=1e-6, atol=1e-7)
            (gradient,) = native.gradients(lambda x, p=proxy: ste.sign(x, proxy=p), x)
            np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-7)


@each_framework
def test_a_parameter_is_taken_in_the_dtype_of_the_input(native):
    x = native.array([0.5, 3.0], "bfloat16")
    proxy = ste.proxies.clipped_identity(width=native.array(2.0))
    assert ste.sign(x, proxy=proxy).dtype == x.dtype
    (gradient,) = native.gradients(lambda x: ste.sign(x, proxy=proxy), x)
    assert gradient.tolist() == [1, 0]


@each_framework
def test_annealing_an_array_parameter_recompiles_nothing(native):
    def gradient(x: Any, width: Any) -> Any:
        return native.jax.grad(lambda x: ste.sign(x, proxy=ste.proxies.clipped_identity(width=width)).sum())(x)

    def operation(x: Any, width: Any) -> Any:
        return ste.sign(x, proxy=ste.proxies.clipped_identity(width=width))

    x, gradients = native.array([0.5, 1.5, 2.5]), []
    compiled, traces = native.counted(gradient if native is JAX else operation)
    for width in (3.0, 2.0, 1.0):
        if native is JAX:
            gradients.append(compiled(x, native.array(width)).tolist())
        else:
            gradients.append(native.gradients(lambda x, w=width: compiled(x, native.array(w)), x)[0].tolist())
    assert gradients == [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert len(traces) == 1


@each_framework
def test_a_learned_parameter_has_the_gradient_of_the_value(native):
    places = np.float32([-1.3, -0.4, 0.1, 0.8, 2.0])
    cotangent = np.float32([1.0, -2.0, 0.5, 3.0, 1.5])
    h = 1e-5
    for name, parameter in ARRAYS.items():
        formula = TABLE[name][1]

        def operation(x: Any, width: Any, name: str = name, parameter: str = parameter) -> Any:
            return ste.sign(x, proxy=getattr(ste.proxies, name)(**{parameter: width}))

        exact = places.astype(float)
        along = (formula(exact, **{parameter: 0.7 + h}) - formula(exact, **{parameter: 0.7 - h})) / (2 * h)
        for shape in ((), (5,)):
            x, width = native.array(places), native.array(np.full(shape, 0.7))
            for function in (operation, native.compiled(operation)) if shape == () else (operation,):
                gradients = native.gradients(function, x, width, cotangent=native.array(cotangent))
                wanted = cotangent * along if shape == (5,) else np.full(shape, (cotangent * along).sum())
                np.testing.assert_allclose(gradients[1], wanted, rtol=2e-4, atol=2e-5)
                assert gradients[1].shape == shape
                slope = native.numpy(getattr(ste.proxies, name)(**{parameter: 0.7}).slope(x))
                np.testing.assert_allclose(gradients[0], cotangent * slope, rtol=1e-5, atol=1e-6)


def test_an_optimisers_step_moves_a_learned_parameter():
    """One step of plain descent on each framework, in its own words."""
    places = [-0.4, 0.1, 0.8]
    moved = []
    torch = TORCH.torch
    width = torch.nn.Parameter(torch.tensor(0.7))
    optimiser = torch.optim.SGD([width], lr=0.1)
    ste.sign(torch.tensor(places), proxy=ste.proxies.gaussian(std=width)).sum().backward()
    optimiser.step()
    moved.append(float(width.detach()))

    tf = TENSORFLOW.tf
    width = tf.Variable(0.7)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(ste.sign(tf.constant(places), proxy=ste.proxies.gaussian(std=width)))
    tf.keras.optimizers.SGD(0.1).apply_gradients([(tape.gradient(loss, width), width)])
    moved.append(float(width.numpy()))

    x = JAX.array(places)
    gradient = JAX.jax.grad(lambda w: ste.sign(x, proxy=ste.proxies.gaussian(std=w)).sum())(JAX.array(0.7))
    moved.append(0.7 - 0.1 * float(gradient))

    assert moved == pytest.approx([moved[0]] * 3, rel=1e-6)
    assert abs(moved[0] - 0.7) > 1e-3


@each_framework
def test_a_proxy_called_has_its_value_and_its_stated_slope(native):
    x = native.array([-1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
    for name, wanted in {"clipped_identity": [1, 1, 1, 1, 1, 0], "relu": [0, 0, 0, 1, 1, 1]}.items():
        proxy = ste.proxies.get(name)
        assert native.numpy(proxy(x)).tolist() == TABLE[name][1](native.numpy(x), **TABLE[name][0]).tolist()
        assert native.gradients(proxy, x)[0].tolist() == wanted


def test_proxies_with_arrays_copy_and_compare_by_identity():
    width = TORCH.array(2.0)
    proxy = ste.proxies.clipped_relu(width=width)
    assert proxy == ste.proxies.clipped_relu(width=width)
    assert hash(proxy) == hash(ste.proxies.clipped_relu(width=width))
    assert proxy != ste.proxies.clipped_relu(width=TORCH.array(2.0))
    for again in (copy.deepcopy(proxy), pickle.loads(pickle.dumps(proxy))):
        assert float(again.parameters["width"]) == 2
        assert again.curve is proxy.curve
