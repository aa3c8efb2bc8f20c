"""Contract line 1: the output is bitwise the hard operator's output."""

from __future__ import annotations

import numpy as np
import pytest

import reference as ref
import straightthrough as ste
from conformance.product import COMPARISONS, EACH, EVERY, FIXED, PROXIES, SELECTIONS, Cell, adapter
from straightthrough import _registry
from straightthrough.testing import _numbers as num

DEFAULT = {name: _registry.operations[name].proxy.name for name in FIXED}


def values_of(operation, x, arguments):
    return ref.HARD[operation](x, *arguments)


def all_in_a_graph(framework):
    """How a framework compiles a function of one array that returns a list of arrays."""
    if framework == "jax":
        import jax

        return {"jit": jax.jit}
    if framework == "tensorflow":
        import tensorflow as tf

        return {
            "function": lambda f: tf.function(f, autograph=False),
            "jit_compile": lambda f: tf.function(f, autograph=False, jit_compile=True),
        }
    import torch

    return {"compile_aot_eager": lambda f: torch.compile(f, backend="aot_eager", fullgraph=True)}


@EVERY
def test_value_of_every_operation_with_every_proxy(ledger, framework, dtype):
    x = num.inputs(dtype)
    for operation in FIXED:
        for cell in [Cell(framework, operation, proxy, dtype) for proxy in PROXIES]:
            ledger.compare(cell, "eager", "value", x, cell.function(x)(cell.array(x)), cell.hard_value(x))


@EVERY
def test_compiled_value_is_bitwise_the_same(ledger, framework, dtype):
    """Every operation with its default proxy in one graph; line 5 compiles the product, with gradients."""
    x = num.inputs(dtype)
    cells = [Cell(framework, operation, DEFAULT[operation], dtype) for operation in FIXED]
    functions = [cell.function(x) for cell in cells]
    for transformation, compiled in all_in_a_graph(framework).items():
        found = compiled(lambda array: [f(array) for f in functions])(cells[0].array(x))
        for cell, got in zip(cells, found, strict=True):
            ledger.compare(cell, transformation, "value", x, got, cell.hard_value(x))


@EVERY
@pytest.mark.parametrize("operation", COMPARISONS)
def test_comparison_with_a_number(ledger, framework, dtype, operation):
    x = num.inputs(dtype)
    cell = Cell(framework, operation, "sigmoid", dtype)
    for number in (0.5, 0.0, -1):
        got = getattr(ste, operation)(cell.array(x), number)
        ledger.compare(cell, "eager", "value", x, got, values_of(operation, x, (number,)))


@EVERY
@pytest.mark.parametrize("operation", SELECTIONS)
@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_selection_along_every_axis_with_ties_and_nan(ledger, framework, dtype, operation, axis):
    rng = np.random.default_rng(7)
    x = rng.choice([0.0, -0.0, 1.0, 1.0, -2.0, np.nan, np.inf, -np.inf, 3.0], size=(4, 5, 6))
    cell = Cell(framework, operation, "softmax", dtype)
    arguments = (2,) if operation == "top_k_mask" else ()
    got = getattr(ste, operation)(cell.array(x), *arguments, axis=axis)
    ledger.compare(cell, "eager", "value", x, got, ref.HARD[operation](x, *arguments, axis=axis))


@EVERY
@pytest.mark.parametrize("operation", ["round", "sign", "floor", "heaviside"])
def test_beyond_the_integers_that_a_dtype_counts(ledger, framework, dtype, operation):
    """Where x + (op(x) - x) is wrong: beyond 2^8 in bfloat16, 2^11 in float16, 2^24 in float32, 2^53 in float64."""
    limit = 2 / num.EPSILON[dtype]
    x = num.rounded(np.outer([1, -1], limit * np.array([1, 1.01, 1.5, 2.02, 4.04, 100.7, 1e4])).ravel(), dtype)
    cell = Cell(framework, operation, "clipped_identity", dtype)
    got = adapter(framework).TRANSFORMATIONS["eager"]([cell.function(x)], cell.array(x), cell.array(np.ones_like(x)))
    ledger.compare(cell, "eager", "value", x, got[0]["value"], values_of(operation, x, ()))
    with np.errstate(invalid="ignore"):
        textbook = num.rounded(x + num.rounded(values_of("sign", x, ()) - x, dtype), dtype)
    assert not num.same(textbook[np.isfinite(x)], np.sign(x)[np.isfinite(x)]).all(), "these inputs prove nothing"


