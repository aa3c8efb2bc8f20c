"""Rounding: operators onto the whole numbers, and the clip."""

from __future__ import annotations

from typing import Any

from straightthrough._errors import ArgumentError, short, wrong
from straightthrough.core import operation
from straightthrough.proxies._parameters import is_number

Array = Any
_STAIRCASE = "the mean slope of a staircase of unit steps is 1, and so is the density of uniform noise of width 1"


@operation("identity", reason=_STAIRCASE)
def round(xp: Any, x: Array) -> Array:
    """Nearest whole number, half to even; -0.0, nan and the infinities stay.

    Args:
        x: floating array, any shape.

    Returns:
        Array of x's shape and dtype.

    Gradient:
        Default proxy identity: the loss gradient, unchanged. No kinks.

    Raises:
        DtypeError: x holds integers, which cannot carry a gradient.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.round(torch.tensor([-0.4, 0.5, 1.5]))
        tensor([-0., 0., 2.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432.
    """
    return xp.round(x)


@operation("identity", reason=_STAIRCASE)
def floor(xp: Any, x: Array) -> Array:
    """Largest whole number not above x; -0.0, nan and the infinities stay.

    Args:
        x: floating array, any shape.

    Returns:
        Array of x's shape and dtype.

    Gradient:
        Default proxy identity: the loss gradient, unchanged. No kinks.

    Raises:
        DtypeError: x holds integers.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.floor(torch.tensor([-0.5, 1.9]))
        tensor([-1.,  1.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432.
    """
    return xp.floor(x)


@operation("identity", reason=_STAIRCASE)
def ceil(xp: Any, x: Array) -> Array:
    """Smallest whole number not below x; nan and the infinities stay, (-1, 0) gives -0.0.

    Args:
        x: floating array, any shape.

    Returns:
        Array of x's shape and dtype.

    Gradient:
        Default proxy identity: the loss gradient, unchanged. No kinks.

    Raises:
        DtypeError: x holds integers.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.ceil(torch.tensor([0.1, 1.9]))
        tensor([1., 2.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432.
    """
    return xp.ceil(x)


@operation("identity", reason=_STAIRCASE)
def trunc(xp: Any, x: Array) -> Array:
    """x without its fraction: towards 0; nan and the infinities stay, (-1, 0) gives -0.0.

    Args:
        x: floating array, any shape.

    Returns:
        Array of x's shape and dtype.

    Gradient:
        Default proxy identity: the loss gradient, unchanged. No kinks.

    Raises:
        DtypeError: x holds integers.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.trunc(torch.tensor([-1.9, 1.9]))
        tensor([-1.,  1.])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432.
    """
    return xp.trunc(x)


@operation("identity", reason="its expectation is the identity: E[stochastic_round(x)] = x")
def stochastic_round(xp: Any, x: Array, key: Any = None) -> Array:
    """floor(x), or floor(x) + 1 with probability x - floor(x), so that the mean is x.

    The draw is compared with the fraction in float32 (float64 for float64), so that half types are not biased by
    adding it: P(up) is right to 2⁻²⁴.

    Args:
        x: floating array, any shape.
        key: a JAX key (required there), a torch.Generator or tf.random.Generator, or None for the framework's own.

    Returns:
        Array of x's shape and dtype; nan and the infinities stay.

    Gradient:
        Default proxy identity: the loss gradient, unchanged. No kinks.

    Raises:
        DtypeError: x holds integers.
        ArgumentError: JAX without a key, or with several.
        FrameworkError: a key of another framework.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.stochastic_round(torch.tensor([2.0, 2.25]), key=torch.Generator().manual_seed(0)).tolist()
        [2.0, 2.0]

    Source:
        Gupta, Agrawal, Gopalakrishnan, Narayanan 2015, arXiv 1502.02551.
    """
    return xp.stochastic_round(xp.detach(x), key)


@operation("identity", reason="outside its range a clip is flat: what is saturated comes back only if gradient passes")
def clip(xp: Any, x: Array, low: float, high: float) -> Array:
    """x limited to [low, high]; nan stays nan.

    The proxy ``range_mask(low=..., high=...)`` gives the ordinary derivative, with its slope at the bounds stated.

    Args:
        x: floating array, any shape.
        low, high: numbers, low < high.

    Returns:
        Array of x's shape and dtype.

    Gradient:
        Default proxy identity: the loss gradient, unchanged, also outside the range. No kinks.

    Raises:
        DtypeError: x holds integers.
        ArgumentError: low is not below high, or one is not a number.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.clip(torch.tensor([-3.0, 0.5]), -1.0, 1.0)
        tensor([-1.0000,  0.5000])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432 (the identity; in Brevitas it is scalar_clamp_ste).
    """
    if not (is_number(low) and is_number(high) and low < high):
        raise ArgumentError(wrong("clip", "low and high", "numbers with low < high", f"{short(low)} and {short(high)}"))
    return xp.clamp(xp.detach(x), float(low), float(high))
