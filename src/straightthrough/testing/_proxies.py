"""`check_proxy`: value, slope, kinks and second derivative of one proxy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from straightthrough import _backends
from straightthrough.proxies._proxy import Proxy
from straightthrough.proxies.lookup import resolve
from straightthrough.testing import _numbers as num
from straightthrough.testing._frameworks import Adapter, chosen
from straightthrough.testing._report import Report

STEP = 1e-5
"""Of the central differences; with two step lengths combined they are right to about 1e-9."""
GRID = np.concatenate([np.linspace(-3.1, 3.1, 63), [-40.3, -7.7, 7.7, 40.3]])


def check_proxy(
    proxy: Any,
    *,
    framework: str | None = None,
    dtypes: Sequence[str] = num.DTYPES,
    inputs: Sequence[float] | None = None,
) -> Report:
    """Holds a proxy to the contract: a built-in one, one from `from_noise`, or a function of your own.

    Checked are: the derivative against central differences of the value, away from kinks; each dtype against float64
    within 4 units in the last place times the condition number (built-in families); shape, dtype and finiteness; the
    stated kinks; exactly 0 where the slope is 0, for infinite and nan loss gradients too; the rule at nan and infinity.

    Args:
        proxy: a name, a `Proxy`, a family, or a function of one array, differentiated by the framework.
        framework: ``"torch"``, ``"jax"`` or ``"tensorflow"``; None for each that is already imported.
        dtypes: names of the dtypes to try.
        inputs: places for the differences; a grid from -3.1 to 3.1 and a few beyond unless given.

    Returns:
        A `Report` with the number of checks of each kind.

    Raises:
        ConformanceError: a check failed; the message lists all failures.
        ArgumentError: no framework is imported, or the name is unknown.

    Example:
        >>> import torch
        >>> check_proxy("triangle", framework="torch").failures
        []
    """
    one = resolve(proxy, "check_proxy")
    name = str(one) if isinstance(one, Proxy) else getattr(one, "__name__", repr(one))
    report = Report(f"check_proxy({name})")
    grid = GRID if inputs is None else np.asarray(inputs, np.float64)
    for module in chosen(framework, "check_proxy"):
        with module.precise():
            _check_derivative(report, module, one, grid)
            for dtype in dtypes:
                _check_dtype(report, module, one, dtype)
                if isinstance(one, Proxy):
                    _check_stated(report, module, one, grid, dtype)
    return report.verdict()


def _value(module: Adapter, proxy: Any, x: Any, dtype: str = "float64") -> Any:
    return module.numbers(proxy(module.array(x, dtype)))


def slope_of(module: Adapter, proxy: Callable[..., Any], x: Any, dtype: str, weight: Any = None) -> Any:
    """The derivative of a proxy at numbers, times a loss gradient."""
    weight = np.ones_like(x) if weight is None else weight
    _, (gradient,) = module.gradients(proxy, [module.array(x, dtype)], module.array(weight, dtype))
    return module.numbers(gradient)


def _check_derivative(report: Report, module: Adapter, proxy: Any, grid: Any) -> None:
    """Richardson's combination of two central differences, where no stated kink lies between."""
    if isinstance(proxy, Proxy) and (not proxy.family.elementwise or _has_no_value(module, proxy)):
        return
    kinks = np.array(list(proxy.kinks) if isinstance(proxy, Proxy) else [])
    near = [bool(np.any(abs(kinks - x) < 4 * STEP * max(1, abs(x)))) for x in grid]
    x = grid[~np.array(near)]
    h = STEP * np.maximum(1.0, abs(x))
    wide, narrow = ((_value(module, proxy, x + s) - _value(module, proxy, x - s)) / (2 * s) for s in (2 * h, h))
    wanted = (4 * narrow - wide) / 3
    got = slope_of(module, proxy, x, "float64")
    # Beside a kink of a user's own function the two differences disagree, and decide nothing; at a corner, little.
    sure = abs(narrow - wide) <= 1e-3 * (1 + abs(narrow))
    off = 1e-6 * np.maximum(1.0, abs(wanted)) + 2 * abs(narrow - wide)
    where = f"{module.name} {report.subject}, float64"
    report.compare("3 slope is d value", where, module.name, x[sure], got[sure], wanted[sure], off[sure])


