"""The derivative primitive of PyTorch: value of one tensor, derivative of a proxy.

Why it looks like this (each line was measured, see docs/architecture.md):

- An `autograd.Function` needs ``setup_context``, ``generate_vmap_rule`` and ``jvp`` to pass under torch.func.
- Dynamo inlines a Function's forward and drops its backward when the input has no ``requires_grad``, as under
  ``torch.compile(torch.func.grad(f))``: the gradient is 0 in silence. Hidden behind ``allow_in_graph`` it is kept.
- ``Function.apply`` inspects the signature of ``forward`` on each call (8 µs); in plain eager mode the C++ ``apply``
  beneath it is called directly.
- Where no gradient is wanted the hard result itself is returned, so that exported graphs hold nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.autograd import forward_ad

from straightthrough import _registry
from straightthrough._backends import _torch_fused

if TYPE_CHECKING:
    from straightthrough._backends._table import Curve

Tensor = torch.Tensor


class _Identity(torch.autograd.Function):
    """Value of ``result``, derivative 1 with respect to ``proxy``; copies and keeps nothing."""

    generate_vmap_rule = True

    @staticmethod
    def forward(result: Tensor, proxy: Tensor) -> Tensor:
        return result.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        # Without this torch makes a tensor of zeros for a missing tangent.
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Any, ...]:
        return None, gradient

    @staticmethod
    def jvp(ctx: Any, result_tangent: Tensor | None, tangent: Tensor | None) -> Tensor | None:
        # A tangent must not be the input's own tensor.
        return None if tangent is None else tangent.view_as(tangent)


class _Slope(torch.autograd.Function):
    """Value of ``result``, derivative ``curve.slope(x)``; keeps x and the proxy's array parameters."""

    generate_vmap_rule = True

    @staticmethod
    def forward(result: Tensor, x: Tensor, curve: Curve, *arrays: Tensor) -> Tensor:
        return result.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, x, ctx.curve, *arrays = inputs
        ctx.save_for_backward(x, *arrays)
        ctx.save_for_forward(x, *arrays)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Any, ...]:
        x, *arrays = ctx.saved_tensors
        if gradient is None:
            return (None,) * (3 + len(arrays))
        need_x, need_arrays = ctx.needs_input_grad[1], ctx.needs_input_grad[3:]
        x_gradient = _torch_fused.times_slope(gradient, x, ctx.curve, arrays) if need_x else None
        array_gradients: tuple[Any, ...] = (None,) * len(arrays)
        if any(need_arrays):
            array_gradients = _array_gradients(ctx.curve, x, arrays, gradient)
        return None, x_gradient, None, *array_gradients

    @staticmethod
    def jvp(ctx: Any, result_tangent: Any, tangent: Tensor | None, _: Any, *array_tangents: Any) -> Tensor | None:
        x, *arrays = ctx.saved_tensors
        total = None if tangent is None else _torch_fused.times_slope(tangent, x, ctx.curve, arrays)
        moved = [i for i, t in enumerate(array_tangents) if t is not None]
        if moved:
            along = _array_tangent(ctx.curve, x, arrays, moved, [array_tangents[i] for i in moved])
            total = along if total is None else total + along
        return total


class _EagerIdentity(torch.autograd.Function):
    """`_Identity` without what transforms need; `result` comes in a tuple, which autograd does not look into."""

    backward = staticmethod(_Identity.backward)

    @staticmethod
    def forward(ctx: Any, boxed: tuple[Tensor], proxy: Tensor) -> Tensor:
        return _own(boxed[0])


class _EagerSlope(torch.autograd.Function):
    """`_Slope` without what transforms and forward mode need: 2 µs less per call."""

    backward = staticmethod(_Slope.backward)

    @staticmethod
    def forward(ctx: Any, boxed: tuple[Tensor], x: Tensor, curve: Curve, *arrays: Tensor) -> Tensor:
        ctx.curve = curve
        ctx.save_for_backward(x, *arrays)
        return _own(boxed[0])


