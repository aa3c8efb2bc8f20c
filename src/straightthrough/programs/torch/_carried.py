"""Hard operators that already carry a proxy: ours, and rules written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from straightthrough._backends import torch as table
from straightthrough._mode import mode
from straightthrough.core import Operation
from straightthrough.programs._carried import width_of, written
from straightthrough.programs._description import Carried, Edge, Node
from straightthrough.programs.torch._calls import differentiable, tensors_in
from straightthrough.programs.torch._levels import is_wrapped, plain
from straightthrough.programs.torch._numbers import Cotangents
from straightthrough.programs.torch._recording import Recording
from straightthrough.programs.torch._why import LARGE, Again
from straightthrough.proxies._proxy import Proxy
from straightthrough.proxies.lookup import resolve

Tensor = torch.Tensor


def also_used(operation: Operation, proxy: Any) -> list[Tensor]:
    """What an operation's derivative uses beside its arguments: the parameters of the proxy."""
    chosen = operation.proxy if proxy is None else proxy
    if isinstance(chosen, torch.nn.Module):
        return list(chosen.parameters())
    return list(tensors_in(chosen.arrays)) if isinstance(chosen, Proxy) else []


def of_ours(node: Node, operation: Operation, proxy: Any, args: Any, kwargs: Any) -> Carried | None:
    """What one of our own operations carries."""
    chosen = operation.proxy if proxy is None else resolve(proxy, operation.name)
    subject = next(tensors_in((args, kwargs)), None)
    if subject is None or not node.edges or mode.hard_only:
        return None
    if operation._subject is not None:  # a comparison's proxy acts on a difference
        subject = operation._subject(table, *args, **kwargs)
    mean, std = moments(subject)
    return Carried(written(chosen), mean, std, _live_share(node), width_of(chosen))


def of_a_rule(node: Node, run: Callable[..., Any], args: Any, kwargs: Any) -> Carried | None:
    """What a derivative rule of the user's own carries, if its result is a hard operator's: it moves in steps."""
    tensors = [t for t in tensors_in((args, kwargs)) if differentiable(t)]
    passes = any(edge.slope == "passes" for edge in node.edges)
    if not passes or len(tensors) != 1 or is_wrapped(tensors[0]) or tensors[0].numel() > LARGE:
        return None
    subject = tensors[0].detach()
    again = Again(run, args, kwargs, 0, tensors[0], Cotangents())
    try:
        hard = again.piecewise_constant()
    except (RuntimeError, ValueError, TypeError, IndexError):
        return None
    return Carried("by hand", *moments(subject), _live_share(node)) if hard else None


def _live_share(node: Node) -> float:
    return 1 - min(edge.dead_share for edge in node.edges)


def moments(tensor: Tensor) -> tuple[float, float]:
    """Mean and standard deviation."""
    x = plain(tensor).detach()
    x = x.float() if not differentiable(x) or x.dtype in (torch.float16, torch.bfloat16) else x
    x = x.abs() if x.is_complex() else x
    return (float(x.mean()), float(x.std(correction=0))) if x.numel() else (0.0, 0.0)


_FAR = 64
"""A line by hand is a few operators long."""


def note_by_hand(recording: Recording) -> None:
    """Hard operators around which a line such as ``x + (round(x) - x).detach()`` leads the gradient."""
    nodes = recording.nodes
    for node in nodes:
        if node.operator not in ("add", "subtract") or len(node.edges) != 2:
            continue
        for around, behind in (node.edges, node.edges[::-1]):
            if around.slope == "passes" and around.source != behind.source:
                for hard in _hard_before(nodes, nodes[behind.source], around.source):
                    if hard.shape == node.shape and hard.index in recording.moments:
                        hard.carried = hard.carried or Carried("by hand", *recording.moments[hard.index], 1.0)


def _hard_before(nodes: list[Node], start: Node, subject: int) -> list[Node]:
    """Hard operators on ``subject`` that a stopped value is made of."""
    above = _above(nodes, start.index)
    if not any(nodes[i].stop for i in above):
        return []
    hard = [nodes[i] for i in above if any(_is_hard(nodes[i], edge) for edge in nodes[i].edges)]
    return [node for node in hard if subject in _above(nodes, node.index)]


def _is_hard(node: Node, edge: Edge) -> bool:
    return not node.stop and (edge.why == "flat" or edge.slope == "absent") and edge.why != "blocked"


def _above(nodes: list[Node], start: int) -> list[int]:
    """What a node is made of, the nearest first, not far."""
    seen, queue = {start}, [start]
    for index in queue:
        if len(queue) > _FAR:
            break
        for edge in nodes[index].edges:
            if edge.source not in seen:
                seen.add(edge.source)
                queue.append(edge.source)
    return queue
