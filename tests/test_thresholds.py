"""What is special to thresholds: the value at the level, at ±0 and nan, and where the comparisons' gradients go."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import straightthrough as ste
from native import TORCH, each_framework

TINY = 1e-30
PLACES = [-np.inf, -2.0, -TINY, -0.0, 0.0, TINY, 2.0, np.inf, np.nan]
VALUES = {
    "sign": [-1, -1, -1, 1, 1, 1, 1, 1, np.nan],
    "heaviside": [0, 0, 0, 0, 0, 1, 1, 1, np.nan],
    "ternary": [-1, -1, 0, 0, 0, 0, 1, 1, np.nan],
}


@pytest.mark.parametrize("name", VALUES)
@each_framework
def test_values_at_zero_and_nan(native, name):
    for function in (getattr(ste, name), native.compiled(getattr(ste, name))):
        np.testing.assert_array_equal(native.numpy(function(native.array(PLACES))), np.float32(VALUES[name]))


@each_framework
def test_a_ternarys_threshold_belongs_to_zero(native):
    x = native.array([-0.75, -0.25, 0.25, 0.26, 0.75])
    assert native.numpy(ste.ternary(x, 0.25)).tolist() == [-1, 0, 0, 1, 1]
    assert native.numpy(ste.ternary(x, threshold=0.75)).tolist() == [0, 0, 0, 0, 0]


COMPARISONS = {
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
each_comparison = pytest.mark.parametrize("name", COMPARISONS)


@each_comparison
@each_framework
def test_a_comparison_is_numpys(native, name):
    """IEEE 754: nothing is equal to nan, and everything is unequal to it."""
    a, b = (grid.ravel() for grid in np.meshgrid(np.float32(PLACES), np.float32(PLACES)))
    # A subnormal counts as zero where the framework says so; there is none here.
    found = native.numpy(getattr(ste, name)(native.array(a), native.array(b)))
    np.testing.assert_array_equal(found, COMPARISONS[name](a, b).astype(np.float32))
    for number in (0.0, 2, np.inf):
        found = native.numpy(getattr(ste, name)(native.array(a), number))
        np.testing.assert_array_equal(found, COMPARISONS[name](a, np.float32(number)).astype(np.float32))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    pairs=st.lists(
        st.tuples(*[st.floats(width=32, allow_subnormal=False)] * 2),
        min_size=1,
        max_size=8,
    ),
    name=st.sampled_from(list(COMPARISONS)),
)
def test_a_comparison_is_numpys_anywhere(pairs, name):
    a, b = np.float32(pairs).T
    found = getattr(ste, name)(TORCH.array(a), TORCH.array(b)).numpy()
    np.testing.assert_array_equal(found, COMPARISONS[name](a, b).astype(np.float32))


def _slope(u: Any) -> Any:
    """Of sigmoid(sharpness=4), the comparisons' default."""
    s = 1 / (1 + np.exp(-4.0 * np.asarray(u, np.float64)))
    return 4 * s * (1 - s)


# What the proxy acts on, and its derivative with respect to x.
SUBJECT = {
    "greater": (lambda d: d, lambda d: np.ones_like(d)),
    "greater_equal": (lambda d: d, lambda d: np.ones_like(d)),
    "less": (lambda d: -d, lambda d: -np.ones_like(d)),
    "less_equal": (lambda d: -d, lambda d: -np.ones_like(d)),
    "equal": (lambda d: -np.abs(d), lambda d: -np.sign(d)),
    "not_equal": (lambda d: np.abs(d), np.sign),
}


@each_comparison
@each_framework
def test_gradients_are_plus_and_minus_the_slope_each_summed_to_its_shape(native, name):
    x, y = np.float32([[0.25, -0.5, 1.0], [0.0, 0.5, 2.0]]), np.float32([[0.5], [0.5]])
    cotangent = np.float32([[1, 2, 3], [-1, 0.5, 4]])
    subject, direction = SUBJECT[name]
    along = cotangent * _slope(subject(x - y)) * direction(x - y)
    for a, b, sign in ((x, y, 1), (y, x, -1)):
        gradients = native.gradients(
            getattr(ste, name), native.array(a), native.array(b), cotangent=native.array(cotangent)
        )
        # With the arguments exchanged the difference changes its sign.
        wanted = along if sign == 1 else cotangent * _slope(subject(y - x)) * direction(y - x)
        full, summed = wanted, -wanted.sum(1, keepdims=True)
        if sign == -1:
            full, summed = -wanted, wanted.sum(1, keepdims=True)
        big, small = (gradients[0], gradients[1]) if sign == 1 else (gradients[1], gradients[0])
        np.testing.assert_allclose(big, full, rtol=2e-6, atol=1e-7)
        np.testing.assert_allclose(small, summed, rtol=2e-6, atol=1e-6)
        assert small.shape == (2, 1)


@each_comparison
@each_framework
def test_a_number_is_a_level_without_gradient(native, name):
    x = np.float32([0.25, -0.5, 1.0])
    subject, direction = SUBJECT[name]
    (gradient,) = native.gradients(lambda x: getattr(ste, name)(x, 0.5), native.array(x))
    np.testing.assert_allclose(gradient, _slope(subject(x - 0.5)) * direction(x - 0.5), rtol=2e-6)


@each_framework
def test_less_is_greater_with_its_arguments_exchanged(native):
    x, y = native.array([0.25, -0.5, 1.0]), native.array([0.5, 0.5, 1.0])
    for one, other in ((ste.less, ste.greater), (ste.less_equal, ste.greater_equal)):
        assert native.numpy(one(x, y)).tolist() == native.numpy(other(y, x)).tolist()
        for proxy in ("sigmoid", "relu", "clipped_relu", "reste"):
            ours = native.gradients(lambda x, y, f=one, p=proxy: f(x, y, proxy=p), x, y)
            theirs = native.gradients(lambda x, y, f=other, p=proxy: f(y, x, proxy=p), x, y)
            assert [g.tolist() for g in ours] == [g.tolist() for g in theirs]


@each_framework
def test_ascent_on_equal_draws_together_and_on_not_equal_apart(native):
    x, y = native.array([0.0, 1.0, 0.5]), native.array([0.5, 0.5, 0.5])
    together, apart = native.gradients(ste.equal, x, y), native.gradients(ste.not_equal, x, y)
    assert np.sign(together[0]).tolist() == [1, -1, 0]
    assert np.sign(together[1]).tolist() == [-1, 1, 0]
    assert np.sign(apart[0]).tolist() == [-1, 1, 0]
    assert np.sign(apart[1]).tolist() == [1, -1, 0]


@each_framework
def test_a_comparison_with_itself_and_a_larger_second_array(native):
    x = native.array([0.25, 0.5])
    assert native.gradients(lambda x: ste.greater(x, x), x)[0].tolist() == [0, 0]
    y = native.array([[0.0], [0.3], [1.0]])
    assert native.numpy(ste.greater(x, y)).tolist() == [[1, 1], [0, 1], [0, 0]]
    gradients = native.gradients(ste.greater, x, y)
    assert [gradient.shape for gradient in gradients] == [(2,), (3, 1)]
    np.testing.assert_allclose(gradients[0].sum(), -gradients[1].sum(), rtol=1e-5)
