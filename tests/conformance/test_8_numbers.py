"""Contract line 8: parameters, thresholds, bounds and axes out of their range.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

import numpy as np
import pytest

import straightthrough as ste
from conformance.refusals import _of, each_dtype, refused
from native import TORCH, each_framework
from straightthrough import _registry

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
