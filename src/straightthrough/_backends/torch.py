"""The array table for PyTorch, and its derivative primitive."""

from __future__ import annotations

from typing import Any

import torch

from straightthrough._backends import _torch_values
from straightthrough._backends._torch_difference import attach_difference
from straightthrough._backends._torch_memory import FLOATING, HALF
from straightthrough._backends._torch_rules import attach_slope, gradient_possible, straight_through, without_gradient
from straightthrough._backends._torch_values import argmax_mask, binary_sign, clamp, compare, step, ternary
from straightthrough._errors import FrameworkError, kind_of, wrong
from straightthrough._mode import mode

__all__ = [
    "argmax_mask",
    "attach_difference",
    "attach_slope",
    "binary_sign",
    "clamp",
    "compare",
    "gradient_possible",
    "step",
    "straight_through",
    "ternary",
    "without_gradient",
]

NAME = "torch"
Array = torch.Tensor

exp, expm1, log1p, log, sqrt = torch.exp, torch.expm1, torch.log1p, torch.log, torch.sqrt
sin, cos, tanh, arctan, erf = torch.sin, torch.cos, torch.tanh, torch.arctan, torch.erf
power, isnan, isfinite = torch.pow, torch.isnan, torch.isfinite
round, floor, ceil, trunc = torch.round, torch.floor, torch.ceil, torch.trunc
where = torch.where


def is_floating(x: Array) -> bool:
    return x.dtype in FLOATING


def dtype_name(x: Array) -> str:
    return str(x.dtype).removeprefix("torch.")


def shape(x: Array) -> tuple[int | None, ...]:
    return tuple(x.shape)


def device(x: Array) -> str | None:
    return str(x.device)


def cast(x: Array, like: Array) -> Array:
    return x.to(like.dtype)


def widen(x: Array) -> Array:
    return x.to(torch.float32) if x.dtype in HALF else x


def mask(condition: Array, like: Array) -> Array:
    return condition.to(like.dtype)


def clip(x: Array, low: Array | float, high: Array | float) -> Array:
    return torch.where(x >= high, high, torch.where(x <= low, low, x))


# torch.clamp has the derivative 0 at nan.
bound = clip


def logistic_slope(u: Array, height: Array | float) -> Array:
    s = torch.sigmoid(u)
    return s * (height - s * height)


def direction(x: Array) -> Array:
    # torch.sign(nan) is 0.
    return torch.where(torch.isnan(x), x, torch.sign(x)).detach()


def magnitude(x: Array) -> Array:
    return x * direction(x)


def softmax(x: Array, axis: int) -> Array:
    return torch.softmax(x, dim=axis)


def sum(x: Array, axis: int) -> Array:
    return torch.sum(x, dim=axis, keepdim=True, dtype=x.dtype)


def cumsum(x: Array, axis: int) -> Array:
    return torch.cumsum(x, dim=axis)


def swap_to_last(x: Array, axis: int) -> Array:
    return x.transpose(axis, -1)


def order(x: Array) -> Array:
    x = widen(x)
    # A compiler may fold x + 0.0 away, so the sign of -0.0 is removed by a choice.
    bits = torch.where(x == 0, 0.0, x).contiguous().view(torch.int32 if x.dtype == torch.float32 else torch.int64)
    largest = torch.iinfo(bits.dtype).max
    # Negative floats sort backwards as integers: flip all their bits but the sign.
    bits = torch.where(bits < 0, bits ^ largest, bits)
    return torch.where(torch.isnan(x), largest, bits)


def kth_largest(x: Array, k: int) -> Array:
    return torch.topk(x, k, dim=-1, sorted=True).values[..., -1:]


def take(values: Array, indices: Array) -> Array:
    return values[indices]


def constant(values: Any, like: Array) -> Array:
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)


def to_index(x: Array) -> Array:
    return torch.nan_to_num(x, nan=0.0).to(torch.int64)


def stochastic_round(x: Array, key: Any) -> Array:
    if key is not None and not isinstance(key, torch.Generator):
        wanted = "a torch.Generator, or None for torch's default one"
        raise FrameworkError(wrong("stochastic_round", "key", wanted, kind_of(key)))
    return _torch_values.stochastic_round(x, key)


def broadcast_to(x: Array, like: Array) -> Array:
    return x.expand(like.shape)


def detach(x: Array) -> Array:
    # An exported graph would keep it.
    return x if mode.hard_only or torch.compiler.is_exporting() else x.detach()


def stop_gradient(x: Array) -> Array:
    return x.detach()


def standard_deviation(x: Array) -> Array:
    return torch.std(x, correction=0)


def as_float(x: Array) -> Array:
    return x if x.is_floating_point() else x.to(torch.float32)


def from_numpy(values: Any) -> Array:
    return torch.from_numpy(values)
