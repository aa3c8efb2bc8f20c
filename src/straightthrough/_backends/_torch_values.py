"""Values of the hard operators in PyTorch, with kernels that stay vectorised.

On the CPU a comparison that writes booleans, a choice by a mask and a cast from boolean run at 2 to 10 ns per element,
a clamp, a floor or a comparison that writes floats at 0.1. So a sign is 1 + 2·floor(clamp(x, -1, 0)): exact for every
number, nan for nan. Where nobody traces or batches, one block after another is worked on in place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

from straightthrough._backends._torch_fused import SMALL, blocks, flat, only_numbers

Tensor = torch.Tensor

_HALF = {torch.bfloat16, torch.float16}
_ones: dict[torch.dtype, Tensor] = {}
_WRITES_FLOATS: dict[Any, Callable[..., Tensor]] = {
    operator.gt: torch.gt,
    operator.ge: torch.ge,
    operator.lt: torch.lt,
    operator.le: torch.le,
    operator.eq: torch.eq,
    operator.ne: torch.ne,
}


def binary_sign(x: Tensor) -> Tensor:
    """-1 for x < 0, +1 for x >= 0, nan for nan."""
    return _blockwise(x, _sign_of_block, lambda x: torch.clamp(x, -1, 0).floor() * 2 + 1)


def step(x: Tensor) -> Tensor:
    """1 for x > 0, 0 for x <= 0, nan for nan."""
    # The last one removes the sign of -0.0.
    return _blockwise(x, _step_of_block, lambda x: torch.clamp(x, 0, 1).ceil().abs())


def _sign_of_block(x: Tensor, out: Tensor) -> None:
    torch.clamp(x, -1, 0, out=out).floor_()
    # One kernel, and its 1 a tensor: a Python number costs 2 µs to wrap. Made here, where nobody traces: as a constant
    # of the module it would belong to the tracer if the library were first used under one.
    one = _ones.get(x.dtype)
    if one is None:
        one = _ones[x.dtype] = torch.ones((), dtype=x.dtype, device="cpu")
    torch.add(one, out, alpha=2, out=out)


def _step_of_block(x: Tensor, out: Tensor) -> None:
    torch.clamp(x, 0, 1, out=out).ceil_().abs_()


def _blockwise(x: Tensor, kernel: Callable[[Tensor, Tensor], None], composed: Callable[[Tensor], Tensor]) -> Tensor:
    if not only_numbers(x):
        return composed(x)
    x = x.detach()
    out = torch.empty_like(x)
    if x.numel() <= SMALL:
        kernel(x, out)
        return out
    if x.stride() != out.stride():
        return composed(x)
    x_flat, out_flat = flat(x), flat(out)
    places = blocks(x)
    for start in places:
        kernel(x_flat[start : start + places.step], out_flat[start : start + places.step])
    return out


def compare(relation: Any, x: Tensor, y: Tensor | float) -> Tensor:
    """1 where ``relation(x, y)`` holds, else 0, in x's dtype; the relation is one of the `operator` module's."""
    if not only_numbers(x) or (isinstance(y, Tensor) and not only_numbers(y)):
        return relation(x, y).to(x.dtype)  # type: ignore[no-any-return]
    x = x.detach()
    if not isinstance(y, Tensor):
        return _WRITES_FLOATS[relation](x, y, out=torch.empty_like(x))
    y = y.detach()
    shape = x.shape if x.shape == y.shape else torch.broadcast_shapes(x.shape, y.shape)
    like = x if shape == x.shape else x.expand(shape)
    return _WRITES_FLOATS[relation](x, y, out=torch.empty_like(like))


def argmax_mask(x: Tensor, axis: int) -> Tensor:
    """1 at the largest element, in x's dtype."""
    # In half types argmax is scalar; max gives the same index: nan is the largest, the first one wins.
    if x.dtype in _HALF and x.is_cpu:
        index = torch.max(x, dim=axis, keepdim=True).indices
    else:
        index = torch.argmax(x, dim=axis, keepdim=True)
    zeros = torch.zeros_like(x, requires_grad=False)
    return zeros.scatter_(axis, index, 1.0) if only_numbers(x) else zeros.scatter(axis, index, 1.0)


def clamp(x: Tensor, low: float, high: float) -> Tensor:
    """x between low and high; no derivative is promised, and a zero bound replaces -0.0."""
    if low and high:
        return torch.clamp(x, low, high)
    return torch.where(x >= high, high, torch.where(x <= low, low, x))
