"""Watches every call of a program's run, and measures those that depend on a parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from straightthrough.programs._description import Carried, Edge, Node
from straightthrough.programs.torch._calls import (
    FIRST_ONLY,
    LEAVING,
    MIRRORED,
    NAMED_SO,
    QUIET,
    SHAPE_ONLY,
    differentiable,
    native_name,
    replaced,
    shown_name,
    target_of,
    tensors_in,
)
from straightthrough.programs.torch._entering import Anchor, Fact, Facts, another
from straightthrough.programs.torch._levels import is_wrapped, plain
from straightthrough.programs.torch._measuring import Input, Measuring
from straightthrough.programs.torch._recording import Recording, dtype_name
from straightthrough.programs.torch._state import Precious

Tensor = torch.Tensor
_set_grad_enabled = torch._C._set_grad_enabled


class Tracer(TorchFunctionMode):
    """The mode under which the user's program runs once.

    Args:
        parameters: the trainable ones.
        precious: the tensors that must be as before afterwards.
        ties: whether to look for derivatives that are others one ulp away at operators that pass.
    """

    def __init__(self, parameters: Sequence[Tensor], precious: Precious, *, ties: bool = False):
        super().__init__()
        self.recording = Recording()
        self.anchor = Anchor()
        self.facts = Facts()
        self.measuring = Measuring(self.recording, self.anchor, ties=ties)
        self.busy = False
        self._precious = precious
        self._parameters = WeakTensorKeyDictionary()
        for position, parameter in enumerate(parameters):
            self._parameters[parameter] = position
        self._stopped = WeakTensorKeyDictionary()
        self._stop_places = self.recording.place()

    # --- the doors --------------------------------------------------------------------------------------------------

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.busy:
            return func(*args, **kwargs)
        self.busy = True
        try:
            return self._seen(func, args, kwargs)
        finally:
            self.busy = False

    def unit(
        self,
        func: Callable[..., Any],
        native: str,
        args: Any,
        kwargs: Any,
        *,
        also: Sequence[Tensor] = (),
        carried: Callable[[Node], Carried | None] | None = None,
    ) -> Any:
        """A call that is one operator whatever it does inside.

        Args:
            also: tensors that it uses beside its arguments.
            carried: the proxy that it carries, from its node.
        """
        self.busy = True
        try:
            tracked = self._tracked([*tensors_in((args, kwargs)), *also])
            made = self._operate(func, native, args, kwargs, tracked) if tracked else func(*args, **kwargs)
            if tracked and carried is not None:
                self._carry(made, carried)
            return made
        finally:
            self.busy = False

    def _carry(self, made: Any, carried: Callable[[Node], Carried | None]) -> None:
        for result in tensors_in(made):
            fact = self.facts.get(plain(result))
            if fact is not None:
                node = self.recording.nodes[fact.node]
                node.carried = carried(node)
                return

    # --- one call ---------------------------------------------------------------------------------------------------

    def _seen(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func is _set_grad_enabled:
            if torch.is_grad_enabled() and not args[0]:
                self._stop_places = self.recording.place()
            return func(*args, **kwargs)
        name = native_name(func)
        if name in MIRRORED and args:
            name = self._as_written(name, args)
        if name in QUIET or name in SHAPE_ONLY:
            return self._quiet(func, name, args, kwargs)
        target = target_of(name, args, kwargs)
        if target is not None:
            self._precious.about_to_write(plain(target))
        tensors = list(tensors_in((args, kwargs)))
        tracked = self._tracked(tensors[:1] if name in FIRST_ONLY else tensors)
        if not tracked:
            return func(*args, **kwargs)
        if name in ("requires_grad", "is_leaf", "grad_fn", "register_hook", "__deepcopy__"):
            return self._asked(func, name, args, kwargs, tracked[0])
        if name in LEAVING:
            return self._left(func, name, args, kwargs, tracked)
        if func is torch.autograd.grad:
            return self._differentiated(func, args, kwargs, tracked)
        return self._operate(func, name, args, kwargs, tracked, target)

    def _as_written(self, name: str, args: Any) -> str:
        """``x > parameter`` arrives as ``parameter < x``: Python asks the subclass first."""
        mirrored = len(args) > 1 and type(args[0]) is not type(args[1]) and isinstance(args[0], type(args[1]))
        return MIRRORED[name] if mirrored and self.recording.compares_otherwise(name) else name

    def _tracked(self, tensors: Sequence[Tensor]) -> list[Input]:
        """Those that depend on a parameter, each once."""
        found: dict[int, Input] = {}
        for tensor in tensors:
            inner = plain(tensor)
            if id(inner) not in found:
                fact = self._fact(inner)
                if fact is not None:
                    found[id(inner)] = Input(inner, fact)
        return list(found.values())

    def _fact(self, tensor: Tensor) -> Fact | None:
        fact = self.facts.get(tensor)
        if fact is None:
            position = self._parameters.get(tensor)
            if position is not None:
                return self._first_use(tensor, position)
            if tensor.grad_fn is not None:
                return self._made_unseen(tensor)
        return fact

    def _first_use(self, parameter: Tensor, position: int) -> Fact:
        node = self.recording.add(
            "parameter", (None, None), [], shape=tuple(parameter.shape), dtype=dtype_name(parameter)
        )
        node.finite = bool(torch.isfinite(parameter.detach()).all())
        self.recording.parameter_nodes[position] = node.index
        fact = Fact(node.index, True)
        self.facts.set(parameter, fact)
        return fact

    def _made_unseen(self, tensor: Tensor) -> Fact | None:
        """A result of code that no mode sees (TorchScript, C++): its node follows from the graph."""
        sources = self.measuring.sources_of(tensor, self._parameters, self._first_use)
        if not sources:
            return None
        native = type(tensor.grad_fn).__name__.removesuffix("Backward0").removesuffix("Backward")
        node = self.measuring.node(native, self.recording.place(), [Edge(s) for s in sources], tensor, [])
        fact = Fact(node.index, True)
        self._keep(tensor, fact)
        return fact

    def _keep(self, tensor: Tensor, fact: Fact) -> None:
        self.facts.set(tensor, fact)
        if tensor.requires_grad and tensor.grad_fn is not None:
            self.measuring.mark(tensor, fact.node)
            self.recording.listen(tensor, fact.node)

    def _quiet(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        if name == "requires_grad_" and args:
            inner = plain(args[0])
            fact = self.facts.get(inner)
            if fact is not None and not fact.real and (len(args) < 2 or args[1]) and kwargs.get("requires_grad", True):
                self.facts.set(inner, Fact(fact.node, True))
                return args[0]
        return func(*args, **kwargs)

    def _asked(self, func: Any, name: str, args: Any, kwargs: Any, one: Input) -> Any:
        """What a program asks about gradient is answered as if it ran alone."""
        if name == "register_hook":
            heard = args[1] if len(args) > 1 else kwargs["hook"]
            return func(args[0], lambda gradient: heard(gradient) if self.recording.listening else None)
        if one.fact.real or not differentiable(one.tensor):
            return func(*args, **kwargs)
        if name == "__deepcopy__":
            copy = args[0].detach().clone()
            args[1][id(args[0])] = copy
            return copy
        return {"requires_grad": False, "is_leaf": True, "grad_fn": None}[name]

    def _left(self, func: Any, name: str, args: Any, kwargs: Any, tracked: list[Input]) -> Any:
        first = tracked[0].tensor
        edges = [Edge(one.fact.node, "absent", 1.0) for one in tracked]
        places = self.recording.place()
        args, kwargs = self._as_the_user(args), self._as_the_user(kwargs)
        result = func(*args, **kwargs)
        operator = {"__bool__": "bool", "__array__": "numpy"}.get(name, None if name in NAMED_SO else "item")
        facts: dict[str, Any] = {"leaves": True, "operator": operator}
        self.measuring.node(shown_name(name), places, edges, first, list(tensors_in((args, kwargs))), **facts)
        for one in tracked:
            self.measuring.remember(one, self.recording.nodes[-1].index)
        return result

    def _as_the_user(self, value: Any) -> Any:
        """Arguments as they would be if nothing had been entered."""

        def put(tensor: Tensor) -> Tensor:
            fact = self.facts.get(plain(tensor))
            hidden = fact is not None and not fact.real and tensor.requires_grad and not is_wrapped(tensor)
            return tensor.detach() if hidden else tensor

        return replaced(value, put)

    def _differentiated(self, func: Any, args: Any, kwargs: Any, tracked: list[Input]) -> Any:
        """torch.autograd.grad within the program: its result depends on the parameters behind what it is of."""
        result = func(*args, **kwargs)
        places = self.recording.place()
        leaves = [Input(p, Fact(n, True)) for p, n in self._used_parameters()]
        for made in tensors_in(result):
            edges = self.measuring.edges_of_gradient(plain(made), tracked, leaves)
            node = self.measuring.node("grad", places, edges, plain(made), [])
            self._finish(plain(made), node.index, real=made.requires_grad, shares=False)
        return result

    def _used_parameters(self) -> list[tuple[Tensor, int]]:
        nodes = self.recording.parameter_nodes
        return [(p, nodes[i]) for p, i in self._parameters.items() if i in nodes]

    # --- an operator ------------------------------------------------------------------------------------------------

    def _operate(
        self, func: Any, name: str, args: Any, kwargs: Any, tracked: list[Input], target: Tensor | None = None
    ) -> Any:
        allowed = torch.is_grad_enabled()
        places = self.recording.place()
        if not allowed:
            if target is not None and plain(target).requires_grad and self._is_real(plain(target)):
                return self._written_around(func, name, args, kwargs, tracked, plain(target))
            args, kwargs, tracked = self._behind_a_stop(args, kwargs, tracked, target)
        call = self.measuring.begin(func, name, args, kwargs, tracked, target)
        real = allowed and any(self._is_real(plain(t)) for t in tensors_in((args, kwargs)))
        try:
            with torch.enable_grad():
                returned = func(*args, **kwargs)
        except Exception:
            returned = self._retried(func, args, kwargs, allowed)
        results: list[Tensor] = [target] if target is not None else list(tensors_in(returned))
        own = {id(plain(t)) for t in tensors_in((args, kwargs))}
        swaps: dict[int, Tensor] = {}
        for position, result in enumerate(results):
            inner = plain(result)
            if target is None and id(inner) in own:
                continue
            made = self._record(call, places, inner, position, real)
            if made is not inner:
                swaps[id(result)] = made
        if not swaps:
            return returned
        return replaced(returned, lambda t: swaps.get(id(t), t))

    def _is_real(self, tensor: Tensor) -> bool:
        if not tensor.requires_grad:
            return False
        fact = self.facts.get(tensor)
        return fact is None or fact.real

    def _record(self, call: Any, places: Any, result: Tensor, position: int, real: bool) -> Tensor:
        """A node for one result; gives it a place in the graph if it has none."""
        edges, broken = self.measuring.edges(call, result, position)
        node = self.measuring.node(call.name, places, edges, result, call.tensors)
        self.measuring.after(call, node)
        if broken:
            result = self._broken_off(result, in_place=call.target is not None)
        real = real and result.requires_grad
        made = self._finish(result, node.index, real=real, shares=call.target is None and call.shares(result))
        if call.target is not None:
            self.facts.written(made, node.index)
        return made

    def _finish(self, result: Tensor, index: int, *, real: bool, shares: bool) -> Tensor:
        if differentiable(result) and not result.requires_grad:
            result = self.anchor.enter(result, shares=shares)
        self._keep(result, Fact(index, real))
        return result

    def _broken_off(self, result: Tensor, *, in_place: bool) -> Tensor:
        """A result whose backward pass would raise must not be on the way of the loss's."""
        return result.detach_() if in_place else another(result)

    def _retried(self, func: Any, args: Any, kwargs: Any, allowed: bool) -> Any:
        """Where it was we who made the call impossible it is made as the user would; else it raises as it should."""
        args, kwargs = self._as_the_user(args), self._as_the_user(kwargs)
        with torch.set_grad_enabled(allowed):
            return func(*args, **kwargs)

    # --- no_grad ----------------------------------------------------------------------------------------------------

    def _behind_a_stop(
        self, args: Any, kwargs: Any, tracked: list[Input], target: Tensor | None
    ) -> tuple[Any, Any, list[Input]]:
        """Under no_grad: what comes from outside is stopped at the ``with``; what follows is watched as usual."""
        stopped = {id(one.tensor): self._stop(one) for one in tracked}

        def put(tensor: Tensor) -> Tensor:
            one = stopped.get(id(tensor))
            return tensor if one is None or tensor is target else one.tensor

        return replaced(args, put), replaced(kwargs, put), list(stopped.values())

    def _stop(self, one: Input) -> Input:
        if not (one.fact.real and differentiable(one.tensor)):
            return one
        known = self._stopped.get(one.tensor)
        if known is None or known[0] != one.fact.node:
            edge = Edge(one.fact.node, "absent", 1.0)
            node = self.measuring.node("no_grad", self._stop_places, [edge], one.tensor, [], stop=True)
            node.operator = "stop_gradient"
            self.measuring.remember(one, node.index)
            shadow = self.anchor.enter(one.tensor.detach(), shares=True)
            fact = Fact(node.index, False)
            self._keep(shadow, fact)
            known = self._stopped[one.tensor] = (one.fact.node, Input(shadow, fact))
        found: Input = known[1]
        return found

    def _written_around(
        self, func: Any, name: str, args: Any, kwargs: Any, tracked: list[Input], target: Tensor
    ) -> Any:
        """A write under no_grad to a tensor with gradient: its value changes, its gradient goes on as before."""
        returned = func(*args, **kwargs)
        edges = []
        for one in tracked:
            here = one.tensor is target
            edges.append(Edge(one.fact.node) if here else Edge(self._stop(one).fact.node, "absent", 1.0))
        tensors = list(tensors_in((args, kwargs)))
        node = self.measuring.node(shown_name(name), self.recording.place(), edges, target, tensors)
        self.facts.set(target, Fact(node.index, True))
        self.facts.written(target, node.index)
        if target.grad_fn is not None:
            self.recording.listen(target, node.index)
        return returned
