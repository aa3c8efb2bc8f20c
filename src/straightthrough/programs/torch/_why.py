"""Why a derivative is 0: the call is evaluated again at inputs near by, on copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from straightthrough.programs._description import Why
from straightthrough.programs.torch._calls import differentiable, replaced, tensors_in
from straightthrough.programs.torch._levels import lowest_level, plain, rewrapped
from straightthrough.programs.torch._numbers import Cotangents, ulp

Tensor = torch.Tensor

GOOD_SHARE = 0.02
"""So many elements must come alive for a kink or a flank to be the reason."""

LARGE = 1 << 22
"""Above this many elements fewer draws are made."""


@dataclass
class Verdict:
    """Why nothing passes, and whether the operator works element by element."""

    why: Why
    elementwise: bool = False


class Again:
    """One call that can be evaluated again at another value of one input.

    Args:
        func, args, kwargs: the call, with its arguments as they were before it.
        position: of the result among the tensors that the call returns; -1 for its first argument, written in place.
        subject: the input in question, a tensor of the lowest level.
    """

    def __init__(
        self, func: Callable[..., Any], args: Any, kwargs: Any, position: int, subject: Tensor, cotangents: Cotangents
    ):
        self._call = (func, args, kwargs)
        self._position = position
        self._subject = subject.detach()
        self._cotangents = cotangents
        self._generator = torch.Generator().manual_seed(7)
        self._state = torch.get_rng_state()
        self._ids = {id(t) for t in tensors_in((args, kwargs)) if plain(t) is subject}
        self.spread = self._spread()

    def _spread(self) -> Tensor:
        x = self._subject
        finite = torch.isfinite(x)
        if not bool(finite.all()):
            x = x[finite]
        return x.std() if x.numel() > 1 and bool(x.std() > 0) else x.abs().max() if x.numel() else torch.ones(())

    def at(self, value: Tensor, *, slope: bool = True, others: float = 0.0) -> tuple[Tensor, Tensor | None]:
        """Result and derivative where the subject is ``value`` and the other floats are moved by ``others``."""
        with lowest_level(), torch.enable_grad():
            leaf = value.detach().clone().requires_grad_(slope and differentiable(value))
            moved = leaf * 1 if leaf.requires_grad else leaf  # a leaf must not be written to

        def put(tensor: Tensor) -> Tensor:
            with lowest_level():
                if id(tensor) in self._ids:
                    inner = moved
                else:
                    inner = plain(tensor).detach().clone()
                    if others and differentiable(inner):
                        inner = inner + others * (1 + inner.abs()) * self._normal(inner)
            return rewrapped(tensor, inner)

        func, args, kwargs = self._call
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._state)
            args, kwargs = replaced(args, put), replaced(kwargs, put)
            with torch.set_grad_enabled(slope):
                returned = func(*args, **kwargs)
        target = args[0] if self._position < 0 else list(tensors_in(returned))[self._position]
        with lowest_level():
            result = plain(target)
            if not leaf.requires_grad or not result.requires_grad:
                return result.detach(), None
            gradient = torch.autograd.grad([result], [leaf], [self._cotangents.like(result)], allow_unused=True)[0]
            return result.detach(), gradient

    def _normal(self, like: Tensor) -> Tensor:
        made = torch.randn(like.shape, generator=self._generator)
        return made.to(like.device, like.dtype)

    def _uniform(self, like: Tensor) -> Tensor:
        made = torch.rand(like.shape, generator=self._generator) * 2 - 1
        return made.to(like.device, like.dtype)

    def one_ulp(self) -> tuple[Tensor, Tensor]:
        """The input an ulp away, with both signs among its elements, and the other way."""
        x = self._subject
        step = ulp(x) * self._uniform(x).sign()
        return x + step, x - step

    def near(self) -> Iterator[Tensor]:
        """Inputs near by, and then further away."""
        x, spread = self._subject, self.spread.to(self._subject.dtype)
        yield x + spread * self._normal(x)
        yield x * self._uniform(x)
        if x.numel() > LARGE:
            return
        yield x + 0.01 * spread * self._normal(x)
        yield x * 0.01 * self._uniform(x)
        yield x * 10 ** (3 * self._uniform(x))
        yield self._normal(x)
        yield 1000 * self._normal(x)

    # --- questions --------------------------------------------------------------------------------------------------

    def why(self, gradient: Tensor | None) -> Verdict:
        """Why the derivative is 0 (for every element, or for those where ``gradient`` is)."""
        dead = None if gradient is None else gradient == 0
        base, _ = self.at(self._subject, slope=False)
        elementwise = self._elementwise(base)
        if self._alive(self.one_ulp()[0], dead) > GOOD_SHARE:
            return Verdict("tie", elementwise)
        changes = False
        for value in self.near():
            result, slope = self.at(value)
            if _share(slope, dead) > 0:
                return Verdict("saturated", elementwise)
            changes = changes or not _same(result, base)
        if self._has_other_floats() and any(self._alive(self._subject, dead, others=o) > 0 for o in (0.01, 1.0)):
            return Verdict("blocked", elementwise)
        return Verdict("flat" if changes else "blocked", elementwise)

    def depends(self) -> bool:
        """Whether the result changes at all with this input."""
        base, _ = self.at(self._subject, slope=False)
        return any(not _same(self.at(value, slope=False)[0], base) for value in self.near())

    def piecewise_constant(self) -> bool:
        """Whether the result stays the same a small step away, for an operator without a derivative."""
        x = self._subject
        base, _ = self.at(x, slope=False)
        step = 1e-3 * self.spread.to(x.dtype) * self._normal(x)
        moved, _ = self.at(x + step, slope=False)
        if moved.shape != base.shape:
            return False
        return float((moved == base).float().mean()) > 0.8 and self.depends()

    def tie_share(self) -> float:
        """The share of elements whose derivative is another one ulp away."""
        _, here = self.at(self._subject)
        if here is None:
            return 0.0
        size, other = here.abs().max(), torch.zeros(())
        for value in self.one_ulp():
            _, moved = self.at(value)
            if moved is not None and moved.shape == here.shape:
                other = torch.maximum(other, ((moved - here).abs() > 1e-2 * size).float())
        return float(other.mean())

    def _alive(self, value: Tensor, dead: Tensor | None, others: float = 0.0) -> float:
        return _share(self.at(value, others=others)[1], dead)

    def _has_other_floats(self) -> bool:
        _, args, kwargs = self._call
        return any(id(t) not in self._ids and differentiable(t) for t in tensors_in((args, kwargs)))

    def _elementwise(self, base: Tensor) -> bool:
        x = self._subject
        if base.shape != x.shape or x.numel() < 2 or not differentiable(x):
            return False
        half = torch.arange(x.numel()).reshape(x.shape).to(x.device) % 2 == 0
        moved, _ = self.at(torch.where(half, x + self.spread.to(x.dtype) * self._normal(x), x), slope=False)
        return moved.shape == base.shape and _same(moved[~half], base[~half])


def _share(gradient: Tensor | None, among: Tensor | None) -> float:
    """The share of elements with a derivative that is not 0, among those that had none."""
    if gradient is None or gradient.numel() == 0:
        return 0.0
    alive = gradient != 0
    if among is not None and among.shape == alive.shape:
        alive = alive[among]
    return float(alive.float().mean()) if alive.numel() else 0.0


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())
