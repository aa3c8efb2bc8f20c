"""Annealing a proxy's parameter over training.

Each helper takes the progress as a number or as an array (a traced step count, say) and returns the like. Given as an
array parameter, an annealed width recompiles nothing.
"""

from __future__ import annotations

import math
from typing import Any

from straightthrough import _backends
from straightthrough._autograph import as_it_is
from straightthrough._errors import ArgumentError, FrameworkError, short, wrong
from straightthrough.proxies._parameters import is_number


def _fraction(function: str, step: Any, steps: Any) -> Any:
    if not is_number(steps) or not 0 < steps < math.inf:
        raise ArgumentError(wrong(function, "steps", "a finite number > 0", short(steps)))
    if is_number(step):
        if math.isnan(step):
            raise ArgumentError(wrong(function, "step", "a number or an array", "nan"))
        return min(max(step / steps, 0.0), 1.0)
    try:
        xp, step = _backends.admit(function, "step", step)
    except FrameworkError:
        raise ArgumentError(wrong(function, "step", "a number or an array", short(step))) from None
    return xp.clip(xp.as_float(step) / float(steps), 0.0, 1.0)


@as_it_is
def linear(start: float, end: float, *, step: Any, steps: int) -> Any:
    """``start + (end - start) · step/steps``, constant after the last step.

    Args:
        start, end: numbers.
        step: how far training is, a number or an array; below 0 counts as 0.
        steps: the number of steps after which the end is reached, > 0.

    Returns:
        A number where step is one, else an array of step's shape (float32 for whole steps).

    Raises:
        ArgumentError: ends that are not finite numbers, or a step that is neither a number nor an array.

    Example:
        >>> linear(2.0, 1.0, step=5, steps=10)
        1.5
    """
    if not (is_number(start) and is_number(end) and math.isfinite(start) and math.isfinite(end)):
        got = f"{short(start)} and {short(end)}"
        raise ArgumentError(wrong("schedule.linear", "start and end", "finite numbers", got))
    return start + _fraction("schedule.linear", step, steps) * (end - start)


@as_it_is
def exponential(start: float, end: float, *, step: Any, steps: int) -> Any:
    """``start · (end/start)^(step/steps)``, constant after the last step.

    Args:
        start, end: numbers > 0.
        step: how far training is, a number or an array; below 0 counts as 0.
        steps: the number of steps after which the end is reached, > 0.

    Returns:
        A number where step is one, else an array of step's shape (float32 for whole steps).

    Raises:
        ArgumentError: an end that is not > 0, or a step that is neither a number nor an array.

    Example:
        >>> exponential(4.0, 1.0, step=5, steps=10)
        2.0
    """
    if not (is_number(start) and is_number(end) and 0 < start < math.inf and 0 < end < math.inf):
        got = f"{short(start)} and {short(end)}"
        raise ArgumentError(wrong("schedule.exponential", "start and end", "finite numbers > 0", got))
    fraction = _fraction("schedule.exponential", step, steps)
    exponent = fraction * math.log(end / start)
    if isinstance(exponent, float):
        return start * math.exp(exponent)
    xp, exponent = _backends.admit("schedule.exponential", "step", exponent)
    return xp.exp(exponent) * start


@as_it_is
def ede(*, step: Any, steps: int, first: float = 1e-2, last: float = 1e1) -> Any:
    """IR-Net's t for the proxy `ede`: from ``first`` to ``last`` evenly in the logarithm; its k follows from t.

    Args:
        step, steps: as for `linear`.
        first, last: t at the start and at the end, > 0.

    Returns:
        As `linear`.

    Raises:
        ArgumentError: as for `exponential`.

    Example:
        >>> round(ede(step=0, steps=100), 6)
        0.01

    Source:
        Qin et al. 2020, arXiv 1909.10788 (the paper's T_min = 1e-2 and T_max = 1e1).
    """
    return exponential(first, last, step=step, steps=steps)
