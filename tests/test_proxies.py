"""The proxies: every row of the table under its name, names and aliases, noise, widths, schedules, array parameters."""

from __future__ import annotations

import copy
import importlib
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special, stats

import straightthrough as ste
from native import JAX, TENSORFLOW, TORCH, each_framework
from straightthrough import _registry
from straightthrough.proxies import schedule

INF = math.inf


def clip(x: Any, low: float, high: float) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _reste(x: Any, power: float, threshold: float) -> Any:
    secant = 0.1 ** (1 / power) / 0.1
    u = np.minimum(np.abs(x), threshold)
    return np.where(np.abs(x) <= 0.1, x * secant, np.sign(x) * u ** (1 / power))


def _log_tailed(x: Any, alpha: float) -> Any:
    return np.where(x <= 0, alpha * x, np.where(x <= 1, x, 1 + np.log(np.maximum(x, 1))))


def _swish_sign(x: Any, beta: float) -> Any:
    s = special.expit(beta * x)
    return 2 * s * (1 + beta * x * (1 - s)) - 1


def _sparse(x: Any, sharpness: float, width: float) -> Any:
    c = clip(x, -width, width)
    return c / (1 + sharpness * np.abs(c))


def _triangle(x: Any, width: float) -> Any:
    c = clip(x, -width, width)
    return 0.5 + c / width - c * np.abs(c) / (2 * width**2)


def _approx_sign(x: Any, width: float) -> Any:
    c = clip(x, -width, width)
    return c * (2 * width - np.abs(c)) / width**2


def _escape(x: Any, beta: float, height: float, centre: float) -> Any:
    e = np.exp(-beta * np.abs(x - centre))
    return np.where(x < centre, e, 2 - e) * height / beta


def _square(x: Any, terms: float, period: float) -> Any:
    odd = 2 * np.arange(1, terms + 1) - 1
    return 0.5 + 2 / np.pi * sum(np.sin(i * 2 * np.pi * x / period) / i for i in odd)


