"""Contract line 4: one mathematics on three frameworks, and within a few units of the reference."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.ledger import Ledger
from conformance.product import DTYPES, ELEMENTWISE, EVERY, FIXED, FRAMEWORKS, Cell, adapter
from straightthrough.testing import _numbers as num
from strategies import arrays

INSTALLED = [name for name in FRAMEWORKS if importlib.util.find_spec(name)]
QUIET = settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))


def run_everywhere(cell: SimpleNamespace, x, weight) -> dict[str, tuple]:
    found = {}
    for framework in INSTALLED:
        with adapter(framework).precise():
            one = Cell(framework, cell.operation, cell.proxy, cell.dtype)
            value, (gradient,) = adapter(framework).gradients(one.function(x), [one.array(x)], one.array(weight))
            found[framework] = adapter(framework).numbers(value), adapter(framework).numbers(gradient)
    return found


def hold(cell: SimpleNamespace, x, weight) -> None:
    """Values equal bit by bit on all frameworks, gradients each near the reference."""
    book = Ledger(4)
    for framework, (value, gradient) in run_everywhere(cell, x, weight).items():
        one = Cell(framework, cell.operation, cell.proxy, cell.dtype)
        wanted = one.expected(x, weight, set())
        for quantity, got in (("value", value), ("gradient", gradient)):
            expected, off = wanted[quantity]
            good = num.same(got, expected) if quantity == "value" else num.near(got, expected, off)
            message = f"{quantity} at {x[~good]} with {weight[~good]}: {got[~good]}, wanted {expected[~good]}"
            book.note(one, "eager", bool(good.all()), message)
    book.verdict()


@pytest.mark.parametrize("dtype", DTYPES)
@QUIET
@given(data=st.data(), operation=st.sampled_from(FIXED), proxy=st.sampled_from(ELEMENTWISE))
def test_any_input_on_every_framework(dtype, data, operation, proxy):
    x = data.draw(arrays(dtype))
    hold(SimpleNamespace(operation=operation, proxy=proxy, dtype=dtype), x, num.weights(x.size, dtype))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", FIXED)
def test_any_input_on_every_framework_for_each_operation(dtype, operation):
    @QUIET
    @given(data=st.data(), proxy=st.sampled_from(ELEMENTWISE))
    def hunt(data, proxy):
        x = data.draw(arrays(dtype))
        hold(SimpleNamespace(operation=operation, proxy=proxy, dtype=dtype), x, num.weights(x.size, dtype))

    hunt()


@EVERY
def test_dense_grid_against_the_reference(ledger, framework, dtype):
    """Many ordinary inputs, where training happens."""
    x = num.rounded(np.concatenate([np.random.default_rng(0).normal(size=40) * 2, np.linspace(-0.02, 0.02, 8)]), dtype)
    cells = [Cell(framework, "sign", proxy, dtype, other) for proxy in ELEMENTWISE for other in (False, True)]
    ledger.run("eager", cells, x, num.weights(x.size, dtype), {"gradient"})


@EVERY
def test_subnormals_are_kept_or_are_zero(ledger, framework, dtype):
    """XLA and TensorFlow flush them: then, and only then, an operator sees 0. Nothing else may come out."""
    tiny = {"float64": 2.0**-1070, "float32": 2.0**-140, "bfloat16": 2.0**-130, "float16": 2.0**-20}[dtype]
    x = np.array([tiny, -tiny, 3 * tiny])
    for operation in FIXED:
        cell = Cell(framework, operation, "atan", dtype)
        got = adapter(framework).numbers(cell.function(x)(cell.array(x)))
        kept, flushed = cell.hard_value(x), cell.hard_value(np.copysign(0.0, x))
        ledger.note(
            cell, "eager", bool(((got == kept) | (got == flushed)).all()), f"at {x}: {got}, {kept} or {flushed}"
        )
