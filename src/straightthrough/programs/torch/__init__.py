"""PyTorch: the program runs once under a mode that sees every call; the calls are measured through the loss's graph."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from straightthrough._errors import ArgumentError, ShapeError, kind_of, wrong
from straightthrough.programs._description import Examination, Parameter
from straightthrough.programs.torch._carried import note_by_hand
from straightthrough.programs.torch._levels import plain
from straightthrough.programs.torch._numbers import cosine, norm, zeros_in
from straightthrough.programs.torch._parameters import draws_of, modules_in, moved, named, pushes
from straightthrough.programs.torch._patches import eagerly, watched
from straightthrough.programs.torch._recording import Recording, dtype_name
from straightthrough.programs.torch._state import State
from straightthrough.programs.torch._tracer import Tracer

Tensor = torch.Tensor
Loss = Callable[..., Any]
Gradients = dict[str, Tensor | None]

CLEARLY = 0.9
"""Below this cosine a gradient is noise or stands at a tie, and the operators are asked for ties."""


def examine(loss: Loss, params: Any, batch: tuple[Any, ...]) -> Examination:
    """What one run of ``loss(params, *batch)`` tells: see `Examination`."""
    return _Examiner(loss, params, batch).examination()


class _Examiner:
    def __init__(self, loss: Loss, params: Any, batch: tuple[Any, ...]):
        self._loss, self._params, self._batch = loss, params, batch
        self._named = named(params)
        if not self._named:
            wanted = "a model with parameters, or tensors in lists and dictionaries"
            raise ArgumentError(wrong("doctor", "params", wanted, kind_of(params)))
        self._trainable = {name: tensor for name, tensor in self._named.items() if tensor.requires_grad}
        self._modules = modules_in((loss, params, *batch, *_closed_over(loss)))
        others = [batch, params, _closed_over(loss)]
        self._state = State(self._modules, list(self._named.values()), others)
        self._value = math.nan
        self._jitter = 0.0

    def examination(self) -> Examination:
        with self._state.kept(), torch.enable_grad():
            recording, gradients, revived, last = self._traced(ties=False)
        note_by_hand(recording)
        parameters = self._parameters(recording, gradients, revived)
        agreements = self._agreements(gradients)
        for parameter in parameters:
            parameter.agreement = agreements.get(parameter.name)
        if any(a is not None and a < CLEARLY for a in agreements.values()):
            self._look_for_ties(recording)
        modules = modules_in(self._params) or self._modules
        mode = "" if not modules else "training" if any(m.training for m in modules) else "inference"
        return Examination("torch", recording.nodes, last, self._value, parameters, mode, self._responds)

    # --- runs -------------------------------------------------------------------------------------------------------

    def _traced(self, *, ties: bool) -> tuple[Recording, Gradients, Gradients, int | None]:
        tracer = Tracer(list(self._trainable.values()), self._state.precious, ties=ties)
        recording = tracer.recording
        try:
            with watched(tracer), tracer:
                returned = self._loss(self._params, *self._batch)
            value = _checked(returned)
            if ties:
                return recording, {}, {}, None
            self._value = _number(value)
            fact = tracer.facts.get(plain(value)) if isinstance(value, Tensor) else None
            gradients, revived = self._backward(tracer, value, None if fact is None else fact.node)
        finally:
            tracer.anchor.release()
        return recording, gradients, revived, None if fact is None else fact.node

    def _backward(self, tracer: Tracer, value: Any, last: int | None) -> tuple[Gradients, Gradients]:
        recording = tracer.recording
        nothing: Gradients = dict.fromkeys(self._trainable)
        if last is None or not value.requires_grad:
            return nothing, nothing
        inputs = [*self._trainable.values(), tracer.anchor.leaf]
        recording.listening = True
        try:
            found = torch.autograd.grad([value], inputs, [torch.ones_like(value)], retain_graph=True, allow_unused=True)
        finally:
            recording.listening = False
        for node in recording.nodes:
            node.gradient = recording.gradients.get(node.index)
        recording.nodes[last].gradient = 1.0
        gradients: Gradients = dict(zip(self._trainable, map(_dense, found[:-1]), strict=True))
        return gradients, self._revived(tracer, value, last, gradients)

    def _revived(self, tracer: Tracer, value: Tensor, last: int, gradients: Gradients) -> Gradients:
        """The gradients if every dead edge on a way to the loss passed something on."""
        if all(g is not None and zeros_in(g) == 0 for g in gradients.values()):
            return {}
        before_loss = _before(tracer.recording, last)
        dead = [d for d in tracer.recording.dead_inputs if d.node in before_loss]
        if not dead:
            return {}
        generator = torch.Generator().manual_seed(11)
        cotangents = [torch.randn(d.like[0], generator=generator).to(d.like[2], d.like[1]) for d in dead]
        outputs: list[Any] = [value, *(d.handle for d in dead)]
        names = list(self._trainable)
        inputs = [self._trainable[name] for name in names]
        cotangents = [torch.ones_like(value), *cotangents]
        found = torch.autograd.grad(outputs, inputs, cotangents, allow_unused=True, retain_graph=True)
        return dict(zip(names, map(_dense, found), strict=True))

    def _step(self) -> tuple[float, list[Tensor | None]]:
        """The user's own step: value and gradients, with nothing watched."""
        with self._again():
            value = self._loss(self._params, *self._batch)
            if not isinstance(value, Tensor) or not value.requires_grad:
                return _number(value), [None] * len(self._trainable)
            inputs = list(self._trainable.values())
            return _number(value), list(map(_dense, torch.autograd.grad(value.sum(), inputs, allow_unused=True)))

    @contextmanager
    def _again(self) -> Iterator[None]:
        """Another run of the user's program: it leaves nothing behind, and warns of nothing a second time."""
        with self._state.kept(), torch.enable_grad(), eagerly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def _agreements(self, gradients: Gradients) -> dict[str, float | None]:
        """Cosine of each gradient with the one after a push of all parameters, the worse of two directions."""
        found: dict[str, float | None] = dict.fromkeys(gradients)
        tensors = list(self._trainable.values())
        if not any(g is not None and zeros_in(g) < g.numel() for g in gradients.values()):
            return found
        for sign in (1, -1):
            try:
                with moved(tensors, pushes(tensors, sign)):
                    value, pushed = self._step()
            except NotImplementedError:  # an operator without a derivative; the first run went around it
                return found
            self._jitter = max(self._jitter, abs(value - self._value))
            for (name, gradient), other in zip(gradients.items(), pushed, strict=True):
                if gradient is not None and other is not None:
                    agreement = cosine(gradient, other)
                    known = found[name]
                    found[name] = agreement if known is None or agreement is None else min(known, agreement)
        return found

    def _look_for_ties(self, recording: Recording) -> None:
        """A second run, in which operators that pass are asked as well whether they stand at a tie."""
        with self._again():
            second = self._traced(ties=True)[0]
        if [node.operator for node in second.nodes] != [node.operator for node in recording.nodes]:
            return
        for node, again in zip(recording.nodes, second.nodes, strict=True):
            for edge, other in zip(node.edges, again.edges, strict=False):
                edge.tie_share = max(edge.tie_share, other.tie_share)

    def _responds(self, name: str) -> bool:
        tensor = self._trainable.get(name)
        if tensor is None:
            return False
        tiny = 64 * torch.finfo(tensor.dtype).eps * max(abs(self._value), 1e-30)
        noise = max(8 * self._jitter, tiny) if math.isfinite(self._value) else 0.0
        for draw in draws_of(tensor):
            with moved([tensor], [draw]), self._again():
                value = _number(self._loss(self._params, *self._batch))
            if not abs(value - self._value) <= noise:
                return True
        return False

    # --- what is told -----------------------------------------------------------------------------------------------

    def _parameters(self, recording: Recording, gradients: Gradients, revived: Gradients) -> list[Parameter]:
        positions = {name: position for position, name in enumerate(self._trainable)}
        return [
            self._parameter(name, tensor, recording, positions, gradients.get(name), revived.get(name))
            for name, tensor in self._named.items()
        ]

    def _parameter(
        self, name: str, tensor: Tensor, recording: Recording, positions: Any, gradient: Any, revived: Any
    ) -> Parameter:
        node = recording.parameter_nodes.get(positions[name]) if name in positions else None
        told = Parameter(name, node, tuple(tensor.shape), dtype_name(tensor), name in positions)
        told.is_zero = not bool(tensor.detach().any())
        count = max(tensor.numel(), 1)
        if gradient is not None:
            told.gradient = norm(gradient)
            told.zero_share = zeros_in(gradient) / count
            if not math.isfinite(told.gradient):
                told.non_finite_share = 1 - int(torch.isfinite(gradient).sum()) / count
        if revived is not None:
            missing = torch.ones_like(revived, dtype=torch.bool) if gradient is None else gradient == 0
            found, wanted = int(torch.count_nonzero(revived[missing])), int(missing.sum())
            told.revivable_share = found / wanted if wanted else 0.0
        if node is not None:
            recording.nodes[node].gradient = told.gradient
        return told