# name → (defaults, value, slope at each kink, mass); None for a mass that means nothing.
TABLE: dict[str, tuple[dict[str, float], Any, dict[float, float], float | None]] = {
    "identity": ({}, lambda x: x, {}, INF),
    "relu": ({}, lambda x: np.maximum(x, 0), {0: 0}, INF),
    "clipped_relu": ({"width": 1}, lambda x, width: clip(x, 0, width), {0: 0, 1: 0}, 1),
    "leaky_relu": (
        {"below": 0.01, "above": 1},
        lambda x, below, above: np.where(x < 0, below * x, above * x),
        {0: 1},
        INF,
    ),
    "log_tailed_relu": ({"alpha": 0}, _log_tailed, {0: 0}, INF),
    "clipped_identity": ({"width": 1}, lambda x, width: clip(x, -width, width), {-1: 1, 1: 1}, 2),
    "range_mask": ({"low": -1, "high": 1}, lambda x, low, high: clip(x, low, high), {-1: 1, 1: 1}, 2),
    "approx_sign": ({"width": 1}, _approx_sign, {}, 2),
    "swish_sign": ({"beta": 5}, _swish_sign, {}, 2),
    "ede": ({"t": 1, "k": 1}, lambda x, t, k: k * np.tanh(t * x), {}, 2),
    "reste": (
        {"power": 2, "threshold": 1.5},
        _reste,
        {-1.5: 0.5 / 1.5**0.5, -0.1: 0.1**-0.5, 0.1: 0.1**-0.5, 1.5: 0.5 / 1.5**0.5},
        2 * 1.5**0.5,
    ),
    "tanh": ({"sharpness": 1}, lambda x, sharpness: np.tanh(sharpness * x), {}, 2),
    "sigmoid": ({"sharpness": 4}, lambda x, sharpness: special.expit(sharpness * x), {}, 1),
    "atan": ({"alpha": 2}, lambda x, alpha: 0.5 + np.arctan(np.pi * alpha * x / 2) / np.pi, {}, 1),
    "fast_sigmoid": ({"sharpness": 25}, lambda x, sharpness: x / (1 + sharpness * np.abs(x)), {}, 2 / 25),
    "soft_sign": ({"alpha": 2}, lambda x, alpha: 0.5 + alpha * x / (2 * (1 + alpha * np.abs(x))), {}, 1),
    "triangle": ({"width": 1}, _triangle, {}, 1),
    "boxcar": ({"width": 1}, lambda x, width: clip(x / width + 0.5, 0, 1), {-0.5: 1, 0.5: 1}, 1),
    "exponential": (
        {"sharpness": 1},
        lambda x, sharpness: 0.5 + 0.5 * np.sign(x) * (1 - np.exp(-sharpness * np.abs(x))),
        {},
        1,
    ),
    "gaussian": ({"std": 0.354}, lambda x, std: special.ndtr(x / std), {}, 1),
    "circ": ({"alpha": 1}, lambda x, alpha: 0.5 + x / (2 * np.sqrt(x**2 + alpha**2)), {}, 1),
    "q_pseudo_spike": (
        {"q": 2},
        lambda x, q: 0.5 + 0.5 * np.sign(x) * (1 - (1 + 2 * np.abs(x) / (q - 1)) ** (1 - q)),
        {},
        1,
    ),
    "s2nn": (
        {"alpha": 4, "beta": 1},
        lambda x, alpha, beta: np.where(x < 0, special.expit(alpha * x), 0.5 + beta * np.log1p(np.maximum(x, 0))),
        {0: 1},
        INF,
    ),
    "sparse_fast_sigmoid": ({"sharpness": 25, "width": 1}, _sparse, {-1: 0, 1: 0}, 2 / 26),
    "square_wave": ({"terms": 1, "period": 8}, _square, {}, None),
    "log_abs": ({"alpha": 1}, lambda x, alpha: np.sign(x) * np.log(1 + alpha * np.abs(x)), {}, INF),
    "piecewise_leaky": (
        {"width": 1, "leak": 0.01},
        lambda x, width, leak: clip(x, -width, width) / (2 * width) + (x - clip(x, -width, width)) * leak + 0.5,
        {-1: 0.01, 1: 0.01},
        INF,
    ),
    "spike_rate_escape": ({"beta": 1, "height": 25, "centre": 1}, _escape, {}, 50),
}
OTHER = {
    "clipped_relu": {"width": 2.5},
    "leaky_relu": {"below": -0.5, "above": 2.0},
    "log_tailed_relu": {"alpha": 0.25},
    "clipped_identity": {"width": 0.5},
    "range_mask": {"low": 0.25, "high": 2.0},
    "approx_sign": {"width": 2.0},
    "swish_sign": {"beta": 2.0},
    "ede": {"t": 0.5, "k": 3.0},
    "reste": {"power": 3.0, "threshold": 1.25},
    "triangle": {"width": 3.0},
    "boxcar": {"width": 3.0},
    "q_pseudo_spike": {"q": 3.5},
    "s2nn": {"alpha": 3.0, "beta": 0.5},
    "sparse_fast_sigmoid": {"sharpness": 2.0, "width": 0.5},
    "square_wave": {"terms": 3.0, "period": 4.0},
    "piecewise_leaky": {"width": 0.5, "leak": 0.1},
    "spike_rate_escape": {"beta": 2.0, "height": 3.0, "centre": -0.5},
}
each_row = pytest.mark.parametrize("name", TABLE)


def slope_of(proxy: Any, x: Any) -> np.ndarray:
    return proxy.slope(TORCH.array(x, "float64")).numpy()


def value_of(proxy: Any, x: Any) -> np.ndarray:
    return proxy.value(TORCH.array(x, "float64")).numpy()


def settings(name: str) -> list[dict[str, float]]:
    defaults = TABLE[name][0]
    return [defaults, *([OTHER[name]] if name in OTHER else [dict.fromkeys(defaults, 0.7)] if defaults else [])]


# The table.


def test_every_row_is_there_and_no_other():
    assert ste.proxies.names() == sorted([*TABLE, "softmax"])
    for name in ste.proxies.names():
        assert getattr(ste.proxies, name) is _registry.families[name]


@each_row
def test_parameters_and_defaults(name):
    defaults = TABLE[name][0]
    assert list(getattr(ste.proxies, name).parameters) == list(defaults)
    proxy = ste.proxies.get(name)
    assert {k: v for k, v in proxy.parameters.items() if k != "scale"} == defaults
    assert proxy.name == name
    assert proxy.source


@each_row
def test_value_is_the_formula_and_slope_its_derivative(name):
    formula, kinks = TABLE[name][1], TABLE[name][2]
    x, h = np.linspace(-3.0137, 2.9871, 241), 1e-6
    for parameters in settings(name):
        proxy = getattr(ste.proxies, name)(**parameters)
        np.testing.assert_allclose(value_of(proxy, x), formula(x, **parameters), rtol=1e-12, atol=1e-12)
        near = [np.abs(x - place) < 2 * h for place in (*proxy.kinks, *kinks)]
        away = ~np.any(near, axis=0) if near else np.full(x.shape, True)
        derivative = (formula(x + h, **parameters) - formula(x - h, **parameters)) / (2 * h)
        np.testing.assert_allclose(slope_of(proxy, x)[away], derivative[away], rtol=1e-6, atol=2e-8)


