"""Contract line 2: the input receives the loss gradient times the proxy's slope, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import reference as ref
import straightthrough as ste
from conformance.product import (
    COMPARISONS,
    EACH,
    ELEMENTWISE,
    EVERY,
    OPERATIONS,
    SELECTIONS,
    Cell,
    adapter,
    spelled,
    subject_of,
)
from straightthrough import _registry
from straightthrough.testing import _numbers as num


@EACH
def test_jacobian_of_proxy_and_result_is_one_and_zero(ledger, framework):
    """∂y/∂[proxy, result] = [1, 0], the lecture's rule, as matrices."""
    module = adapter(framework)
    cell = Cell(framework, "straight_through", "identity", "float32")
    p, r = np.array([0.3, -2.0, 1e9]), np.array([0.0, -2.0, 7.0])
    for row in np.eye(3):
        _, (to_result, to_proxy) = module.gradients(
            ste.straight_through, [cell.array(r), cell.array(p)], cell.array(row)
        )
        ledger.compare(cell, "eager", "gradient", p, to_proxy, row)
        ledger.compare(cell, "eager", "gradient", p, to_result, np.zeros(3))


@EVERY
@pytest.mark.parametrize("other", [False, True], ids=["defaults", "other parameters"])
def test_loss_gradient_times_slope(ledger, framework, dtype, other):
    """Every operation with every proxy, at finite and infinite inputs and nan; other parameters on one operation."""
    x = num.inputs(dtype)
    operations = ["heaviside"] if other else OPERATIONS
    cells = [Cell(framework, operation, proxy, dtype, other) for operation in operations for proxy in ELEMENTWISE]
    ledger.run("eager", cells, x, num.weights(x.size, dtype), {"gradient"})


@EVERY
@pytest.mark.parametrize("operation", OPERATIONS)
def test_softmax_as_proxy(ledger, framework, dtype, operation):
    x = num.inputs(dtype, finite=True)
    cell = Cell(framework, operation, "softmax", dtype)
    ledger.run("eager", [cell], x, num.weights(x.size, dtype), {"gradient"})
    if operation in SELECTIONS:
        rows = np.stack([x, x[::-1], num.rounded(x * 0.5, dtype)])
        ledger.run("eager", [cell], rows, num.weights(rows.size, dtype).reshape(rows.shape), {"gradient"})


@EVERY
@pytest.mark.parametrize("loss_gradient", [np.inf, -np.inf, np.nan, 1e30])
def test_zero_slope_gives_exactly_zero(ledger, framework, dtype, loss_gradient):
    """Whatever the loss gradient or the input: never 0 × inf = nan."""
    x = num.inputs(dtype)
    weight = num.rounded(np.full_like(x, loss_gradient), dtype)
    module = adapter(framework)
    for operation, proxy in [("round", p) for p in ELEMENTWISE] + [(o, "clipped_identity") for o in OPERATIONS]:
        cell = Cell(framework, operation, proxy, dtype)
        y = np.resize([0.5], x.shape) if operation in COMPARISONS else None
        function = cell.function(x) if y is None else _compared(cell, y)
        _, (gradient,) = module.gradients(function, [cell.array(x)], cell.array(weight))
        flat = ref.reference(proxy, dtype).slope(subject_of(cell, x, y)) == 0
        if proxy == "square_wave":  # its zeros are crossings, which no float hits
            flat &= ~np.isfinite(x)
        ledger.compare(cell, "eager", "gradient at slope 0", x[flat], _at(gradient, flat), np.zeros(flat.sum()))


def _compared(cell, y):
    operation, array = getattr(ste, cell.operation), cell.array(y)
    return lambda x: operation(x, array, proxy=cell.proxy)


def _at(array, mask):
    index = np.flatnonzero(mask)
    if type(array).__module__.startswith("tensorflow"):
        import tensorflow as tf

        return tf.gather(array, index)
    return array[index]


