"""A proxy as a picture: its value beside the operator, its slope beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from straightthrough._errors import ArgumentError, MissingDependencyError, wrong
from straightthrough.proxies._proxy import Family, Proxy
from straightthrough.proxies.lookup import get

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTTED = ("ceil", "floor", "heaviside", "round", "sign", "ternary", "trunc")


def curve_data(proxy: str | Proxy | Family, low: float = -3.0, high: float = 3.0, points: int = 601) -> dict[str, Any]:
    """Value and slope as plain lists, computed with whichever framework is installed."""
    import numpy as np

    one = get(proxy, "proxies.plot")
    if not one.family.elementwise:
        raise ArgumentError(wrong("proxies.plot", "proxy", "element-wise", f"{one}", "a Jacobian has no one slope"))
    grid = np.linspace(low, high, points)
    xp, x = _any_framework(grid)
    value, slope = (np.asarray(curve(xp, x)).tolist() for curve in (one.curve.value, one.curve.slope))
    return {"name": str(one), "x": grid.tolist(), "value": value, "slope": slope}


def _any_framework(grid: Any) -> tuple[Any, Any]:
    from straightthrough import _backends

    for framework in _backends.FRAMEWORKS:
        try:
            xp = _backends.table_of(framework)
        except ImportError:
            continue
        import numpy as np

        return xp, xp.from_numpy(grid.astype(np.float32))
    raise MissingDependencyError("proxies.plot: needs TensorFlow, PyTorch or JAX; pip install 'straightthrough[jax]'")


def plot(*proxies: str | Proxy | Family, operator: str = "heaviside", low: float = -3.0, high: float = 3.0) -> Figure:
    """Draws value and slope of each proxy beside the hard operator.

    Args:
        proxies: names, families or proxies with number parameters.
        operator: name of a ready element-wise operation, drawn behind each.
        low, high: the range of x.

    Returns:
        A matplotlib Figure.

    Raises:
        UnknownNameError: no proxy or operation has this name.
        MissingDependencyError: matplotlib, or every framework, is missing.

    Example:
        >>> figure = plot("clipped_relu", "sigmoid", operator="heaviside")
    """
    import numpy as np

    from straightthrough import report
    from straightthrough._registry import operation_named

    hard = operation_named(operator, "proxies.plot")
    if operator not in PLOTTED:
        wanted = f"an element-wise operation of one array ({', '.join(PLOTTED)})"
        raise ArgumentError(wrong("proxies.plot", "operator", wanted, repr(operator)))
    grid = np.linspace(low, high, 601)
    xp, x = _any_framework(grid)
    curves = [curve_data(proxy, low, high) for proxy in proxies]
    behind = {"name": operator, "x": grid.tolist(), "value": np.asarray(hard.hard(xp, x)).tolist()}
    return report.value_and_slope(behind, curves)