def _checked(value: Any) -> Any:
    """The loss's value, if it is one.

    Raises:
        ArgumentError, ShapeError: it is no floating scalar.
    """
    wanted = "a function that returns a floating scalar"
    if isinstance(value, Tensor):
        if not value.is_floating_point():
            raise ArgumentError(wrong("doctor", "loss", wanted, f"one that returns {dtype_name(value)}"))
        if value.numel() != 1:
            remedy = "take the mean or the sum"
            raise ShapeError(wrong("doctor", "loss", wanted, f"one of shape {tuple(value.shape)}", remedy))
        return value
    if isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") == "f":
        if getattr(value, "size", 1) != 1:
            raise ShapeError(wrong("doctor", "loss", wanted, f"one of shape {value.shape}"))
        return float(value)
    raise ArgumentError(wrong("doctor", "loss", wanted, f"one that returns {kind_of(value)}"))


def _dense(gradient: Tensor | None) -> Tensor | None:
    """The rows of an embedding may have come sparse."""
    return gradient.to_dense() if gradient is not None and gradient.is_sparse else gradient


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)


def _before(recording: Recording, last: int) -> set[int]:
    seen, stack = {last}, [last]
    while stack:
        for edge in recording.nodes[stack.pop()].edges:
            if edge.source not in seen:
                seen.add(edge.source)
                stack.append(edge.source)
    return seen


def _closed_over(loss: Any) -> list[Any]:
    """What a function holds on to beside its arguments."""
    found = list(getattr(loss, "__defaults__", None) or ())
    for cell in getattr(loss, "__closure__", None) or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    owner = getattr(loss, "__self__", None)
    return [*found, owner] if owner is not None else found


__all__ = ["examine"]
