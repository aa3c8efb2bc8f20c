"""One peer's operators against the bare operator, in the peer's own environment: nothing of ours is imported.

python peer_rows.py PEER N ...
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import measuring
import torch

Tensor = torch.Tensor


def _step(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def brevitas() -> dict[tuple[str, str], Callable[[Tensor], Tensor]]:
    from brevitas.function.ops_ste import binary_sign_ste, round_ste  # type: ignore[import-not-found, unused-ignore]

    return {
        ("round", "identity"): round_ste,
        ("sign", "identity"): binary_sign_ste,
        ("sign", "clipped_identity"): lambda x: binary_sign_ste(torch.clamp(x, -1, 1)),
        ("round", "clipped_identity"): lambda x: round_ste(torch.clamp(x, -1, 1)),
    }


def snntorch() -> dict[tuple[str, str], Callable[[Tensor], Tensor]]:
    from snntorch import surrogate  # type: ignore[import-not-found, unused-ignore]

    return {
        ("heaviside", "sigmoid"): surrogate.sigmoid(slope=4),
        ("heaviside", "atan"): surrogate.atan(alpha=2.0),
        ("heaviside", "fast_sigmoid"): surrogate.fast_sigmoid(slope=25),
    }


def spikingjelly() -> dict[tuple[str, str], Callable[[Tensor], Tensor]]:
    from spikingjelly.activation_based import surrogate  # type: ignore[import-not-found, unused-ignore]

    return {("heaviside", "sigmoid"): surrogate.Sigmoid(alpha=4.0), ("heaviside", "atan"): surrogate.ATan(alpha=2.0)}


def pytorch() -> dict[tuple[str, str], Callable[[Tensor], Tensor]]:
    return {
        ("one_hot_argmax", "softmax"): lambda x: torch.nn.functional.gumbel_softmax(x, hard=True),
    }


PEERS = {"brevitas": brevitas, "snntorch": snntorch, "spikingjelly": spikingjelly, "torch": pytorch}
BARE: dict[str, Callable[[Tensor], Tensor]] = {
    "round": torch.round,
    "sign": torch.sign,
    "heaviside": _step,
    "one_hot_argmax": lambda x: torch.zeros_like(x).scatter_(-1, x.argmax(-1, keepdim=True), 1.0),
}


def main() -> None:
    peer = sys.argv.pop(1)
    measuring.pin()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for n in measuring.sizes():
        for dtype in ("float32", "bfloat16"):
            kind = getattr(torch, dtype)
            for (name, proxy), function in PEERS[peer]().items():
                shape = (-1, min(1_000, n // 10)) if proxy == "softmax" else (-1,)
                x = torch.randn(n).to(kind).view(shape).requires_grad_()
                gradient, plain = torch.randn(n).to(kind).view(shape), x.detach()

                def bare(name: str = name, plain: Tensor = plain) -> Any:
                    return BARE[name](plain), torch.zeros_like(plain)

                def theirs(function: Any = function, x: Tensor = x, gradient: Tensor = gradient) -> Any:
                    y = function(x)
                    return y, torch.autograd.grad(y, x, gradient)

                found: measuring.Forms = {"bare": bare, peer: theirs}
                memory = {f: measuring.peak(form) / (n * kind.itemsize) for f, form in found.items()} if n > 1e7 else {}
                times = measuring.paired(found, *measuring.effort(n))
                facts = {"operation": name, "proxy": proxy, "dtype": dtype, "n": n}
                measuring.row(framework="torch", mode="peer", peer=peer, **facts, forms=times, memory=memory)


if __name__ == "__main__":
    main()
