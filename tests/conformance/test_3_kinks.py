"""Contract line 3: the slope at each kink is ours, the same on every framework; the rules at nan and at infinity."""

from __future__ import annotations

import numpy as np
import pytest

import reference as ref
import straightthrough as ste
from conformance.product import EACH, ELEMENTWISE, EVERY, Cell, adapter, spelled
from straightthrough.testing import _numbers as num

WITH_KINKS = [name for name in ELEMENTWISE if ref.reference(name, "float64").kinks]


def neighbours(place: float, dtype: str):
    """The float of a dtype at a kink, and the ones beside it."""
    at = float(num.rounded(place, dtype))
    step = max(abs(at) * num.EPSILON[dtype], 2.0**-14)
    return [at, *num.rounded([at - step, at + step, at - 0.01, at + 0.01], dtype)]


@EVERY
@pytest.mark.parametrize("other", [False, True], ids=["defaults", "other parameters"])
def test_slope_at_and_beside_every_kink(ledger, framework, dtype, other):
    """Exact where the slope is: a kink may not move by one unit in the last place."""
    for name in WITH_KINKS:
        rule = ref.reference(name, dtype, other)
        x = np.array([v for place in rule.kinks for v in neighbours(float(place), dtype)])
        cell = Cell(framework, "heaviside", name, dtype, other)
        ledger.run("eager", [cell], x, np.ones_like(x), {"gradient"})


@pytest.mark.parametrize("other", [False, True], ids=["defaults", "other parameters"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_stated_kinks_are_those_of_the_table(name, other):
    stated = ste.proxies.get(spelled(name, other)).kinks
    table = ref.reference(name, "float64", other).kinks
    assert stated == pytest.approx({float(k): float(v) for k, v in table.items()})


@EVERY
def test_limits_at_infinity_and_the_rule_at_nan(ledger, framework, dtype):
    x = np.array([-np.inf, np.inf, np.nan, num.LARGEST[dtype], -num.LARGEST[dtype]])
    for name in ELEMENTWISE:
        cell = Cell(framework, "heaviside", name, dtype)
        ledger.run("eager", [cell], x, np.ones_like(x), {"gradient"})
        value = adapter(framework).numbers(ste.proxies.get(name).value(cell.array(x)))
        bounded = np.isfinite(ste.proxies.get(name).mass()) or name == "square_wave"
        ledger.note(
            cell, "value", bool(np.isfinite(value[:2]).all() or not bounded), f"value at the infinities: {value[:2]}"
        )


@EVERY
def test_derivative_of_a_slope_is_zero_at_its_own_kinks_and_corners(ledger, framework, dtype):
    """So no framework's abs inside a slope: its derivative at 0 is 1 in JAX and 0 in torch."""
    transformation = {"torch": "double_backward", "jax": "grad_of_grad", "tensorflow": "nested_tapes"}[framework]
    for name in ELEMENTWISE:
        rule = ref.reference(name, dtype)
        places = [float(v) for v in rule._flat] or [0.0]
        x = num.rounded(np.resize(places, 4), dtype)
        ledger.run(transformation, [Cell(framework, "heaviside", name, dtype)], x, np.ones_like(x))


@EVERY
def test_second_derivative_is_the_proxys_own(ledger, framework, dtype):
    transformation = {"torch": "double_backward", "jax": "grad_of_grad", "tensorflow": "nested_tapes"}[framework]
    x = num.inputs(dtype)
    cells = [Cell(framework, "heaviside", name, dtype) for name in ELEMENTWISE]
    ledger.run(transformation, cells, x, num.weights(x.size, dtype), {"second", "second_in_reverse"})


@EACH
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_value_is_that_of_the_table(ledger, framework, name):
    """A proxy's value matters for plots and for the gradients of array parameters."""
    for dtype in num.DTYPES:
        rule = ref.reference(name, dtype)
        x = num.inputs(dtype, finite=True)
        cell = Cell(framework, "heaviside", name, dtype)
        wanted = rule.value(x)
        off = 8 * num.EPSILON[dtype] * np.maximum(np.abs(wanted), np.abs(x * rule.slope(x)) + 0.25)
        ledger.compare(cell, "value of the proxy", "proxy", x, ste.proxies.get(name).value(cell.array(x)), wanted, off)
