"""Proxies made of a noise, and heights and widths fitted to an input."""

from __future__ import annotations

import copy
import importlib
import math
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import straightthrough as ste
from native import TORCH, each_framework
from proxy_table import INF, _triangle, slope_of, value_of
from straightthrough import _registry

# Noise.

CLOSED = {
    "gaussian(std=0.5)": stats.norm(scale=0.5),
    "sigmoid(sharpness=4.0)": stats.logistic(scale=0.25),
    "exponential(sharpness=2.0)": stats.laplace(scale=0.5),
    "atan(alpha=2.0)": stats.cauchy(scale=1 / math.pi),
    "boxcar(width=2.0)": stats.uniform(loc=-1, scale=2),
    "triangle(width=1.5)": stats.triang(0.5, loc=-1.5, scale=3),
}


@pytest.mark.parametrize("text", CLOSED)
def test_known_noises_become_closed_forms(text):
    noise = CLOSED[text]
    x = np.linspace(-2.3, 2.1, 57)
    for jump in (1, 2):
        proxy = ste.proxies.from_noise(noise, jump=jump)
        assert proxy == (ste.proxies.get(text) if jump == 1 else ste.proxies.scaled(text, 2.0))
        np.testing.assert_allclose(slope_of(proxy, x), jump * noise.pdf(-x), rtol=1e-12)
        assert proxy.mass() == pytest.approx(jump)


TABULATED = {
    "student": stats.t(df=3),
    "skewed": stats.gamma(3.0, loc=-1.0, scale=0.5),
    "shifted normal": stats.norm(loc=0.7, scale=0.5),
    "lopsided uniform": stats.uniform(loc=0.0, scale=2.0),
    "bimodal is not there, exponentially modified": stats.exponnorm(1.5),
}


@pytest.mark.parametrize("name", TABULATED)
def test_any_other_noise_is_tabulated_within_its_stated_bound(name):
    noise = TABULATED[name]
    left, right = -noise.ppf(1 - 1e-7), -noise.ppf(1e-7)
    h = (right - left) / 4096
    for jump in (1, 2):
        proxy = ste.proxies.from_noise(noise, jump=jump)
        x = np.linspace(left, right, 20011)[1:-1]
        p = noise.pdf(-x)
        fine = np.linspace(-right, -left, 40001)
        curvature = np.abs(np.diff(noise.pdf(fine), 2)).max() / (fine[1] - fine[0]) ** 2
        if name in ("skewed", "student", "shifted normal"):
            bound = jump * h**2 * curvature * 1.1 / 8 + 1e-9
            assert np.abs(slope_of(proxy, x) - jump * p).max() <= bound
        # The density mirrored, not the density.
        np.testing.assert_allclose(slope_of(proxy, x)[5:-5], jump * p[5:-5], atol=2e-4 * jump + 2 * h * p.max())
        assert slope_of(proxy, [left - 1, right + 1, -1e300, 1e300, -INF, INF]).tolist() == [0] * 6
        value = value_of(proxy, x)
        np.testing.assert_allclose(value, jump * noise.sf(-x), atol=1e-5 * jump + h * p.max())
        assert proxy.mass() == jump
        lost = jump - integrate.trapezoid(slope_of(proxy, x), x)
        assert abs(lost) < 1e-3 * jump


@each_framework
def test_a_tabulated_proxy_is_the_same_on_every_framework_and_when_compiled(native):
    proxy = ste.proxies.from_noise(stats.gamma(3.0, loc=-1.0, scale=0.5), jump=2)
    x = np.float32([-3.0, -1.0, -0.25, 0.0, 0.5, 0.99, 1.5, np.nan, np.inf])
    wanted = 2 * stats.gamma(3.0, loc=-1.0, scale=0.5).pdf(-x)
    (eager,) = native.gradients(lambda x: ste.sign(x, proxy=proxy), native.array(x))
    np.testing.assert_allclose(eager[:-2], wanted[:-2], atol=1e-4)
    assert eager[-1] == 0
    (compiled,) = native.gradients(native.compiled(lambda x: ste.sign(x, proxy=proxy)), native.array(x))
    np.testing.assert_allclose(compiled[:-2], eager[:-2], atol=1e-6)


