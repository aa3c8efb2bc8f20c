"""The derivative of a comparison in eager PyTorch: the arrays are kept, which are there anyway, not their difference.

The difference is formed again in the backward, block by block, so that a call needs its result and its gradient only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

from straightthrough._backends import _torch_fused
from straightthrough._backends._difference import Difference
from straightthrough._backends._torch_memory import SMALL, blocks, only_numbers, plain_gradient

if TYPE_CHECKING:
    from straightthrough._backends._table import Curve

Tensor = torch.Tensor


class _EagerDifference(torch.autograd.Function):
    """Value of ``result``, in a tuple, which autograd does not look into; derivative ``curve.slope(rule(x, y))``."""

    @staticmethod
    def forward(ctx: Any, boxed: tuple[Tensor], x: Tensor, y: Any, rule: Difference, curve: Curve) -> Tensor:
        ctx.rule, ctx.curve, ctx.number = rule, curve, None if isinstance(y, Tensor) else y
        ctx.save_for_backward(*([x, y] if ctx.number is None else [x]))
        return boxed[0].detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, y = [*ctx.saved_tensors, ctx.number][:2]
        to_x = _times_slope(gradient, x, y, ctx.rule, ctx.curve)
        want_x, want_y = ctx.needs_input_grad[1:3]
        to_y = _summed(-to_x, y) if want_y else None
        return None, _summed(to_x, x) if want_x else None, to_y, None, None


_apply = super(torch.autograd.Function, _EagerDifference).apply


def attach_difference(result: Tensor, rule: Any, curve: Curve, x: Tensor, y: Any) -> Tensor | None:
    """`attach_slope` at ``rule(x, y)``; None where the general form is needed."""
    # Of two arrays the difference is one to keep instead of two; for a distance two are less than the general form's.
    plain = only_numbers(x) and (not isinstance(y, Tensor) or (getattr(rule, "distance", False) and only_numbers(y)))
    if not plain or not isinstance(rule, Difference) or not torch.is_grad_enabled():
        return None
    if not x.requires_grad and not (isinstance(y, Tensor) and y.requires_grad):
        return result
    return cast(Tensor, _apply((result,), x, y, rule, curve))


def _summed(gradient: Tensor, like: Tensor) -> Tensor:
    return gradient if gradient.shape == like.shape else gradient.sum_to_size(like.shape)


def _times_slope(gradient: Tensor, x: Tensor, y: Any, rule: Difference, curve: Curve) -> Tensor:
    """gradient × ∂proxy/∂x, of the shape of the result."""
    if not torch.is_grad_enabled() and plain_gradient(gradient, x) and x.numel() > SMALL:
        out = torch.empty_like(x)
        alike = not isinstance(y, Tensor) or y.dim() == 0 or (y.shape == x.shape and y.stride() == x.stride())
        if alike and gradient.stride() == x.stride() == out.stride():
            _in_blocks(gradient, x, y, out, rule, curve)
            return out
    from straightthrough._backends import torch as table

    difference: Tensor = rule(table, x, y)
    total = _torch_fused.times_slope(gradient, difference, curve, ())
    if rule.distance:
        total = total * rule.derivative_of_distance(table, (x - y).detach())
    return total if rule.sign > 0 else -total


def _in_blocks(gradient: Tensor, x: Tensor, y: Any, out: Tensor, rule: Difference, curve: Curve) -> None:
    finish, _ = _torch_fused.finished(curve, (), x)
    walked = [gradient, x, out, *([y] if isinstance(y, Tensor) and y.dim() else [])]
    for g, a, o, *rest in blocks(*walked, working=True):
        difference = a - (rest[0] if rest else y)
        # torch.sign(nan) is 0, as it must be here.
        direction = torch.sign(difference) if rule.distance else None
        if rule.distance:
            difference.abs_()
        finish(g, difference if rule.sign > 0 else difference.neg_(), o)
        if direction is not None:
            o.mul_(direction)
        if rule.sign < 0:
            o.neg_()
