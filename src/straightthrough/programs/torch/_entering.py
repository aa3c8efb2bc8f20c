"""A result without gradient gets a place in the graph, so that the flow of the loss gradient is seen below a death.

The user's program must not notice: `Facts.real` says what it would find if it looked at ``requires_grad``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from straightthrough.programs.torch._levels import lowest_level

Tensor = torch.Tensor


class _Enter(torch.autograd.Function):
    """Makes a tensor depend on an anchor without a value; the tensor stays the same object."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, anchor: Tensor) -> Tensor:
        ctx.mark_dirty(value)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, torch.zeros(())


# The C++ `apply`: the one of Python's is replaced during an examination.
_enter = super(torch.autograd.Function, _Enter).apply


class Anchor:
    """The leaf that every entered tensor hangs on; those still alive afterwards are taken off it."""

    def __init__(self) -> None:
        self.leaf = torch.zeros((), requires_grad=True)
        self._entered = WeakTensorKeyDictionary()

    def enter(self, tensor: Tensor, *, shares: bool) -> Tensor:
        """Makes a tensor of the lowest level require gradient.

        Args:
            tensor: without gradient.
            shares: whether it shares memory with another that has a version count of its own to keep.
        """
        with lowest_level(), torch.enable_grad():
            if shares:
                tensor = another(tensor)
            made: Tensor = _enter(tensor, self.leaf)
        self._entered[made] = True
        return made

    def release(self) -> None:
        """What the user still holds becomes what it would have been."""
        for tensor in list(self._entered.keys()):
            try:
                tensor.detach_()
            except RuntimeError:  # a view: its base is detached, or nobody else holds it
                continue


def another(tensor: Tensor) -> Tensor:
    """A tensor of its own on the same memory."""
    with torch.no_grad():
        made: Tensor = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        made.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())
        return made


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a tensor: the node it is the result of, and whether the user's program sees it with gradient."""

    node: int
    real: bool


class Facts:
    """What is known of the tensors that depend on a parameter.

    Kept by the tensor, and by its memory once something was written there through another tensor.
    """

    def __init__(self) -> None:
        self._by_tensor = WeakTensorKeyDictionary()
        self._written: dict[int, tuple[Any, int]] = {}

    def set(self, tensor: Tensor, fact: Fact) -> None:
        self._by_tensor[tensor] = fact

    def written(self, tensor: Tensor, node: int) -> None:
        """Notes that every tensor on this memory may have changed."""
        from torch.multiprocessing.reductions import StorageWeakRef

        if not tensor.is_sparse:
            reference = StorageWeakRef(tensor.untyped_storage())
            self._written[reference.cdata] = (reference, node)

    def get(self, tensor: Tensor) -> Fact | None:
        """The fact of a tensor of the lowest level; None if it depends on no parameter."""
        fact: Fact | None = self._by_tensor.get(tensor)
        if fact is None and tensor._is_view() and tensor._base is not None:
            # A view that was made where nobody looked.
            fact = self._by_tensor.get(tensor._base)
        if self._written and not tensor.is_sparse:
            found = self._written.get(tensor.untyped_storage()._cdata)
            if found is not None and not found[0].expired() and (fact is None or found[1] > fact.node):
                return Fact(found[1], tensor.requires_grad if fact is None else fact.real)
        return fact
