"""The proxies: every row of the table under its name; names, aliases, texts, copies and pictures."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special

import straightthrough as ste
from native import JAX, TENSORFLOW, TORCH, each_framework
from proxy_table import OTHER, TABLE, clip, each_row, settings, slope_of, value_of
from straightthrough import _registry

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
