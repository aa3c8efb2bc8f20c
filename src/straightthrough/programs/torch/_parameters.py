"""The parameters of a program: their names, a small push to all of them, and their gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from straightthrough.programs.torch._calls import differentiable
from straightthrough.programs.torch._numbers import ulp

Tensor = torch.Tensor


def named(params: Any) -> dict[str, Tensor]:
    """Every parameter by the name that its owner gives it; one that occurs twice has its first name."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in _walk(params, ()):
        if id(tensor) not in seen and differentiable(tensor):
            seen.add(id(tensor))
            found[name] = tensor
    return found


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield ".".join(path) or "params", value
    elif isinstance(value, nn.Module):
        for name, parameter in value.named_parameters():
            yield ".".join((*path, name)), parameter
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _walk(part, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            name = value._fields[position] if hasattr(value, "_fields") else str(position)
            yield from _walk(part, (*path, name))


def modules_in(value: Any) -> list[nn.Module]:
    """The modules at the top of nested lists, tuples and dictionaries."""
    if isinstance(value, nn.Module):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [module for part in value for module in modules_in(part)]
    return []


@contextmanager
def moved(tensors: list[Tensor], values: Iterable[Tensor]) -> Iterator[None]:
    """Other values in the parameters for a while; the program finds them wherever it keeps the parameters."""
    before: list[Tensor] = []
    try:
        for tensor, value in zip(tensors, values, strict=True):
            before.append(tensor.detach().clone())
            tensor.data.copy_(value)
        yield
    finally:
        for tensor, kept in zip(tensors, before, strict=False):
            tensor.data.copy_(kept)


def pushes(tensors: list[Tensor], sign: int) -> Iterator[Tensor]:
    """Each parameter a few units in the last place away, in a fixed random direction times ``sign``.

    One alone moves so few roundings that noise can look like itself.
    """
    generator = torch.Generator().manual_seed(31)
    for tensor in tensors:
        x = tensor.detach()
        if x.is_complex():
            yield x * (1 + sign * 2 * torch.finfo(x.dtype).eps)
            continue
        draw = torch.rand(x.shape, generator=generator).to(x.device).sub_(0.5)
        few = 2.0 if torch.finfo(x.dtype).bits < 32 else 16.0
        steps = torch.where(draw >= 0, 1 + few * draw, -1 + few * draw).to(x.dtype)
        yield x + sign * steps * ulp(x)


def draws_of(tensor: Tensor) -> Iterator[Tensor]:
    """A parameter moved by about its own size."""
    generator = torch.Generator().manual_seed(53)
    x = tensor.detach()
    size = x.abs().mean() if bool((x != 0).any()) else torch.ones((), dtype=x.dtype, device=x.device)
    for scale in (1.0, 0.3, 10.0, -1.0):
        normal = torch.randn(x.shape, generator=generator).to(x.device, x.dtype)
        yield x + scale * size * (normal + normal.sign())
