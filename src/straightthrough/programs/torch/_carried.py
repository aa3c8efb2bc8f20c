"""Hard operators that already carry a proxy: ours, and rules written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from straightthrough._mode import mode
from straightthrough.core import Operation
from straightthrough.programs._carried import width_of
from straightthrough.programs._description import Carried, Node
from straightthrough.programs.torch._calls import differentiable, tensors_in
from straightthrough.programs.torch._levels import is_wrapped, plain
from straightthrough.proxies._proxy import Proxy
from straightthrough.proxies.lookup import resolve

if TYPE_CHECKING:
    from straightthrough.programs.torch._tracer import Tracer

Tensor = torch.Tensor


def also_used(operation: Operation, proxy: Any) -> list[Tensor]:
    """What an operation's derivative uses beside its arguments: the parameters of the proxy."""
    chosen = operation.proxy if proxy is None else proxy
    if isinstance(chosen, torch.nn.Module):
        return list(chosen.parameters())
    return list(tensors_in(chosen.arrays)) if isinstance(chosen, Proxy) else []


def note_carried(
    tracer: Tracer, made: Any, operation: Operation | None = None, proxy: Any = None, args: Any = (), kwargs: Any = None
) -> None:
    """Sets `Node.carried` on the node of a result that was just made."""
    for result in tensors_in(made):
        fact = tracer.facts.get(plain(result))
        if fact is None:
            continue
        node = tracer.recording.nodes[fact.node]
        if operation is not None and not mode.hard_only:
            node.carried = _ours(node, operation, proxy, args, kwargs or {})
        return


def _ours(node: Node, operation: Operation, proxy: Any, args: Any, kwargs: Any) -> Carried | None:
    chosen = operation.proxy if proxy is None else resolve(proxy, operation.name)
    subject = next(tensors_in((args, kwargs)), None)
    if subject is None or not node.edges:
        return None
    shown = str(chosen) if isinstance(chosen, Proxy) else getattr(chosen, "__name__", type(chosen).__name__)
    return carried(shown, subject, 1 - min(edge.dead_share for edge in node.edges), width_of(chosen))


def carried(proxy: str, subject: Tensor, live_share: float, width: float | None = None) -> Carried:
    """A `Carried` with the mean and the spread of the operator's input."""
    x = plain(subject).detach() if is_wrapped(subject) else subject.detach()
    x = x.float() if not differentiable(x) or x.dtype in (torch.float16, torch.bfloat16) else x
    if x.is_complex():
        x = x.abs()
    std = float(x.std(correction=0)) if x.numel() else 0.0
    return Carried(proxy, float(x.mean()) if x.numel() else 0.0, std, live_share, width)


def by_hand(nodes: list[Node]) -> Iterator[Node]:
    """Hard operators around which a line of the user's own leads the gradient."""
    yield from ()
