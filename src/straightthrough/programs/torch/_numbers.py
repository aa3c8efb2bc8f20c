"""Cotangents, norms and shares."""

from __future__ import annotations

import math

import torch

Tensor = torch.Tensor

_KEPT = 1 << 22
"""A pattern of so many numbers is kept; a longer one is made anew, so that it does not stay in memory."""


class Cotangents:
    """Fixed random numbers of either sign between a half and three halves: nowhere 0, and no draw of the user's."""

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(20130815)
        self._pattern = torch.empty(0)

    def like(self, tensor: Tensor) -> Tensor:
        wanted = tensor.numel()
        pattern = self._pattern
        if pattern.numel() < wanted:
            pattern = torch.rand(max(wanted, 4096), generator=self._generator).sub_(0.5)
            pattern = torch.where(pattern >= 0, pattern + 0.5, pattern - 0.5)
            if wanted <= _KEPT:
                self._pattern = pattern
        made = pattern[:wanted].to(tensor.device)
        return made.to(tensor.dtype if not tensor.is_complex() else torch.float32).to(tensor.dtype).view(tensor.shape)


def norm(tensor: Tensor) -> float:
    """Euclidean; also of numbers whose squares are too small or too large for the dtype."""
    if tensor.numel() == 0:
        return 0.0
    flat = tensor.detach().reshape(-1)
    if flat.is_complex():
        flat = torch.view_as_real(flat).reshape(-1)
    if flat.dtype in (torch.float16, torch.bfloat16):
        flat = flat.float()
    largest = float(torch.linalg.vector_norm(flat, ord=math.inf))
    if largest == 0 or not math.isfinite(largest):
        return largest
    if 1e-12 < largest < 1e12:
        return float(torch.linalg.vector_norm(flat))
    return largest * float(torch.linalg.vector_norm(flat / largest))


def cosine(one: Tensor, other: Tensor) -> float | None:
    """Between two gradients; None if one of them is 0 or not finite."""
    a, b = norm(one), norm(other)
    if not (0 < a < math.inf and 0 < b < math.inf):
        return None
    wide = torch.float32 if one.dtype in (torch.float16, torch.bfloat16) else one.dtype
    x, y = (one.detach().reshape(-1).to(wide) / a, other.detach().reshape(-1).to(wide) / b)
    if x.is_complex():
        x, y = torch.view_as_real(x).reshape(-1), torch.view_as_real(y).reshape(-1)
    return float(torch.dot(x, y))


def zeros_in(tensor: Tensor) -> int:
    return tensor.numel() - int(torch.count_nonzero(tensor))


def is_finite(tensor: Tensor) -> bool:
    """Cheaply: one sum, and a closer look only if that is not finite."""
    if tensor.numel() == 0 or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    if bool(torch.isfinite(tensor.sum())):
        return True
    return bool(torch.isfinite(tensor).all())


def ulp(tensor: Tensor) -> Tensor:
    """About one unit in the last place of each element, > 0; of an exact 0 the smallest normal number."""
    info = torch.finfo(tensor.dtype)
    size = tensor.abs()
    return torch.where(size > 0, size * info.eps, torch.full_like(size, info.tiny)).nan_to_num_(info.tiny, 0.0, 0.0)