@each_row
def test_kinks(name):
    for parameters in settings(name):
        proxy = getattr(ste.proxies, name)(**parameters)
        stated = proxy.kinks
        if parameters == TABLE[name][0]:
            assert stated == pytest.approx(TABLE[name][2])
        for place, slope in stated.items():
            assert slope_of(proxy, [place])[0] == pytest.approx(slope, rel=1e-12)
            # It is a kink: the slope jumps there, but where the two sides happen to meet.
            left, right = slope_of(proxy, [place - 1e-9, place + 1e-9])
            assert left != pytest.approx(right, abs=1e-6) or (name, parameters) == ("s2nn", TABLE["s2nn"][0])


@each_row
def test_mass_is_the_area_under_the_slope(name):
    for parameters in settings(name):
        proxy = getattr(ste.proxies, name)(**parameters)
        mass = proxy.mass()
        if parameters == TABLE[name][0]:
            expected = TABLE[name][3]
            assert math.isnan(mass) if expected is None else mass == pytest.approx(expected, rel=1e-12)
        if math.isnan(mass):
            continue
        if math.isinf(mass):
            # Twice the range, more area, without end.
            areas = [np.ptp(TABLE[name][1](np.array([-r, r]), **parameters)) for r in (1e3, 1e6, 1e9)]
            assert areas[2] - areas[1] > 1
            continue
        decades = [sign * 10.0**power for power in range(-2, 10) for sign in (-1, 1)]
        edges = sorted({0.0, *decades, *proxy.kinks, parameters.get("centre", 0.0)})
        pieces = [
            integrate.quad(lambda x, p=proxy: float(slope_of(p, [x])[0]), a, b, limit=200, epsabs=1e-9)[0]
            for a, b in itertools.pairwise(edges)
        ]
        assert sum(pieces) == pytest.approx(mass, rel=2e-5)


def test_mass_one_runs_from_0_to_1_and_mass_two_from_minus_1_to_1():
    for name in TABLE:
        proxy = ste.proxies.get(name)
        # These two have their mass by their parameters, and an odd or a shifted value.
        if name in ("range_mask", "clipped_relu") or proxy.mass() not in (1.0, 2.0):
            continue
        ends = {1.0: [0, 1], 2.0: [-1, 1]}[proxy.mass()]
        assert value_of(proxy, [-1e300, 1e300]) == pytest.approx(ends, abs=1e-12)


@each_framework
def test_softmax_and_its_jacobian(native):
    x = native.array([[0.3, -1.2, 2.0], [1.0, 1.0, 0.0]])
    for temperature in (1.0, 0.5):
        proxy = ste.proxies.softmax(temperature=temperature)
        expected = special.softmax(native.numpy(x) / temperature, axis=-1)
        np.testing.assert_allclose(native.numpy(proxy(x)), expected, rtol=1e-6)
        cotangent = native.array([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])
        (gradient,) = native.gradients(proxy, x, cotangent=cotangent)
        c = native.numpy(cotangent)
        wanted = expected * (c - (c * expected).sum(-1, keepdims=True)) / temperature
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-6)
    assert math.isnan(ste.proxies.softmax().mass())
    with pytest.raises(ste.ArgumentError, match=r"^softmax: it is not element-wise, so it has a Jacobian"):
        ste.proxies.softmax().slope(x)


def test_edes_height_follows_from_t_unless_given():
    assert ste.proxies.ede(t=0.25).parameters["k"] == 4
    assert ste.proxies.ede(t=4.0).parameters["k"] == 1
    assert ste.proxies.ede(t=4.0, k=2.0).parameters["k"] == 2
    for native in (TORCH, JAX, TENSORFLOW):
        for t, k in ((0.25, 4.0), (4.0, 1.0)):
            assert float(ste.proxies.ede(t=native.array(t)).parameters["k"]) == k


# Names.

ALIASES = {
    "straight-through": "identity",
    "hardtanh": "clipped_identity",
    "ste_sign": "clipped_identity",
    "sign_swish": "swish_sign",
    "super_spike": "fast_sigmoid",
    "piecewise_quadratic": "triangle",
    "rectangle": "boxcar",
    "slayer": "exponential",
    "erf": "gaussian",
    "probit": "gaussian",
}


def test_the_names_of_the_literature_resolve():
    for alias, name in ALIASES.items():
        assert ste.proxies.get(alias) == ste.proxies.get(name)


