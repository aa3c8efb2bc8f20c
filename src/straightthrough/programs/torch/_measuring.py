"""The edges of one call, measured: their slopes, and why nothing passes where nothing does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.autograd.graph import GradientEdge, get_gradient_edge

from straightthrough.programs._description import Edge, Node
from straightthrough.programs.torch._calls import STOPS, differentiable, replaced, shown_name, tensors_in
from straightthrough.programs.torch._carried import moments
from straightthrough.programs.torch._entering import Anchor, Fact
from straightthrough.programs.torch._levels import is_wrapped, lowest_level, plain
from straightthrough.programs.torch._numbers import Cotangents, is_finite
from straightthrough.programs.torch._recording import DeadInput, Recording, dtype_name
from straightthrough.programs.torch._slopes import NoDerivativeError, edge_of, pulled_back
from straightthrough.programs.torch._why import Again, Verdict

Tensor = torch.Tensor

MARK = "straightthrough"
"""Under this name an autograd node knows which of our nodes each of its results is."""

NEARLY_ALL = 0.98
SAME_VERDICTS = 6
"""So many equal verdicts at one line, as in a loop, settle it."""

TIE_LARGE = 1 << 22


@dataclass(frozen=True)
class Input:
    """A tensor of the lowest level that depends on a parameter."""

    tensor: Tensor
    fact: Fact


@dataclass
class Call:
    """A call before and after it was made."""

    func: Callable[..., Any]
    name: str
    args: Any
    kwargs: Any
    inputs: list[Input]
    handles: list[Any]
    target: Tensor | None
    before: Any
    """The arguments as they were, where the call writes to one of them."""
    subjects: list[Tensor]
    tensors: list[Tensor]
    verdicts: list[Verdict | None] = field(default_factory=list)

    def shares(self, result: Tensor) -> bool:
        """Whether a result lies in the memory of an argument."""
        try:
            memory = result.untyped_storage()._cdata
            return any(plain(t).untyped_storage()._cdata == memory for t in self.tensors)
        except (NotImplementedError, RuntimeError):
            return False


class Measuring:
    """Measures calls and makes their nodes."""

    def __init__(self, recording: Recording, anchor: Anchor, *, ties: bool):
        self._recording = recording
        self._anchor = anchor
        self._ties = ties
        self._cotangents = Cotangents()
        self._settled: dict[Any, list[Verdict]] = {}

    # --- a call -----------------------------------------------------------------------------------------------------

    def begin(self, func: Any, name: str, args: Any, kwargs: Any, inputs: list[Input], target: Tensor | None) -> Call:
        """What must be known before the call is made."""
        tensors = list(tensors_in((args, kwargs)))
        before = (args, kwargs)
        subjects = [one.tensor for one in inputs]
        handles: list[Any] = [_handle(t, written=target is not None) for t in subjects]
        if target is not None and not is_wrapped(target):
            copy = target.detach().clone()
            before = replaced((args, kwargs), lambda t: copy if t is target else t)
            subjects = [copy if t is target else t for t in subjects]
        return Call(func, shown_name(name), args, kwargs, inputs, handles, target, before, subjects, tensors)

    def edges(self, call: Call, result: Tensor, position: int) -> tuple[list[Edge], bool]:
        """One per input; and whether the operator's backward pass would raise."""
        if call.name in STOPS:
            return [Edge(one.fact.node, "absent", 1.0) for one in call.inputs], False
        if self._is_view(call, result):
            return [self._view_edge(one, result) for one in call.inputs], False
        live = [i for i, handle in enumerate(call.handles) if handle is not None]
        broken = False
        try:
            found = pulled_back(result, [call.handles[i] for i in live], self._cotangents)
        except NoDerivativeError:
            found, broken = [None] * len(live), True
        gradients: list[Tensor | None] = [None] * len(call.inputs)
        for i, gradient in zip(live, found, strict=True):
            gradients[i] = gradient
        edges = [edge_of(one.fact.node, gradients[i]) for i, one in enumerate(call.inputs)]
        call.verdicts = [None] * len(edges)
        for i, edge in enumerate(edges):
            self._explain(call, i, edge, gradients[i], result, position, broken)
        return edges, broken

    def _is_view(self, call: Call, result: Tensor) -> bool:
        """A slice or another shape of the one input: all of it passes, as nobody needs to measure."""
        if call.target is not None or len(call.inputs) != 1 or not result.requires_grad:
            return False
        source = call.inputs[0].tensor
        return result._is_view() and source.dtype == result.dtype and call.shares(result)

    def _view_edge(self, one: Input, result: Tensor) -> Edge:
        left_out = 1 - result.numel() / max(one.tensor.numel(), 1)
        if result.numel() == 0:
            return Edge(one.fact.node, "zero", 1.0, "blocked")
        return Edge(one.fact.node, "passes", max(left_out, 0.0))

    # --- why --------------------------------------------------------------------------------------------------------

    def _explain(
        self, call: Call, i: int, edge: Edge, gradient: Tensor | None, result: Tensor, position: int, broken: bool
    ) -> None:
        source = call.subjects[i]
        if not differentiable(source) or source.is_sparse:
            return
        if edge.slope == "passes" and not self._nearly_dead(edge, source, result):
            if self._ties and gradient is not None and source.numel() <= TIE_LARGE and not gradient.is_sparse:
                edge.tie_share = self._again(call, source, position, Again.tie_share) or 0.0
            return
        if edge.slope == "non_finite":
            return
        verdict = self._verdict(call, i, edge, gradient, position, broken)
        if verdict is None:
            return
        call.verdicts[i] = verdict
        if edge.slope == "absent":
            if broken and verdict.why == "flat":
                edge.slope, edge.why = "zero", "flat"
            elif verdict.why == "blocked":
                edge.why = "blocked"
        elif edge.slope == "zero" or verdict.elementwise:
            edge.why = verdict.why
            edge.tie_share = 1.0 if verdict.why == "tie" else 0.0

    def _nearly_dead(self, edge: Edge, source: Tensor, result: Tensor) -> bool:
        return edge.dead_share >= NEARLY_ALL and source.shape == result.shape

    def _verdict(
        self, call: Call, i: int, edge: Edge, gradient: Tensor | None, position: int, broken: bool
    ) -> Verdict | None:
        place = self._recording.place()[0]
        key = (place.file, place.line, place.column, call.name, i, position, edge.slope) if place else None
        known = self._settled.setdefault(key, [])
        if key and len(known) >= SAME_VERDICTS and len({v.why for v in known}) == 1:
            return known[0]

        def ask(again: Again) -> Verdict:
            if edge.slope != "absent":
                return again.why(gradient if edge.slope == "passes" else None)
            if broken and again.piecewise_constant():
                return Verdict("flat")
            return Verdict("saturated" if again.depends() else "blocked")

        verdict: Verdict | None = self._again(call, call.subjects[i], position, ask)
        if verdict is not None:
            known.append(verdict)
        return verdict

    def _again(self, call: Call, subject: Tensor, position: int, ask: Callable[[Again], Any]) -> Any:
        """An answer from evaluating the call again; None where that is not possible."""
        args, kwargs = call.before
        if "out" in kwargs:
            return None
        position = -1 if call.target is not None else position
        try:
            return ask(Again(call.func, args, kwargs, position, subject, self._cotangents))
        except (RuntimeError, ValueError, IndexError, NotImplementedError, TypeError):
            return None

    # --- nodes ------------------------------------------------------------------------------------------------------

    def node(
        self, native: str, places: Any, edges: list[Edge], result: Tensor, tensors: Sequence[Tensor], **facts: Any
    ) -> Node:
        """A node for a result; ``tensors``: what the call was given."""
        nodes = self._recording.nodes
        sources = [nodes[edge.source] for edge in edges]
        node = self._recording.add(native, places, edges, shape=tuple(result.shape), dtype=dtype_name(result), **facts)
        node.stop = node.stop or node.operator == "stop_gradient"
        tracked = {edge.source for edge in edges}
        node.on_data = any(source.on_data for source in sources) or sum(t.numel() > 1 for t in tensors) > len(tracked)
        with torch.no_grad():
            node.finite = is_finite(result.detach())
            if not node.finite:
                self._births(node, result, tensors)
        return node

    def _births(self, node: Node, result: Tensor, tensors: Sequence[Tensor]) -> None:
        inputs = [plain(t).detach() for t in tensors if differentiable(t) and plain(t) is not result]
        node.nan_born = bool(torch.isnan(result).any()) and not any(bool(torch.isnan(t).any()) for t in inputs)
        node.inf_born = bool(torch.isinf(result).any()) and not any(bool(torch.isinf(t).any()) for t in inputs)

    def after(self, call: Call, node: Node) -> None:
        """Notes the dead edges of a new node, for the question what could be revived."""
        for i, one in enumerate(call.inputs):
            verdict = call.verdicts[i] if call.verdicts else None
            node.elementwise = node.elementwise or (verdict is not None and verdict.elementwise)
            edge = node.edges[i]
            if edge.slope in ("absent", "zero") and edge.why != "blocked":
                if verdict is not None:
                    self._recording.moments[node.index] = moments(call.subjects[i])
                self.remember(one, node.index, call.handles[i])

    def remember(self, one: Input, node: int, handle: Any = None) -> None:
        """A dead edge that begins at a float."""
        if not differentiable(one.tensor) or not (one.tensor.requires_grad or handle is not None):
            return
        place = handle if isinstance(handle, GradientEdge) else get_gradient_edge(one.tensor)
        like = (tuple(one.tensor.shape), one.tensor.dtype, one.tensor.device)
        self._recording.dead_inputs.append(DeadInput(node, place, like))

    # --- the graph --------------------------------------------------------------------------------------------------

    def mark(self, tensor: Tensor, index: int) -> None:
        """Lets the autograd node of a result tell which of ours it is."""
        assert tensor.grad_fn is not None
        _known(tensor.grad_fn)[tensor.output_nr] = index

    def sources_of(self, tensor: Tensor, parameters: Any, first_use: Callable[[Tensor, int], Fact]) -> list[int]:
        """Our nodes that a tensor made unseen depends on, by its graph."""
        found: list[int] = []
        seen = set()
        stack = [tensor.grad_fn]
        while stack:
            here = stack.pop()
            for below, number in here.next_functions if here is not None else ():
                if below is None or (below, number) in seen:
                    continue
                seen.add((below, number))
                known = _known(below)
                leaf = getattr(below, "variable", None)
                if number in known:
                    found.append(known[number])
                elif leaf is not None and leaf in parameters:
                    index = self._recording.parameter_nodes.get(parameters[leaf])
                    found.append(first_use(leaf, parameters[leaf]).node if index is None else index)
                else:
                    stack.append(below)
        return list(dict.fromkeys(found))

    def edges_of_gradient(self, made: Tensor, tracked: list[Input], leaves: list[Input]) -> list[Edge]:
        """Edges of a derivative that the program itself took: to what was differentiated, and to the parameters."""
        every = {id(one.tensor): one for one in [*tracked, *leaves]}
        inputs = [one for one in every.values() if one.tensor.requires_grad]
        try:
            gradients = pulled_back(made, [one.tensor for one in inputs], self._cotangents)
        except (NoDerivativeError, RuntimeError):
            gradients = [None] * len(inputs)
        edges = []
        for one, gradient in zip(inputs, gradients, strict=True):
            edge = edge_of(one.fact.node, gradient)
            if edge.slope != "absent" or any(one is t for t in tracked):
                edge.why = "blocked" if edge.slope == "zero" else None
                edges.append(edge)
        return edges


def _known(place: Any) -> dict[int, int]:
    """Which of our nodes the results of an autograd node are."""
    known: dict[int, int] = place.metadata.setdefault(MARK, {})
    return known


def _handle(tensor: Tensor, *, written: bool) -> Any:
    """What the derivative is taken with respect to."""
    if not tensor.requires_grad:
        return None
    with lowest_level():
        return get_gradient_edge(tensor) if written else tensor
