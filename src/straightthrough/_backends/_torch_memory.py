"""Tensors in plain memory of the CPU: when a kernel may write in place, and how to walk over them block by block.

Beyond 32 MB each fresh array costs six to eight passes over memory in page faults, and every pass over an array that
does not fit the cache costs one. Here one block that fits is finished before the next is begun.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.autograd import forward_ad

Tensor = torch.Tensor

FLOATING = {torch.float64, torch.float32, torch.bfloat16, torch.float16}
HALF = {torch.bfloat16, torch.float16}

BLOCK = 1 << 18
"""Elements: few enough that the arrays in use stay in the cache, enough to hide the calls."""

SMALL = 1 << 14
"""Up to so many elements there is one block, and any layout will do."""

_PLAIN_TYPES = {torch.Tensor, torch.nn.Parameter}
_transforms_active = torch._C._are_functorch_transforms_active
_is_batched = torch._C._functorch.is_legacy_batchedtensor
_modes_active = torch._C._len_torch_dispatch_stack
_is_compiling = torch.compiler.is_compiling


def only_numbers(x: Tensor) -> bool:
    """An ordinary tensor in memory of the CPU, and nobody who traces, batches or pushes tangents."""
    return (
        type(x) in _PLAIN_TYPES
        and x.is_cpu
        and not _is_compiling()
        and not _transforms_active()
        and _modes_active() == 0
        and forward_ad._current_level < 0
    )


def plain_gradient(gradient: Tensor, x: Tensor) -> bool:
    """Whether the loss gradient, too, is nothing but numbers, like x."""
    return (
        type(gradient) in _PLAIN_TYPES
        # autograd.grad(is_grads_batched=True) batches the loss gradient alone, under no transform.
        and not _is_batched(gradient)
        and gradient.dtype == x.dtype
        and gradient.shape == x.shape
    )


def flat(x: Tensor) -> Tensor:
    """The elements of a tensor without gaps, as they lie in memory."""
    return x if x.dim() == 1 else x.as_strided((x.numel(),), (1,))


def blocks(*tensors: Tensor, working: bool = False) -> Iterator[tuple[Tensor, ...]]:
    """Block by block of tensors that lie in memory in one order without gaps; each thread has its share of the cache.

    The blocks are half as long where the kernel makes arrays of its own to work in.
    """
    length = (BLOCK // 2 if working else BLOCK) * torch.get_num_threads()
    # One cut of the whole costs half of what a slice per block does.
    return zip(*(flat(tensor).split(length) for tensor in tensors), strict=True)


def finite(x: Tensor) -> bool:
    """False if anything is nan or infinite; false too, at times, for sums beyond the largest number."""
    return math.isfinite(x.sum(dtype=torch.float32 if x.dtype == torch.float16 else None).item())