def test_a_tabulated_proxy_copies_and_pickles():
    proxy = ste.proxies.from_noise(stats.t(df=3))
    for again in (copy.deepcopy(proxy), ste.proxies.get(str(proxy))):
        assert again == proxy
    x = np.linspace(-3, 3, 31)
    assert slope_of(pickle.loads(pickle.dumps(proxy)), x).tolist() == slope_of(proxy, x).tolist()
    assert proxy.name not in ste.proxies.names()


@each_framework
def test_a_density_of_your_own(native):
    """p(x) = e^-x for x > 0, mirrored: the slope is there for negative x."""
    module = {"torch": "torch", "jax": "jax.numpy", "tensorflow": "tensorflow"}[native.name]
    library = importlib.import_module(module)

    def one_sided(x: Any) -> Any:
        return library.where(x > 0, library.exp(-x), 0.0 * x)

    proxy = ste.proxies.from_noise(one_sided, jump=2)
    x = native.array([-2.0, -0.5, 0.5, 1.0])
    for function in (lambda x: ste.sign(x, proxy=proxy), native.compiled(lambda x: ste.sign(x, proxy=proxy))):
        (gradient,) = native.gradients(function, x)
        np.testing.assert_allclose(gradient, [2 * math.exp(-2), 2 * math.exp(-0.5), 0, 0], rtol=1e-6)
    with pytest.raises(ste.ArgumentError, match=r"^proxies.from_noise: a proxy made of a density has a slope"):
        proxy(x)


@pytest.mark.parametrize("noise", [stats.gamma(3.0, loc=-1.0, scale=0.5), stats.logistic(scale=0.25)])
def test_the_slope_is_the_derivative_of_the_expected_operator_under_the_noise(noise):
    """By Monte Carlo: E[sign(x + n)] over many draws, its value and its rise from x - h to x + h."""
    draws = noise.rvs(size=400_000, random_state=np.random.default_rng(0))
    proxy = ste.proxies.from_noise(noise, jump=2)
    h = 0.2
    for x in (-1.0, -0.3, 0.0, 0.4, 0.9):
        above = np.mean(x + draws > 0)
        error = 5 * math.sqrt(0.25 / draws.size)
        # A proxy of jump 2 runs from 0 to 2: the sign's expectation plus 1.
        assert value_of(proxy, [x])[0] == pytest.approx(2 * above, abs=2 * error)
        rise = 2 * (np.mean(x + h + draws > 0) - np.mean(x - h + draws > 0))
        places = np.linspace(x - h, x + h, 201)
        assert integrate.trapezoid(slope_of(proxy, places), places) == pytest.approx(rise, abs=2 * error)


BAD_NOISE = {
    "noise must be a frozen scipy.stats distribution or a function giving its density, got 3": lambda: 3,
    "noise must be a frozen scipy.stats distribution or a function giving its density, got 'norm'": lambda: "norm",
    "noise must be a continuous distribution, got poisson": lambda: stats.poisson(2),
    "noise must be a frozen distribution, got scipy.stats.norm without its parameters; "
    "call it: scipy.stats.norm(...)": (lambda: stats.norm),
    "noise must be a distribution with a bounded density (spikes and point masses have no slope), got beta": (
        lambda: stats.beta(0.5, 0.5)
    ),
}


@pytest.mark.parametrize("message", BAD_NOISE)
def test_what_is_no_noise(message):
    with pytest.raises(ste.ArgumentError) as caught:
        ste.proxies.from_noise(BAD_NOISE[message]())
    assert str(caught.value) == f"proxies.from_noise: {message}"


@pytest.mark.parametrize("jump", [0, -1, math.nan, INF, None, "2", True])
def test_a_jump_is_a_number_above_zero(jump):
    with pytest.raises(ste.ArgumentError) as caught:
        ste.proxies.from_noise(stats.norm(), jump=jump)
    assert str(caught.value) == f"proxies.from_noise: jump must be a finite number > 0, got {jump!r}"


# Heights and widths.


