"""Selection: which elements of an axis are the largest, as a one-hot or a mask: an index carries no gradient."""

from __future__ import annotations

from typing import Any

from straightthrough._errors import ArgumentError, short, wrong
from straightthrough.core import operation
from straightthrough.proxies.selections import as_whole, check_axis

Array = Any
_SOFTMAX = "the softmax is the expected one-hot under Gumbel noise: it is right for noise on the logits"


def _one_hot_keywords(axis: int = -1) -> dict[str, Any]:
    return {"axis": axis}


def _top_k_keywords(k: int, axis: int = -1) -> dict[str, Any]:
    return {"axis": axis, "k": k}


@operation("softmax", reason=_SOFTMAX, keywords=_one_hot_keywords)
def one_hot_argmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """1 at the largest element along an axis, 0 elsewhere; nan counts as the largest, the first index wins a tie.

    Args:
        x: floating array of at least one dimension (logits, scores).
        axis: the axis of the candidates, from -ndim to ndim - 1.

    Returns:
        Array of x's shape and dtype; one 1 per slice along the axis.

    Gradient:
        Default proxy softmax(x, axis): the loss gradient times its Jacobian. An element-wise proxy acts on x.

    Raises:
        DtypeError: x holds integers.
        ArgumentError: axis out of range, or an axis without elements.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.one_hot_argmax(torch.tensor([0.1, 2.0, 2.0]))
        tensor([0., 1., 0.])

    Source:
        Jang, Gu, Poole 2017, arXiv 1611.01144.
    """
    axis = check_axis(xp, x, axis, "one_hot_argmax")
    return xp.mask(xp.argmax_mask(xp.detach(x), axis), x)


def _negated(xp: Any, x: Array, axis: int = -1) -> Array:
    return -x


@operation("softmax", reason=_SOFTMAX + ", here on the negated ones", subject=_negated, keywords=_one_hot_keywords)
def one_hot_argmin(xp: Any, x: Array, axis: int = -1) -> Array:
    """1 at the smallest element along an axis, 0 elsewhere: one_hot_argmax(-x). A nan is chosen first, as in numpy.

    Args:
        x: floating array of at least one dimension (distances, costs).
        axis: the axis of the candidates, from -ndim to ndim - 1.

    Returns:
        Array of x's shape and dtype; one 1 per slice along the axis.

    Gradient:
        Default proxy softmax(-x, axis). An element-wise proxy acts on -x.

    Raises:
        DtypeError: x holds integers.
        ArgumentError: axis out of range, or an axis without elements.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.one_hot_argmin(torch.tensor([0.1, 2.0, 0.1]))
        tensor([1., 0., 0.])

    Source:
        Jang, Gu, Poole 2017, arXiv 1611.01144; van den Oord et al. 2017, arXiv 1711.00937 (nearest code).
    """
    axis = check_axis(xp, x, axis, "one_hot_argmin")
    return xp.mask(xp.argmax_mask(-xp.detach(x), axis), x)


@operation("softmax", reason="k · softmax sums to k, as the mask does", keywords=_top_k_keywords)
def top_k_mask(xp: Any, x: Array, k: int, axis: int = -1) -> Array:
    """1 at the k largest elements along an axis, 0 elsewhere; nan counts as the largest, the first indices win ties.

    Args:
        x: floating array of at least one dimension (scores).
        k: how many to keep, from 1 to the length of the axis.
        axis: the axis of the candidates, from -ndim to ndim - 1.

    Returns:
        Array of x's shape and dtype; k ones per slice along the axis.

    Gradient:
        Default proxy k · softmax(x, axis). An element-wise proxy acts on x.

    Raises:
        DtypeError: x holds integers.
        ArgumentError: k or axis out of range, or an axis without elements.

    Example:
        >>> import torch, straightthrough as ste
        >>> ste.top_k_mask(torch.tensor([3.0, 1.0, 2.0, 2.0]), 2)
        tensor([1., 0., 1., 0.])

    Source:
        Shazeer et al. 2017 (top-k gating), arXiv 1701.06538.
    """
    axis = check_axis(xp, x, axis, "top_k_mask")
    length = xp.shape(x)[axis]
    kept_count = as_whole(k)
    if kept_count is None or kept_count < 1 or (length is not None and kept_count > length):
        wanted = "a whole number >= 1" + (f" and at most {length}, the length of axis {axis}" if length else "")
        raise ArgumentError(wrong("top_k_mask", "k", wanted, short(k)))
    order = xp.swap_to_last(xp.order(xp.detach(x)), axis)
    level = xp.kth_largest(order, kept_count)
    above, tied = order > level, order == level
    # Of those at the level as many as are still missing, from the front.
    missing = kept_count - xp.sum(xp.mask(above, order), -1)
    kept = above | (tied & (xp.cumsum(xp.mask(tied, order), -1) <= missing))
    return xp.mask(xp.swap_to_last(kept, axis), x)
