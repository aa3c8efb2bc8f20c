"""What is special to rounding: ties, zeros and, for the stochastic one, mean, variance and the draw."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import straightthrough as ste
from native import JAX, TENSORFLOW, TORCH, each_framework

EDGES = [-2.5, -1.5, -0.5, -0.25, -0.0, 0.0, 0.25, 0.5, 1.5, 2.5, 1e30, np.inf, -np.inf, np.nan]
WANTED = {
    "round": [-2, -2, -0.0, -0.0, -0.0, 0, 0, 0, 2, 2, 1e30, np.inf, -np.inf, np.nan],
    "floor": [-3, -2, -1, -1, -0.0, 0, 0, 0, 1, 2, 1e30, np.inf, -np.inf, np.nan],
    "ceil": [-2, -1, -0.0, -0.0, -0.0, 0, 1, 1, 2, 3, 1e30, np.inf, -np.inf, np.nan],
    "trunc": [-2, -1, -0.0, -0.0, -0.0, 0, 0, 0, 1, 2, 1e30, np.inf, -np.inf, np.nan],
}


@pytest.mark.parametrize("name", WANTED)
@each_framework
def test_ties_zeros_and_what_is_not_finite(native, name):
    for function in (getattr(ste, name), native.compiled(getattr(ste, name))):
        found = native.numpy(function(native.array(EDGES)))
        wanted = np.float32(WANTED[name])
        np.testing.assert_array_equal(found, wanted)
        seen = ~np.isnan(wanted)
        assert np.signbit(found[seen]).tolist() == np.signbit(wanted[seen]).tolist()


@each_framework
def test_clip_and_its_two_derivatives(native):
    x = native.array([-3.0, -1.0, 0.5, 2.0, 4.0, np.inf, np.nan])
    np.testing.assert_array_equal(native.numpy(ste.clip(x, -1.0, 2)), np.float32([-1, -1, 0.5, 2, 2, 2, np.nan]))
    assert native.gradients(lambda x: ste.clip(x, -1.0, 2), x)[0].tolist() == [1] * 7
    inside = "range_mask(low=-1, high=2)"
    assert native.gradients(lambda x: ste.clip(x, -1.0, 2, proxy=inside), x)[0].tolist() == [0, 1, 1, 1, 0, 0, 0]
    assert native.numpy(ste.clip(x[:1], low=-math.inf, high=0)).tolist() == [-3]


# The stochastic one.

DRAWS = 40_000


def _draws(native: Any, place: float, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    x = native.array(np.full(DRAWS, place), dtype)
    return native.numpy(ste.stochastic_round(x, key=native.generator(seed)))


def _is_binomial(ups: int, probability: float) -> None:
    """Exact: a count this far out comes up less than once in 10^7."""
    assert stats.binom(DRAWS, probability).ppf(1e-7) <= ups <= stats.binom(DRAWS, probability).isf(1e-7)


@pytest.mark.parametrize("place", [0.0, 0.25, 0.9, -0.25, -1.125, 7.5, 1000.0625, -3.0])
@each_framework
def test_mean_and_variance(native, place):
    """floor(x) + Bernoulli(x - floor(x)): the mean is x, the variance f(1 - f), from one exact count."""
    drawn = _draws(native, place)
    below = math.floor(place)
    assert set(np.unique(drawn)) <= {below, below + 1}
    _is_binomial(int((drawn == below + 1).sum()), place - below)
    if place == below:
        assert (drawn == place).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(place=st.floats(-100, 100, width=32), seed=st.integers(0, 2**31 - 1))
def test_mean_and_variance_anywhere(place, seed):
    drawn = _draws(TORCH, place, seed=seed)
    _is_binomial(int((drawn == math.floor(place) + 1).sum()), float(np.float32(place) - np.floor(np.float32(place))))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@each_framework
def test_half_types_are_not_biased(native, dtype):
    """Adding a draw to x in bfloat16 would round the sum: at 100.5 there are two steps between whole numbers."""
    # 1 - 2^-8 is the last bfloat16 below 1: a draw that was itself rounded to bfloat16 would miss by 2^-9 there.
    for place in (100.5, 0.0078125, 63.75, 1 - 2.0**-8):
        drawn = _draws(native, place, dtype)
        assert set(np.unique(drawn)) <= {math.floor(place), math.floor(place) + 1}
        _is_binomial(int((drawn == math.floor(place) + 1).sum()), place - math.floor(place))


@each_framework
def test_a_probability_far_below_one_in_256_in_bfloat16(native):
    """2^-12 is a bfloat16; drawing in bfloat16, with its 2^-8 steps, would give 0 or one in 256."""
    ups = sum(int(_draws(native, 2.0**-12, "bfloat16", seed).sum()) for seed in range(5))
    expected = stats.binom(5 * DRAWS, 2.0**-12)
    assert expected.ppf(1e-7) <= ups <= expected.isf(1e-7)


@each_framework
def test_whole_numbers_and_what_is_not_finite_stay(native):
    x = native.array([-0.0, 0.0, 3.0, -4.0, 1e30, np.inf, -np.inf, np.nan])
    found = native.numpy(ste.stochastic_round(x, key=native.generator(0)))
    np.testing.assert_array_equal(found, np.float32([-0.0, 0.0, 3, -4, 1e30, np.inf, -np.inf, np.nan]))
    assert np.signbit(found[:2]).tolist() == [True, False]


@each_framework
def test_the_same_key_draws_the_same_and_elements_are_drawn_apart(native):
    x = native.array(np.full(64, 0.5))
    one, two, other = (native.numpy(ste.stochastic_round(x, key=native.generator(seed))) for seed in (0, 0, 1))
    assert one.tolist() == two.tolist()
    assert one.tolist() != other.tolist()
    assert 0 < one.sum() < 64


@each_framework
def test_a_generator_moves_on_and_a_jax_key_does_not(native):
    x, key = native.array(np.full(64, 0.5)), native.generator(0)
    one, two = (native.numpy(ste.stochastic_round(x, key=key)).tolist() for _ in range(2))
    assert (one == two) == (native is JAX)


def test_without_a_key_torch_and_tensorflow_draw_from_their_own_generator():
    TORCH.torch.manual_seed(5)
    one = ste.stochastic_round(TORCH.array(np.full(64, 0.5))).tolist()
    TORCH.torch.manual_seed(5)
    assert ste.stochastic_round(TORCH.array(np.full(64, 0.5))).tolist() == one
    tf = TENSORFLOW.tf
    found = []
    for _ in range(2):
        tf.random.set_seed(5)
        found.append(ste.stochastic_round(TENSORFLOW.array(np.full(64, 0.5))).numpy().tolist())
    assert found[0] == found[1]
    assert 0 < sum(found[0]) < 64


@each_framework
def test_the_gradient_of_a_draw_is_the_identitys(native):
    x = native.array([-1.25, 0.5, 3.0])
    gradients = native.gradients(lambda x: ste.stochastic_round(x, key=native.generator(0)) * 2.0, x)
    assert gradients[0].tolist() == [2, 2, 2]


def test_compiled_draws_are_new_at_each_call():
    torch, tf = TORCH.torch, TENSORFLOW.tf
    x = np.full(64, 0.5)
    compiled = TORCH.compiled(lambda x: ste.stochastic_round(x))
    assert not torch.equal(compiled(TORCH.array(x)), compiled(TORCH.array(x)))
    graph = tf.function(ste.stochastic_round)
    assert graph(TENSORFLOW.array(x)).numpy().tolist() != graph(TENSORFLOW.array(x)).numpy().tolist()