@EVERY
@pytest.mark.parametrize("operation", COMPARISONS)
@pytest.mark.parametrize("shape", [(4, 1), (1,), (), (3, 4, 5)], ids=str)
def test_comparison_sums_to_each_shape(ledger, framework, dtype, operation, shape):
    """x of shape (4, 5) against y of other shapes: +slope to the one, -slope to the other, each summed to its shape."""
    rng = np.random.default_rng(3)
    x, y = num.rounded(rng.normal(size=(4, 5)), dtype), num.rounded(rng.normal(size=shape), dtype)
    cell = Cell(framework, operation, "atan", dtype)
    full = np.broadcast_shapes(x.shape, shape)
    weight = num.weights(int(np.prod(full)), dtype).reshape(full)
    wide_x, wide_y = np.broadcast_to(x, full), np.broadcast_to(y, full)
    slope = ref.reference("atan", dtype).slope(subject_of(cell, wide_x, wide_y))
    towards = ref.direction(operation, wide_x, wide_y)
    value, (to_x, to_y) = adapter(framework).gradients(
        lambda x, y: getattr(ste, operation)(x, y, proxy="atan"), [cell.array(x), cell.array(y)], cell.array(weight)
    )
    ledger.compare(cell, "eager", "value", wide_x, value, ref.HARD[operation](wide_x, wide_y))
    for got, like, sign in ((to_x, x, 1), (to_y, y, -1)):
        terms = sign * weight * towards * slope
        # A sum in a half type: each addition may lose half a unit of the running total.
        off = 8 * num.EPSILON[dtype] * _summed(abs(terms), like.shape) * np.log2(2 + terms.size / max(1, like.size)) * 2
        ledger.compare(cell, "eager", "gradient", like, got, _summed(terms, like.shape), off)


def _summed(terms, shape):
    lead = tuple(range(terms.ndim - len(shape)))
    kept = tuple(i + len(lead) for i, n in enumerate(shape) if n == 1 and terms.shape[i + len(lead)] != 1)
    return terms.sum(axis=lead + kept, keepdims=True).reshape(shape)


LEARNED = [
    (name, parameter)
    for name in ELEMENTWISE
    for parameter in _registry.families[name].parameters
    if (name, parameter) != ("square_wave", "terms")
]


@EACH
@pytest.mark.parametrize("shape", [(), (5,), (4, 1)], ids=["scalar", "row", "column"])
@pytest.mark.parametrize(("name", "parameter"), LEARNED)
def test_gradient_of_an_array_parameter(ledger, framework, name, parameter, shape):
    """Loss gradient × ∂value/∂parameter, summed to its shape, against central differences of the reference's value."""
    module, dtype = adapter(framework), "float64"
    x = np.random.default_rng(5).normal(size=(4, 5)) * 1.3
    weight = num.weights(x.size, dtype).reshape(x.shape)
    start = np.full(shape, ref.ROWS[name].other[parameter]) * (
        1 + 0.03 * np.arange(np.prod(shape, dtype=int)).reshape(shape)
    )
    if name == "ede":
        start = np.abs(start)
    rest = {k: v for k, v in ref.ROWS[name].other.items() if k != parameter}
    cell = Cell(framework, "heaviside", name, dtype)

    def program(x, array):
        return ste.heaviside(x, proxy=_registry.families[name](**rest, **{parameter: array}))

    _, (_, got) = module.gradients(program, [cell.array(x), cell.array(start)], cell.array(weight))
    ledger.compare(
        cell, f"array {parameter}", "gradient", start, got, *_central(name, rest, parameter, x, weight, start)
    )


def _central(name, rest, parameter, x, weight, start):
    h, wide = 1e-5, np.broadcast_to(start, x.shape)

    def value(at):
        rows = [
            ref.Reference(name, "float64", **rest, **{parameter: p}).value(v)
            for p, v in zip(at.ravel(), x.ravel(), strict=True)
        ]
        return np.array([float(r) for r in rows]).reshape(x.shape)

    terms = weight * (value(wide + h) - value(wide - h)) / (2 * h)
    return _summed(terms, start.shape), 1e-7 * (1 + _summed(abs(terms), start.shape))


@EACH
def test_array_parameter_has_no_gradient_where_none_is_asked_for(framework):
    """An annealed width: it is an array, and nothing is computed for it."""
    module = adapter(framework)
    x = module.array(np.array([-2.0, 0.25, 0.6]), "float32")
    width = module.array(np.array(0.5), "float32")
    _, (gradient,) = module.gradients(
        lambda x: ste.sign(x, proxy=ste.proxies.clipped_identity(width=width)), [x], module.array(np.ones(3), "float32")
    )
    assert module.numbers(gradient).tolist() == [0.0, 1.0, 0.0]


@EVERY
def test_scaled_multiplies_the_slope(ledger, framework, dtype):
    x = num.inputs(dtype, finite=True)
    for name in ELEMENTWISE:
        cell = Cell(framework, "sign", name, dtype)
        proxy = ste.proxies.scaled(spelled(name), 0.5)
        _, (got,) = adapter(framework).gradients(
            lambda x, p=proxy: ste.sign(x, proxy=p), [cell.array(x)], cell.array(np.ones_like(x))
        )
        rule = ref.reference(name, dtype)
        slope = rule.slope(x) * 0.5
        ledger.compare(cell, "scaled", "gradient", x, got, slope, num.allowed(slope, rule.slack(x), dtype))