@each_framework
def test_scaled_multiplies_the_slope_and_the_value(native):
    x = native.array([-0.5, 0.25, 0.75])
    for height in (2.5, native.array(2.5)):
        proxy = ste.proxies.scaled(ste.proxies.scaled("triangle(width=2)", 2.0), height)
        np.testing.assert_allclose(native.numpy(proxy.slope(x)), 5 * np.float32([0.375, 0.4375, 0.3125]), rtol=1e-6)
        (gradient,) = native.gradients(lambda x, p=proxy: ste.sign(x, proxy=p), x)
        np.testing.assert_allclose(gradient, native.numpy(proxy.slope(x)))
        np.testing.assert_allclose(native.numpy(proxy(x)), 5 * _triangle(native.numpy(x), 2.0), rtol=1e-6)
    assert ste.proxies.scaled("triangle", 2.0).mass() == 2
    assert ste.proxies.scaled("clipped_identity", 3.0).kinks == {-1: 3, 1: 3}


WIDTHS = sorted(name for name, family in _registry.families.items() if family.width_rule)
WITHOUT_STD = ("atan", "soft_sign", "circ")


def test_the_families_that_have_a_width():
    assert set(WIDTHS) >= {"gaussian", "sigmoid", "exponential", "boxcar", "triangle", "clipped_identity", *WITHOUT_STD}


@pytest.mark.parametrize("name", WIDTHS)
def test_matched_the_noises_std_is_the_ratio_of_the_inputs(name):
    x = np.random.default_rng(1).normal(3.0, 2.0, 1000)
    for ratio in (0.5, 1.0):
        proxy = ste.proxies.matched(name, TORCH.array(x, "float64"), ratio=ratio)
        width = ratio * x.std()
        grid = np.linspace(-60, 60, 400_001)
        density = slope_of(proxy, grid) / getattr(ste.proxies, name)().mass()
        if name in WITHOUT_STD:
            # No std: the height is that of the Gaussian of this std.
            assert density.max() == pytest.approx(1 / (width * math.sqrt(2 * math.pi)), rel=1e-6)
        elif name != "clipped_identity":
            assert integrate.trapezoid(density * grid**2, grid) == pytest.approx(width**2, rel=1e-3)
        else:
            density /= integrate.trapezoid(density, grid)
            assert integrate.trapezoid(density * grid**2, grid) == pytest.approx(width**2, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@each_framework
def test_matched_on_every_framework_and_inside_a_compiler(native, dtype):
    x = native.array([-3.0, -1.0, 1.0, 5.0], dtype)
    std = 0.5 * np.std([-3.0, -1.0, 1.0, 5.0])

    def step(x: Any) -> Any:
        return ste.sign(x, proxy=ste.proxies.matched("gaussian", x))

    wanted = stats.norm(scale=std).pdf([-3.0, -1.0, 1.0, 5.0])
    tolerance = 1e-5 if dtype == "float32" else 1e-2
    for function in (step, native.compiled(step)):
        (gradient,) = native.gradients(function, x)
        np.testing.assert_allclose(gradient, wanted, rtol=tolerance)
    proxy = ste.proxies.matched(ste.proxies.gaussian, x)
    assert float(proxy.parameters["std"]) == pytest.approx(std, rel=1e-5)
    assert tuple(proxy.parameters["std"].shape) == ()


def test_what_cannot_be_matched():
    x = TORCH.array([1.0, 2.0])
    able = ", ".join(WIDTHS)
    cases = {
        f"proxies.matched: proxy must be one with a width ({able}), got 'relu'": lambda: ste.proxies.matched("relu", x),
        "proxies.matched: proxy must be a proxy family or its name, got 3": lambda: ste.proxies.matched(3, x),
        "proxies.matched: proxy must be a proxy family or its name, got gaussian(std=1.0); "
        "give the family: proxies.gaussian": lambda: ste.proxies.matched(ste.proxies.gaussian(std=1), x),
        "proxies.matched: x must be of at least two elements, got shape (1,)": (
            lambda: ste.proxies.matched("gaussian", TORCH.array([1.0]))
        ),
    }
    for message, call in cases.items():
        with pytest.raises(ste.ArgumentError) as caught:
            call()
        assert str(caught.value) == message
