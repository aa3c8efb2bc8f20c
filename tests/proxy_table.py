"""The proxies written down again for the tests: formula, defaults, kinks and mass of each name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

from native import TORCH

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
