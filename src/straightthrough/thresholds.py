"""Thresholds: operators that compare with a level and return a constant on each side."""

from __future__ import annotations

import operator
from typing import Any

from straightthrough import _backends
from straightthrough._backends._difference import Difference
from straightthrough._errors import ArgumentError, DtypeError, FrameworkError, ShapeError, kind_of, short, wrong
from straightthrough.core import operation
from straightthrough.proxies._parameters import is_number

Array = Any
_STEP = "mass 1 fits a step of 1, it never goes silent, and of the fixed proxies measured it lost least"


@operation("clipped_identity", reason="mass 2 fits a jump of 2; the standard of binary networks since Hubara 2016")
def sign(xp: Any, x: Array) -> Array:
    """Sign of x in {-1, +1}; zero, of either sign, counts as positive.

    Args:
        x: floating array, any shape.

    Returns:
        Array of x's shape and dtype; nan stays nan.

    Gradient:
        Default proxy clipped_identity: slope 1 for |x| <= 1, kinks included, else 0.

    Raises:
        DtypeError: x holds integers, which cannot carry a gradient.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.sign(torch.tensor([-0.3, 0.0, 2.0]))
        tensor([-1.,  1.,  1.])

    Source:
        Courbariaux, Hubara, Soudry, El-Yaniv, Bengio 2016, arXiv 1602.02830.
    """
    # Not the framework's sign: it gives 0 at 0, a third value that a binary weight cannot store.
    return xp.binary_sign(x)


@operation("clipped_identity", reason="the two jumps of 1 make a jump of 2 in all, as a sign's; mass 2 fits it")
def ternary(xp: Any, x: Array, threshold: float = 0.5) -> Array:
    """-1 below -threshold, +1 above threshold, 0 between and at both.

    Args:
        x: floating array, any shape.
        threshold: number > 0, in the unit of x.

    Returns:
        Array of x's shape and dtype; nan stays nan.

    Gradient:
        Default proxy clipped_identity: slope 1 for |x| <= 1, kinks included, else 0.

    Raises:
        DtypeError: x holds integers.
        ArgumentError: threshold is not a finite number > 0.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.ternary(torch.tensor([-0.6, 0.5, 0.7]))
        tensor([-1.,  0.,  1.])

    Source:
        Li, Zhang, Liu 2016 (ternary weight networks), arXiv 1605.04711.
    """
    if not is_number(threshold) or not 0 < threshold < float("inf"):
        raise ArgumentError(wrong("ternary", "threshold", "a finite number > 0", short(threshold)))
    # Without a derivative: else the choice among the three would keep a mask for a gradient that nobody wants.
    return xp.ternary(xp.detach(x), float(threshold))


@operation("sigmoid", reason=_STEP)
def heaviside(xp: Any, x: Array) -> Array:
    """1 for x > 0, else 0; 0 at zero.

    Args:
        x: floating array, any shape.

    Returns:
        Array of x's shape and dtype; nan stays nan.

    Gradient:
        Default proxy sigmoid(sharpness=4): slope 4σ(4x)σ(-4x). No kinks.

    Raises:
        DtypeError: x holds integers.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.heaviside(torch.tensor([-0.3, 0.0, 2.0]))
        tensor([0., 0., 1.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the threshold with a sigmoid's derivative).
    """
    return xp.step(x)


def _pair(function: str, xp: Any, x: Array, y: Any) -> Array:
    """y as a number or an array that x - y can be formed with."""
    if is_number(y):
        return y
    wanted = f"a number, or an array of x's framework and dtype {xp.dtype_name(x)}"
    try:
        y = _backends.admit_like(xp, function, "y", y)
    except FrameworkError:
        other = _backends.framework_of(y)
        got = kind_of(y) if other is None else f"an array of {other}"
        raise FrameworkError(wrong(function, "y", wanted, got)) from None
    if xp.dtype_name(y) != xp.dtype_name(x):
        raise DtypeError(wrong(function, "y", wanted, f"an array of {xp.dtype_name(y)}", "cast one of them"))
    devices = _backends.two_devices(xp, y, x)
    if devices is not None:
        here, there = devices
        raise ArgumentError(wrong(function, "y", f"on x's device {there}", f"one on {here}"))
    a, b = xp.shape(x)[::-1], xp.shape(y)[::-1]
    if any(p != q and 1 not in (p, q) and None not in (p, q) for p, q in zip(a, b, strict=False)):
        raise ShapeError(wrong(function, "y", f"of a shape that broadcasts with x's {a[::-1]}", f"{b[::-1]}"))
    return y


_ABOVE, _BELOW = Difference(1), Difference(-1)
_NEAR, _APART = Difference(-1, distance=True), Difference(1, distance=True)


