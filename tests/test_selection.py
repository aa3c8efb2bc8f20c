"""What is special to selections: ties, nan, axes, and the Jacobian that their gradient is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import straightthrough as ste
from native import TORCH, each_framework

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@each_framework
def test_the_first_of_the_largest_wins_and_nan_is_larger_still(native, dtype):
    rows = [[1, 3, 3, 2], [-0.0, 0.0, 0.0, -1], [NAN, INF, NAN, 0], [-INF, -INF, -INF, -INF], [INF, 1, INF, 0]]
    largest = [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    smallest = [[1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    x = native.array(rows, dtype)
    for operation, wanted in ((ste.one_hot_argmax, largest), (ste.one_hot_argmin, smallest)):
        for function in (operation, native.compiled(operation)):
            y = function(x)
            assert y.dtype == x.dtype
            assert native.numpy(y).tolist() == wanted


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@each_framework
def test_top_k_fills_up_ties_from_the_front(native, dtype):
    rows = [[3, 1, 3, 2, 3], [-0.0, 0.0, -0.0, 0.0, 0.0], [NAN, INF, 1, NAN, 0], [-INF, -2, -INF, -3, -INF]]
    wanted = {
        1: [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]],
        2: [[1, 0, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 1, 0], [0, 1, 0, 1, 0]],
        3: [[1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 1, 0, 1, 0]],
        5: [[1, 1, 1, 1, 1]] * 4,
    }
    x = native.array(rows, dtype)
    for k, rows_kept in wanted.items():
        for function in (lambda x, k=k: ste.top_k_mask(x, k), native.compiled(lambda x, k=k: ste.top_k_mask(x, k))):
            y = function(x)
            assert y.dtype == x.dtype
            assert native.numpy(y).tolist() == rows_kept


def _top_k(row: np.ndarray, k: int) -> np.ndarray:
    """By a stable sort, nan first."""
    order = sorted(range(len(row)), key=lambda i: (not np.isnan(row[i]), -row[i] if not np.isnan(row[i]) else 0, i))
    return np.isin(np.arange(len(row)), order[:k]).astype(np.float32)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    row=st.lists(st.sampled_from([-2.0, -0.0, 0.0, 1.0, 1.5, NAN, INF, -INF]), min_size=1, max_size=9),
    data=st.data(),
)
def test_a_selection_is_a_stable_sort(row, data):
    k = data.draw(st.integers(1, len(row)))
    x = np.float32(row)
    np.testing.assert_array_equal(ste.top_k_mask(TORCH.array(x), k).numpy(), _top_k(x, k))
    np.testing.assert_array_equal(ste.one_hot_argmax(TORCH.array(x)).numpy(), _top_k(x, 1))
    np.testing.assert_array_equal(ste.one_hot_argmin(TORCH.array(x)).numpy(), _top_k(-x, 1))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@each_framework
def test_every_axis(native, axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    largest = (x == x.max(axis, keepdims=True)).astype(np.float32)
    assert np.array_equal(native.numpy(ste.one_hot_argmax(native.array(x), axis=axis)), largest)
    smallest = (x == x.min(axis, keepdims=True)).astype(np.float32)
    assert np.array_equal(native.numpy(ste.one_hot_argmin(native.array(x), axis=axis)), smallest)
    level = np.sort(x, axis).take([-2], axis)
    assert np.array_equal(native.numpy(ste.top_k_mask(native.array(x), 2, axis=axis)), (x >= level).astype(np.float32))


def _pulled(x: np.ndarray, cotangent: np.ndarray, axis: int, temperature: float = 1.0) -> Any:
    """The loss gradient times the softmax's Jacobian."""
    soft = special.softmax(x / temperature, axis=axis)
    return soft * (cotangent - (cotangent * soft).sum(axis, keepdims=True)) / temperature


@pytest.mark.parametrize("axis", [0, -1])
@each_framework
def test_the_gradient_is_the_softmaxs_jacobian_along_the_same_axis(native, axis):
    random = np.random.default_rng(1)
    x, cotangent = random.normal(size=(2, 3, 4)).astype(np.float32)
    cases = (
        (lambda x: ste.one_hot_argmax(x, axis=axis), _pulled(x, cotangent, axis)),
        (lambda x: ste.one_hot_argmin(x, axis), -_pulled(-x, cotangent, axis)),
        (lambda x: ste.top_k_mask(x, 2, axis=axis), 2 * _pulled(x, cotangent, axis)),
        (
            lambda x: ste.one_hot_argmax(x, axis=axis, proxy="softmax(temperature=0.5)"),
            _pulled(x, cotangent, axis, 0.5),
        ),
    )
    for function, wanted in cases:
        for one in (function, native.compiled(function)):
            (gradient,) = native.gradients(one, native.array(x), cotangent=native.array(cotangent))
            np.testing.assert_allclose(gradient, wanted, rtol=2e-5, atol=1e-6)


@each_framework
def test_an_element_wise_proxy_acts_on_x_or_on_its_negative(native):
    x = native.array([0.5, -0.5, 3.0])
    for operation, wanted in ((ste.one_hot_argmax, [1, 0, 0]), (ste.one_hot_argmin, [0, -1, 0])):
        (gradient,) = native.gradients(lambda x, f=operation: f(x, proxy="clipped_relu"), x)
        assert gradient.tolist() == wanted
    (gradient,) = native.gradients(lambda x: ste.top_k_mask(x, 2, proxy="identity"), x)
    assert gradient.tolist() == [1, 1, 1]


@each_framework
def test_a_proxy_function_gets_axis_and_k(native):
    seen = []

    def stand_in(x: Any, k: int, axis: int = -1) -> Any:
        seen.append((k, axis))
        return x * float(k)

    (gradient,) = native.gradients(
        lambda x: ste.top_k_mask(x, 2, axis=0, proxy=stand_in), native.array([1.0, 3.0, 2.0])
    )
    assert gradient.tolist() == [2, 2, 2]
    assert seen == [(2, 0)]


@each_framework
def test_a_learned_temperature(native):
    x, h = np.float32([0.3, -1.2, 0.9]), 1e-5
    cotangent = np.float32([1.0, -2.0, 0.5])
    both = [(cotangent * special.softmax(x.astype(float) / (0.7 + s))).sum() for s in (h, -h)]
    gradients = native.gradients(
        lambda x, t: ste.one_hot_argmax(x, proxy=ste.proxies.softmax(temperature=t)),
        native.array(x),
        native.array(0.7),
        cotangent=native.array(cotangent),
    )
    assert gradients[1] == pytest.approx((both[0] - both[1]) / (2 * h), rel=1e-4)
    np.testing.assert_allclose(gradients[0], _pulled(x, cotangent, -1, 0.7), rtol=1e-4, atol=1e-6)