def _own(result: Tensor) -> Tensor:
    """The tensor that becomes the output: ``result`` itself, which nobody else holds, if nothing was recorded of it."""
    return result.detach() if result.requires_grad else result


def _table() -> Any:
    from straightthrough._backends import torch as table

    return table


def _array_gradients(curve: Curve, x: Tensor, arrays: list[Tensor], gradient: Tensor) -> tuple[Tensor, ...]:
    """Gradient × ∂value/∂parameter, summed to each parameter's shape."""
    pullback = torch.func.vjp(lambda *parameters: curve.value(_table(), x, *parameters), *arrays)[1]
    return cast("tuple[Tensor, ...]", pullback(gradient))


def _array_tangent(curve: Curve, x: Tensor, arrays: list[Tensor], moved: list[int], tangents: list[Tensor]) -> Tensor:
    """∂value/∂parameter × tangent, by two reverse passes: forward mode does not nest inside a jvp rule."""

    def pull(cotangent: Tensor) -> tuple[Tensor, ...]:
        gradients = _array_gradients(curve, x, arrays, cotangent)
        return tuple(gradients[i] for i in moved)

    transpose = torch.func.vjp(pull, torch.zeros_like(x))[1]
    return cast(Tensor, transpose(tuple(tangents))[0])


@torch.compiler.allow_in_graph
def _identity_in_graph(result: Tensor, proxy: Tensor) -> Tensor:
    return cast(Tensor, _Identity.apply(result, proxy))


@torch.compiler.allow_in_graph
def _slope_in_graph(result: Tensor, x: Tensor, key: str, *arrays: Tensor) -> Tensor:
    # The graph can hold a string but not our object.
    return cast(Tensor, _Slope.apply(result, x, _registry.curve_of_key(key), *arrays))


# The C++ `apply`, bound to each class.
_apply_identity = super(torch.autograd.Function, _EagerIdentity).apply
_apply_slope = super(torch.autograd.Function, _EagerSlope).apply
_transforms_active = torch._C._are_functorch_transforms_active
_is_compiling = torch.compiler.is_compiling
_is_exporting = torch.compiler.is_exporting
_grad_enabled = torch.is_grad_enabled
_enable_grad = torch._C._set_grad_enabled


def straight_through(result: Tensor, proxy: Tensor) -> Tensor:
    if _is_compiling():
        return result if _is_exporting() else _identity_in_graph(result, proxy)
    if _transforms_active() or forward_ad._current_level >= 0:
        return cast(Tensor, _Identity.apply(result, proxy))
    if proxy.requires_grad and _grad_enabled():
        return cast(Tensor, _apply_identity((result,), proxy))
    return result


def attach_slope(result: Tensor, x: Tensor, curve: Curve, arrays: tuple[Tensor, ...]) -> Tensor:
    if _is_compiling():
        return result if _is_exporting() else _slope_in_graph(result, x, curve.key, *arrays)
    if _transforms_active() or forward_ad._current_level >= 0:
        return cast(Tensor, _Slope.apply(result, x, curve, *arrays))
    if (x.requires_grad or (arrays and any(array.requires_grad for array in arrays))) and _grad_enabled():
        return cast(Tensor, _apply_slope((result,), x, curve, *arrays))
    return result


def without_gradient(table: Any, hard: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """``hard(table, *args, **kwargs)``; in eager mode no node is recorded, which a later detach would cut off."""
    if _is_compiling() or _transforms_active() or not _grad_enabled():
        return hard(table, *args, **kwargs)
    _enable_grad(False)
    try:
        return hard(table, *args, **kwargs)
    finally:
        _enable_grad(True)


def gradient_possible() -> bool:
    if _is_compiling():
        return not _is_exporting()
    return _grad_enabled() or _transforms_active() or forward_ad._current_level >= 0