@operation("sigmoid", reason=_STEP, subject=_ABOVE)
def greater(xp: Any, x: Array, y: Any) -> Array:
    """1 where x > y, else 0; 0 where either is nan.

    Args:
        x: floating array.
        y: number, or array of x's dtype whose shape broadcasts with x's.

    Returns:
        Array of x's dtype and the broadcast shape.

    Gradient:
        The proxy acts on x - y: +slope to x and -slope to y, each summed to its shape. Default
        sigmoid(sharpness=4), no kinks.

    Raises:
        DtypeError: x holds integers, or y is of another dtype.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.greater(torch.tensor([0.2, 0.5, 0.7]), 0.5)
        tensor([0., 0., 1.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the threshold with a sigmoid's derivative).
    """
    y = _pair("greater", xp, x, y)
    return xp.compare(operator.gt, x, y)


@operation("sigmoid", reason=_STEP, subject=_ABOVE)
def greater_equal(xp: Any, x: Array, y: Any) -> Array:
    """1 where x >= y, else 0; 0 where either is nan.

    Args:
        x: floating array.
        y: number, or array of x's dtype whose shape broadcasts with x's.

    Returns:
        Array of x's dtype and the broadcast shape.

    Gradient:
        As `greater`: the proxy acts on x - y.

    Raises:
        DtypeError: x holds integers, or y is of another dtype.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.greater_equal(torch.tensor([0.2, 0.5]), 0.5)
        tensor([0., 1.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the threshold with a sigmoid's derivative).
    """
    y = _pair("greater_equal", xp, x, y)
    return xp.compare(operator.ge, x, y)


@operation("sigmoid", reason=_STEP, subject=_BELOW)
def less(xp: Any, x: Array, y: Any) -> Array:
    """1 where x < y, else 0; 0 where either is nan.

    Args:
        x: floating array.
        y: number, or array of x's dtype whose shape broadcasts with x's.

    Returns:
        Array of x's dtype and the broadcast shape.

    Gradient:
        It is greater(y, x): the proxy acts on y - x, so -slope to x and +slope to y.

    Raises:
        DtypeError: x holds integers, or y is of another dtype.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.less(torch.tensor([0.2, 0.5]), 0.5)
        tensor([1., 0.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the threshold with a sigmoid's derivative).
    """
    y = _pair("less", xp, x, y)
    return xp.compare(operator.lt, x, y)


@operation("sigmoid", reason=_STEP, subject=_BELOW)
def less_equal(xp: Any, x: Array, y: Any) -> Array:
    """1 where x <= y, else 0; 0 where either is nan.

    Args:
        x: floating array.
        y: number, or array of x's dtype whose shape broadcasts with x's.

    Returns:
        Array of x's dtype and the broadcast shape.

    Gradient:
        As `less`: the proxy acts on y - x.

    Raises:
        DtypeError: x holds integers, or y is of another dtype.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.less_equal(torch.tensor([0.2, 0.5]), 0.5)
        tensor([1., 1.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the threshold with a sigmoid's derivative).
    """
    y = _pair("less_equal", xp, x, y)
    return xp.compare(operator.le, x, y)


@operation("sigmoid", reason=_STEP, subject=_NEAR)
def equal(xp: Any, x: Array, y: Any) -> Array:
    """1 where x == y, else 0; 0 where either is nan.

    Args:
        x: floating array.
        y: number, or array of x's dtype whose shape broadcasts with x's.

    Returns:
        Array of x's dtype and the broadcast shape.

    Gradient:
        It is greater_equal(-|x - y|, 0): the proxy acts on -|x - y|, so that ascent draws x and y together. The slope
        at x == y is 0.

    Raises:
        DtypeError: x holds integers, or y is of another dtype.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.equal(torch.tensor([0.2, 0.5]), 0.5)
        tensor([0., 1.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the threshold with a sigmoid's derivative).
    """
    y = _pair("equal", xp, x, y)
    return xp.compare(operator.eq, x, y)


@operation("sigmoid", reason=_STEP, subject=_APART)
def not_equal(xp: Any, x: Array, y: Any) -> Array:
    """1 where x != y, else 0; 1 where either is nan, as IEEE 754 has it.

    Args:
        x: floating array.
        y: number, or array of x's dtype whose shape broadcasts with x's.

    Returns:
        Array of x's dtype and the broadcast shape.

    Gradient:
        It is greater(|x - y|, 0): the proxy acts on |x - y|. The slope at x == y is 0.

    Raises:
        DtypeError: x holds integers, or y is of another dtype.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.not_equal(torch.tensor([0.2, 0.5]), 0.5)
        tensor([1., 0.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the threshold with a sigmoid's derivative).
    """
    y = _pair("not_equal", xp, x, y)
    return xp.compare(operator.ne, x, y)