SPECIAL = [
    ("sign", [0.0, -0.0, np.nan], [1.0, 1.0, np.nan]),
    ("heaviside", [0.0, -0.0, np.nan], [0.0, 0.0, np.nan]),
    ("ternary", [0.0, -0.0, np.nan, 0.5, -0.5], [0.0, 0.0, np.nan, 0.0, 0.0]),
    ("round", [-0.0, 0.0, -0.25, np.nan, 0.5, 1.5, 2.5, -0.5], [-0.0, 0.0, -0.0, np.nan, 0.0, 2.0, 2.0, -0.0]),
    ("one_hot_argmax", [1.0, np.nan, 3.0, np.nan], [0.0, 1.0, 0.0, 0.0]),
    ("one_hot_argmax", [1.0, 3.0, 3.0, -0.0], [0.0, 1.0, 0.0, 0.0]),
    ("one_hot_argmax", [-0.0, 0.0, -1.0, -1.0], [1.0, 0.0, 0.0, 0.0]),
]


@EVERY
@pytest.mark.parametrize(("operation", "x", "wanted"), SPECIAL)
def test_special_values(ledger, framework, dtype, operation, x, wanted):
    """The table of special values in the contract, written out."""
    cell = Cell(framework, operation, "identity", dtype)
    got = getattr(ste, operation)(cell.array(x))
    # The sign of a zero is promised where the contract names it: for the roundings.
    got_numbers = adapter(framework).numbers(got)
    wanted = np.array(wanted)
    if operation != "round":
        got_numbers, wanted = got_numbers + 0.0, wanted + 0.0
    good = num.same(got_numbers, wanted).all()
    ledger.note(cell, "eager", bool(good), f"at {x}: got {got_numbers}, wanted {wanted}")


@EVERY
def test_straight_through_takes_the_result_as_it_is(ledger, framework, dtype):
    """The primitive on any result: -0.0, nan, the infinities, and a result beside an infinite proxy."""
    x = num.inputs(dtype)
    result = num.rounded(np.roll(x, 5), dtype)
    cell = Cell(framework, "straight_through", "identity", dtype)
    value, gradients = adapter(framework).gradients(
        ste.straight_through, [cell.array(result), cell.array(x)], cell.array(np.ones_like(x))
    )
    ledger.compare(cell, "eager", "value", x, value, result)
    ledger.compare(cell, "eager", "gradient", x, gradients[0], np.zeros_like(x))
    ledger.compare(cell, "eager", "gradient", x, gradients[1], np.ones_like(x))


@EACH
@pytest.mark.parametrize("kind", ["int32", "bool", "float16"])
def test_integer_boolean_and_narrower_results_are_cast(ledger, framework, kind):
    module = adapter(framework)
    cell = Cell(framework, "straight_through", "identity", "float32")
    numbers = np.array([0.0, 1.0, 0.0]) if kind == "bool" else np.array([-3.0, 0.0, 7.0])
    plain = module.array(numbers, "float32")
    result = {"torch": lambda: plain.to(getattr(__import__("torch"), kind)), "jax": lambda: plain.astype(kind)}.get(
        framework, lambda: __import__("tensorflow").cast(plain, kind)
    )()
    got = ste.straight_through(result, cell.array(np.zeros(3)))
    ledger.compare(cell, "eager", "value", numbers, got, numbers)
