"""What is another while a program is examined: units that no mode sees, recomputation, inference mode, compilers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.utils.checkpoint
from torch._higher_order_ops import utils as higher_order
from torch.autograd.grad_mode import inference_mode

from straightthrough.core import Operation
from straightthrough.programs._description import Carried, Node
from straightthrough.programs.torch._carried import also_used, of_a_rule, of_ours

if TYPE_CHECKING:
    from straightthrough.programs.torch._tracer import Tracer


@contextmanager
def watched(tracer: Tracer) -> Iterator[None]:
    """Everything that a `Tracer` needs beside being a mode."""
    with ExitStack() as stack:
        stack.enter_context(_replaced(torch.autograd.Function, "apply", classmethod(_apply(tracer))))
        stack.enter_context(_replaced(Operation, "__call__", _operation(tracer)))
        stack.enter_context(
            _replaced(torch.utils.checkpoint, "_checkpoint_without_reentrant_generator", _without_recomputation)
        )
        stack.enter_context(_replaced(inference_mode, "__enter__", _enter_no_grad))
        stack.enter_context(_replaced(inference_mode, "__exit__", _exit_no_grad))
        for name in ("attach_slope", "straight_through"):
            stack.enter_context(_table_entry(tracer, name))
        stack.enter_context(eagerly())
        yield


@contextmanager
def eagerly() -> Iterator[None]:
    """Compiled functions run as they are written, and checkpoints that .grad() refuses are none."""
    with ExitStack() as stack:
        stack.enter_context(_replaced(torch.utils.checkpoint.CheckpointFunction, "apply", staticmethod(_run_now)))
        # torch.cond would compile itself, and with it everything that watches.
        stack.enter_context(_replaced(higher_order, "_hop_compile_and_call", _called))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    inherited = name not in vars(owner)
    before = None if inherited else vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def _apply(tracer: Tracer) -> Any:
    """`Function.apply`: a function with a derivative rule of its own is one operator."""
    original = vars(torch.autograd.Function)["apply"].__func__

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if tracer.busy:
            return original(cls, *args, **kwargs)

        def run(*args: Any, **kwargs: Any) -> Any:
            return original(cls, *args, **kwargs)

        return tracer.unit(run, cls.__name__, args, kwargs, carried=lambda node: of_a_rule(node, run, args, kwargs))

    return apply


def _operation(tracer: Tracer) -> Any:
    """One of our own operations is one operator, with the proxy that it carries."""
    original = Operation.__call__

    def call(operation: Operation, *args: Any, proxy: Any = None, **kwargs: Any) -> Any:
        if tracer.busy:
            return original(operation, *args, proxy=proxy, **kwargs)

        def run(*args: Any, **kwargs: Any) -> Any:
            return original(operation, *args, proxy=proxy, **kwargs)

        def carried(node: Node) -> Carried | None:
            return of_ours(node, operation, proxy, args, kwargs)

        return tracer.unit(run, operation.name, args, kwargs, also=also_used(operation, proxy), carried=carried)

    return call


@contextmanager
def _table_entry(tracer: Tracer, name: str) -> Iterator[None]:
    """`straight_through` and a proxy called by itself end in the table, out of a mode's sight."""
    from straightthrough._backends import torch as table

    original = getattr(table, name)

    def entry(*args: Any) -> Any:
        return original(*args) if tracer.busy else tracer.unit(original, name, args, {})

    with _replaced(table, name, entry):
        yield


def _without_recomputation(*args: Any, **kwargs: Any) -> Iterator[None]:
    yield


def _run_now(function: Any, preserve: Any, *args: Any) -> Any:
    return function(*args)


def _called(function: Any, args: Any, kwargs: Any = None) -> Any:
    """A higher-order operator as Python: of torch.cond the branch that its predicate chooses."""
    if "cond_op" in getattr(function, "__name__", ""):
        predicate, when_true, when_false, operands = args
        return (when_true if bool(predicate) else when_false)(*operands)
    return function(*args, **kwargs or {})


def _enter_no_grad(self: Any) -> None:
    self._straightthrough_before = torch.is_grad_enabled()
    torch._C._set_grad_enabled(not self.mode)


def _exit_no_grad(self: Any, *exception: Any) -> None:
    torch._C._set_grad_enabled(self._straightthrough_before)
