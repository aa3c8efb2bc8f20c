"""Values of the hard operators in PyTorch, with kernels that stay vectorised.

On the CPU a comparison that writes booleans, a choice by a mask and a cast from boolean run at 2 to 10 ns per element,
a clamp, a floor or a comparison that writes floats at 0.1. So a sign is 1 + 2·floor(clamp(x, -1, 0)): exact for every
number, nan for nan; and where a comparison has lost a nan, which a sum over the block tells, it is put back. Where
nobody traces or batches, one block after another is worked on in place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

from straightthrough._backends._torch_memory import HALF, SMALL, blocks, finite, only_numbers

Tensor = torch.Tensor

_constants: dict[tuple[torch.dtype, int], Tensor] = {}
_WRITES_FLOATS: dict[Any, Callable[..., Tensor]] = {
    operator.gt: torch.gt,
    operator.ge: torch.ge,
    operator.lt: torch.lt,
    operator.le: torch.le,
    operator.eq: torch.eq,
    operator.ne: torch.ne,
}


_HALF_ONES = {torch.bfloat16: (0x3F80, 256), torch.float16: (0x3C00, 32)}
"""The bits of 1, and by what they are multiplied, modulo 2¹⁶, to give the bit of the sign."""


def binary_sign(x: Tensor) -> Tensor:
    """-1 for x < 0, +1 for x >= 0, nan for nan."""
    return _blockwise(
        x, _half_sign_of_block if x.dtype in HALF else _sign_of_block, lambda x: torch.clamp(x, -1, 0).floor() * 2 + 1
    )


def step(x: Tensor) -> Tensor:
    """1 for x > 0, 0 for x <= 0, nan for nan."""
    # The last one removes the sign of -0.0.
    return _blockwise(x, _step_of_block, lambda x: torch.clamp(x, 0, 1).ceil().abs())


def ternary(x: Tensor, threshold: float) -> Tensor:
    """-1 for x < -threshold, 1 for x > threshold, nan for nan, else 0."""

    def composed(x: Tensor) -> Tensor:
        hard = (x > threshold).to(x.dtype) - (x < -threshold).to(x.dtype)
        return torch.where(torch.isnan(x), x, hard)

    def of_block(x: Tensor, out: Tensor) -> None:
        torch.gt(x, threshold, out=out).sub_(torch.lt(x, -threshold, out=torch.empty_like(x)))
        _put_nan_back(x, out)

    return _blockwise(x, of_block, composed, working=True)


def stochastic_round(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """floor(x), or one more with probability x - floor(x); the draw is in float32 at least."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32

    def composed(x: Tensor) -> Tensor:
        below = torch.floor(x)
        draw = torch.rand(x.shape, generator=generator, dtype=wide, device=x.device)
        # + 0.0 would turn -0.0 into 0.0.
        return torch.where(draw < (x - below).to(wide), below + 1.0, below)

    def of_block(x: Tensor, out: Tensor) -> None:
        out.copy_(composed(x))

    return _blockwise(x, of_block, composed, working=True)


def _constant(value: int, like: Tensor) -> Tensor:
    """A Python number costs a kernel 2 µs to wrap. Made where nobody traces: else it would belong to the tracer."""
    found = _constants.get((like.dtype, value))
    if found is None:
        found = _constants[like.dtype, value] = torch.full((), value, dtype=like.dtype, device="cpu")
    return found


def _sign_of_block(x: Tensor, out: Tensor) -> None:
    torch.clamp(x, -1, 0, out=out).floor_()
    torch.add(_constant(1, x), out, alpha=2, out=out)


def _half_sign_of_block(x: Tensor, out: Tensor) -> None:
    """From 1 where x < 0 to the bit of the sign, and to that the bits of 1: whole numbers are added at once."""
    torch.lt(x, _constant(0, x), out=out)
    bits, (one, to_sign) = out.view(torch.int16), _HALF_ONES[x.dtype]
    torch.add(_constant(one, bits), bits, alpha=to_sign, out=bits)
    _put_nan_back(x, out)


def _step_of_block(x: Tensor, out: Tensor) -> None:
    if x.numel() <= SMALL:
        # Three calls, and none that waits for a sum.
        torch.clamp(x, 0, 1, out=out).ceil_().abs_()
        return
    torch.gt(x, _constant(0, x), out=out)
    _put_nan_back(x, out)


def _put_nan_back(x: Tensor, out: Tensor) -> None:
    if not finite(x):
        out.copy_(torch.where(torch.isnan(x), x, out))


def _blockwise(
    x: Tensor, kernel: Callable[[Tensor, Tensor], None], composed: Callable[[Tensor], Tensor], working: bool = False
) -> Tensor:
    if not only_numbers(x):
        return composed(x)
    x = x.detach()
    out = torch.empty_like(x)
    if x.numel() <= SMALL:
        kernel(x, out)
        return out
    if x.stride() != out.stride():
        return composed(x)
    for block in blocks(x, out, working=working):
        kernel(*block)
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
    if x.dtype in HALF and x.is_cpu:
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