def test_every_alias_resolves_has_a_note_and_hides_no_name():
    for alias, (name, note) in _registry.aliases.items():
        assert ste.proxies.get(alias).name == name
        assert note
        assert alias not in _registry.families
        assert f" also {alias}: {note}" in ste.proxies.describe(name)


def test_get_reads_numbers():
    assert ste.proxies.get("atan(alpha=3)") == ste.proxies.atan(alpha=3)
    assert ste.proxies.get("atan( alpha = 3.0 )") == ste.proxies.atan(alpha=3)
    assert ste.proxies.get("hardtanh(width=2)") == ste.proxies.clipped_identity(width=2)
    assert ste.proxies.get("range_mask(low=-8, high=7)") == ste.proxies.range_mask(low=-8, high=7)
    assert ste.proxies.get("atan()") == ste.proxies.get(ste.proxies.atan) == ste.proxies.atan()
    proxy = ste.proxies.relu()
    assert ste.proxies.get(proxy) is proxy


@pytest.mark.parametrize("name", [*TABLE, "softmax"])
def test_text_equality_hash_copies_and_pickles(name):
    parameters = OTHER.get(name, dict.fromkeys(getattr(ste.proxies, name).parameters, 0.7))
    for proxy in (
        ste.proxies.get(name),
        getattr(ste.proxies, name)(**parameters),
        ste.proxies.scaled(getattr(ste.proxies, name)(**parameters), 2.5),
    ):
        for again in (
            ste.proxies.get(str(proxy)),
            pickle.loads(pickle.dumps(proxy)),
            copy.deepcopy(proxy),
            copy.copy(proxy),
        ):
            assert again == proxy
            assert hash(again) == hash(proxy)
            assert str(again) == repr(again) == str(proxy)
    family = getattr(ste.proxies, name)
    assert pickle.loads(pickle.dumps(family)) is family
    assert copy.deepcopy(family) is family


def test_different_proxies_are_not_equal():
    assert ste.proxies.atan(alpha=2) != ste.proxies.atan(alpha=3)
    assert ste.proxies.relu() != "relu"
    assert ste.proxies.relu() != ste.proxies.clipped_relu()
    assert ste.proxies.scaled("relu", 2.0) != ste.proxies.relu()


def test_describe():
    text = ste.proxies.describe("clipped_relu(width=2)")
    assert text.splitlines()[0] == "clipped_relu(width=2.0)"
    assert " kinks (slope there): at 0: 0, at 2: 0" in text
    assert " mass: 2 (fits a sign)" in text
    assert " source: Yin" in text
    for name in ste.proxies.names():
        text = ste.proxies.describe(name)
        assert text.startswith(str(ste.proxies.get(name)))
        assert " mass: " in text
        assert " source: " in text


def _draws(x: np.ndarray, y: np.ndarray, wanted: Any, jumps: tuple[float, ...]) -> bool:
    """Whether a line from -2 to 2 is the function, but for the breaks at its jumps."""
    seen = ~np.isnan(y) & np.all([np.abs(x - jump) > 0.01 for jump in jumps] or [x == x], axis=0)
    whole = seen.sum() > 500 and (np.nanmin(x), np.nanmax(x)) == (-2, 2)
    return bool(whole and np.allclose(y[seen], wanted(x[seen]), atol=1e-5))


def test_plot_draws_value_slope_and_operator():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    figure = ste.proxies.plot("clipped_relu", ste.proxies.sigmoid(sharpness=2), operator="heaviside", low=-2, high=2)
    drawn = [(line.get_xdata(), line.get_ydata()) for axes in figure.axes for line in axes.get_lines()]
    for wanted, jumps in (
        (lambda x: clip(x, 0, 1), ()),
        (lambda x: ((x > 0) & (x < 1)) * 1.0, (0, 1)),
        (lambda x: special.expit(2 * x), ()),
        (lambda x: (x > 0) * 1.0, (0,)),
    ):
        assert any(_draws(np.asarray(x), np.asarray(y), wanted, jumps) for x, y in drawn)
    labels = " ".join(text.get_text() for axes in figure.axes for text in axes.findobj(matplotlib.text.Text))
    assert "clipped_relu" in labels
    assert "sigmoid(sharpness=2" in labels


def test_what_cannot_be_plotted():
    for operator in ("greater", "top_k_mask", "clip"):
        with pytest.raises(ste.ArgumentError, match=rf"^proxies.plot: operator must be .*, got '{operator}'"):
            ste.proxies.plot("relu", operator=operator)
    with pytest.raises(ste.ArgumentError, match=r"^proxies.plot: .*softmax"):
        ste.proxies.plot("softmax")


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
