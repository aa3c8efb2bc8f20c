"""Tensors inside vmap and torch.func.grad are wrapped: what is underneath, and the same wrapping around another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._C import _functorch

Tensor = torch.Tensor


def is_wrapped(tensor: Tensor) -> bool:
    return bool(_functorch.is_functorch_wrapped_tensor(tensor))


def plain(tensor: Tensor) -> Tensor:
    """The tensor of the lowest level, whose graph is the loss's."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
    return tensor


def rewrapped(tensor: Tensor, inner: Tensor) -> Tensor:
    """``inner`` with the levels of ``tensor`` around it."""
    if not is_wrapped(tensor):
        return inner
    below = rewrapped(_functorch.get_unwrapped(tensor), inner)
    level = _functorch.maybe_get_level(tensor)
    if _functorch.is_batchedtensor(tensor):
        return _functorch._add_batch_dim(below, _functorch.maybe_get_bdim(tensor), level)
    if _functorch.is_gradtrackingtensor(tensor):
        return _functorch._wrap_for_grad(below, level)
    return below


@contextmanager
def lowest_level() -> Iterator[None]:
    """Leaves vmap and torch.func.grad for a while."""
    if _functorch.peek_interpreter_stack() is None:
        yield
        return
    from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

    with temporarily_clear_interpreter_stack():
        yield