def _has_no_value(module: Adapter, proxy: Proxy) -> bool:
    try:
        proxy.value(module.array(np.zeros(1), "float64"))
    except ValueError:
        return True
    return False


def _check_dtype(report: Report, module: Adapter, proxy: Any, dtype: str) -> None:
    where = f"{module.name} {report.subject}, {dtype}"
    x = num.rounded(GRID, dtype)
    array = module.array(x, dtype)
    if isinstance(proxy, Proxy) and proxy.family.elementwise and _has_no_value(module, proxy):
        return
    y = proxy(array)
    report.note(
        "1 dtype and shape", where, module.name, module.dtype_name(y) == dtype, f"value is {module.dtype_name(y)}"
    )
    finite = np.isfinite(module.numbers(y)).all() and np.isfinite(slope_of(module, proxy, x, dtype)).all()
    report.note("3 finite", where, module.name, bool(finite), "value or slope is not finite at a finite input")


def _check_stated(report: Report, module: Adapter, proxy: Proxy, grid: Any, dtype: str) -> None:
    """What a built-in family promises: precision, kinks, zeros, limits."""
    if not proxy.family.elementwise:
        return
    where = f"{module.name} {report.subject}, {dtype}"
    table = _backends.table_of(module.name)
    attached = _attached(table, proxy)
    x = num.rounded(np.concatenate([grid, num.inputs(dtype)]), dtype)
    weight = num.weights(x.size, dtype)
    slope, off = reference_slope(module, proxy, x, dtype)
    got = slope_of(module, attached, x, dtype, weight)
    size = np.maximum(1.0, abs(weight))
    report.compare("2 loss gradient × slope", where, module.name, x, got, num.times_slope(weight, slope), off * size)
    own = module.numbers(proxy.slope(module.array(x, dtype)))
    zero = own == 0
    for loss_gradient in (np.inf, -np.inf, np.nan):
        got = slope_of(module, attached, x, dtype, np.full_like(x, loss_gradient))[zero]
        report.compare("2 zero at slope 0", where, module.name, x[zero], got, np.zeros(zero.sum()), 0.0)
    kinks = {num.rounded(k, dtype).item(): s for k, s in proxy.kinks.items() if num.rounded(k, dtype) == k}
    places, wanted = np.array(list(kinks)), np.array([float(s) for s in kinks.values()])
    if len(kinks):
        got = slope_of(module, attached, places, dtype)
        report.compare("3 kinks", where, module.name, places, got, wanted, 4 * num.EPSILON[dtype] * abs(wanted))
    limits = module.numbers(proxy.slope(module.array(np.array([-np.inf, np.inf]), dtype)))
    report.note("3 limits", where, module.name, not np.isnan(limits).any(), f"slopes at the infinities: {limits}")


def _attached(table: Any, proxy: Proxy) -> Callable[[Any], Any]:
    """The proxy's derivative with no value to evaluate: a density has none."""
    return lambda x: proxy.attach(table, table.detach(x) * 0.0, x, "check_proxy")


def reference_slope(module: Adapter, proxy: Proxy, x: Any, dtype: str) -> tuple[Any, Any]:
    """The slope in float64 at these numbers, as numbers of the dtype, and what another dtype may be off by."""

    def wide(at: Any) -> Any:
        return module.numbers(proxy.slope(module.array(at, "float64")))

    with np.errstate(all="ignore"):
        slope = wide(x)
        step = np.where(np.isfinite(x), abs(x) * 2.0**-20, 0.0)
        moved = np.maximum(abs(wide(x + step) - slope), abs(wide(x - step) - slope)) * 2.0**20
        slack = np.where(np.isfinite(moved), moved, 0.0)
        # The place of a kink is taken in the narrow dtype: there the stated slopes of both may stand.
        near = np.any(
            [abs(x - k) <= num.EPSILON[dtype] * abs(k) for k in proxy.kinks] or [np.zeros(x.shape, bool)], axis=0
        )
        own = module.numbers(proxy.slope(module.array(x, dtype)))
    wanted = np.where(near, own, num.rounded(slope, dtype))
    return wanted, num.allowed(wanted, np.where(near, 0.0, slack), dtype)
