"""What a run of the user's program changes, put back."""

from __future__ import annotations

import random
import sys
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from straightthrough.programs.torch._calls import tensors_in

Tensor = torch.Tensor


class Precious:
    """Tensors of the user's that a run may write to: copied before, and put back."""

    def __init__(self, eager: list[Tensor], lazy: list[Tensor]):
        self._saved: dict[int, tuple[Tensor, Tensor]] = {id(t): (t, _copy(t)) for t in eager}
        self._lazy: dict[int, list[Tensor]] = {}
        for tensor in lazy:
            key = _memory(tensor)
            if key is not None and id(tensor) not in self._saved:
                self._lazy.setdefault(key, []).append(tensor)

    def about_to_write(self, target: Tensor) -> None:
        key = _memory(target)
        for tensor in self._lazy.pop(key, []) if key is not None else []:
            self._saved[id(tensor)] = (tensor, _copy(tensor))

    def put_back(self) -> None:
        with torch.no_grad():
            for tensor, copy in self._saved.values():
                if tensor.requires_grad and not tensor.is_leaf:
                    tensor.detach_()
                now = tensor.detach()
                if now.shape != copy.shape:
                    tensor.data = copy.clone()
                elif not _bitwise(now, copy):
                    tensor.data.copy_(copy)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _bitwise(one: Tensor, other: Tensor) -> bool:
    if not one.is_floating_point():
        return bool(torch.equal(one, other))
    return bool(torch.equal(one, other)) and bool(torch.equal(torch.signbit(one), torch.signbit(other)))


def _memory(tensor: Tensor) -> int | None:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return None


class State:
    """Random states, the attributes of modules, gradients, and tensors that are written to."""

    def __init__(self, modules: list[nn.Module], parameters: list[Tensor], others: Any):
        buffers = [b for m in modules for b in m.buffers()]
        attributes = [list(vars(m).values()) for root in modules for m in root.modules()]
        self.precious = Precious(buffers, [*parameters, *tensors_in(attributes), *tensors_in(others)])
        self._modules = [(m, _attributes(m)) for root in modules for m in root.modules()]
        self._gradients = [(p, p.grad, p.requires_grad) for p in parameters if p.is_leaf]
        self._random = _Random()

    def put_back(self) -> None:
        for module, attributes in self._modules:
            _put_attributes_back(module, attributes)
        self.precious.put_back()
        for parameter, gradient, requires in self._gradients:
            parameter.grad = gradient
            if parameter.requires_grad != requires:
                parameter.requires_grad_(requires)
        self._random.put_back()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Everything is as before afterwards, also if the program raises."""
        try:
            yield
        finally:
            self.put_back()


_CONTAINERS = (dict, OrderedDict, list, set, deque)


def _attributes(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """Each attribute, and of a container the contents too."""
    return {name: (value, value.copy() if type(value) in _CONTAINERS else None) for name, value in vars(module).items()}


def _put_attributes_back(module: nn.Module, attributes: dict[str, tuple[Any, Any]]) -> None:
    for name in [name for name in vars(module) if name not in attributes]:
        del module.__dict__[name]
    for name, (value, contents) in attributes.items():
        module.__dict__[name] = value
        if contents is not None:
            value.clear()
            value.extend(contents) if isinstance(value, list | deque) else value.update(contents)


class _Random:
    """The global random states that a program may draw from."""

    def __init__(self) -> None:
        self._torch = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
        self._python = random.getstate()
        numpy = sys.modules.get("numpy")
        self._numpy = numpy.random.get_state() if numpy is not None else None

    def put_back(self) -> None:
        torch.set_rng_state(self._torch)
        if self._cuda is not None:
            torch.cuda.set_rng_state_all(self._cuda)
        random.setstate(self._python)
        if self._numpy is not None:
            sys.modules["numpy"].random.set_state(self._numpy)
