"""PyTorch, eager: forward and backward of every ready operation against the bare operator and the textbook line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import measuring
import torch

import straightthrough as ste

Tensor = torch.Tensor
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def _sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(4 * x)


def _atan(x: Tensor) -> Tensor:
    return torch.arctan(math.pi * x) / math.pi


def _fast(x: Tensor) -> Tensor:
    return x / (1 + 25 * x.abs())


def _clip(x: Tensor) -> Tensor:
    return torch.clamp(x, -1, 1)


def _same(x: Tensor) -> Tensor:
    return x


def _soft(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def _one_hot(index: Tensor, x: Tensor) -> Tensor:
    return torch.zeros_like(x).scatter_(-1, index, 1.0)


def _compared(relation: str) -> Callable[[Tensor], Tensor]:
    return lambda x: getattr(torch, relation)(x, 0.5).to(x.dtype)


def _ternary(x: Tensor) -> Tensor:
    return (x > 0.5).to(x.dtype) - (x < -0.5).to(x.dtype)


# operation, proxy, bare operator, the proxy of the textbook line, further arguments of ours
CASES: list[tuple[str, str, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], tuple[Any, ...]]] = [
    ("round", "identity", torch.round, _same, ()),
    ("sign", "clipped_identity", torch.sign, _clip, ()),
    ("round", "clipped_identity", torch.round, _clip, ()),
    ("heaviside", "sigmoid", lambda x: (x > 0).to(x.dtype), _sigmoid, ()),
    ("heaviside", "atan", lambda x: (x > 0).to(x.dtype), _atan, ()),
    ("heaviside", "fast_sigmoid", lambda x: (x > 0).to(x.dtype), _fast, ()),
    ("one_hot_argmax", "softmax", lambda x: _one_hot(x.argmax(-1, keepdim=True), x), _soft, ()),
    ("floor", "identity", torch.floor, _same, ()),
    ("ceil", "identity", torch.ceil, _same, ()),
    ("trunc", "identity", torch.trunc, _same, ()),
    ("stochastic_round", "identity", lambda x: torch.floor(x + torch.rand_like(x)), _same, ()),
    ("clip", "identity", _clip, _same, (-1.0, 1.0)),
    ("sign", "identity", torch.sign, _same, ()),
    ("ternary", "clipped_identity", _ternary, _clip, ()),
    ("greater", "sigmoid", _compared("gt"), lambda x: _sigmoid(x - 0.5), (0.5,)),
    ("greater_equal", "sigmoid", _compared("ge"), lambda x: _sigmoid(x - 0.5), (0.5,)),
    ("less", "sigmoid", _compared("lt"), lambda x: _sigmoid(0.5 - x), (0.5,)),
    ("less_equal", "sigmoid", _compared("le"), lambda x: _sigmoid(0.5 - x), (0.5,)),
    ("equal", "sigmoid", _compared("eq"), lambda x: _sigmoid(-(x - 0.5).abs()), (0.5,)),
    ("not_equal", "sigmoid", _compared("ne"), lambda x: _sigmoid((x - 0.5).abs()), (0.5,)),
    ("one_hot_argmin", "softmax", lambda x: _one_hot(x.argmin(-1, keepdim=True), x), lambda x: _soft(-x), ()),
    ("top_k_mask", "softmax", lambda x: _one_hot(x.topk(8, -1).indices, x), lambda x: 8 * _soft(x), (8,)),
]


def forms(case: tuple[Any, ...], x: Tensor, gradient: Tensor) -> measuring.Forms:
    """The four computations of a row, forward and backward."""
    name, proxy, operator, stand_in, arguments = case
    operation, plain = getattr(ste, name), x.detach()

    def bare() -> Any:
        return operator(plain), torch.zeros_like(plain)

    def textbook() -> Any:
        p = stand_in(x)
        y = p + (operator(x) - p).detach()
        return y, torch.autograd.grad(y, x, gradient)

    def ours() -> Any:
        y = operation(x, *arguments, proxy=proxy)
        return y, torch.autograd.grad(y, x, gradient)

    def twice() -> Any:
        y = operation(x, *arguments, proxy=proxy)
        return y, torch.autograd.grad(y, x, gradient, create_graph=True)

    found = {"bare": bare, "textbook": textbook, "ours": ours}
    return {**found, "ours, differentiable": twice} if proxy not in ("identity", "softmax") else found


def calls(n: int = 1_000) -> None:
    """Forward alone at a size where only the calls count."""
    x = torch.randn(n, requires_grad=True)
    for name, proxy, operator, stand_in, arguments in CASES[:7]:
        operation, shaped = getattr(ste, name), x.detach().view(-1, 10).requires_grad_() if proxy == "softmax" else x

        def textbook(x: Tensor = shaped, operator: Any = operator, stand_in: Any = stand_in) -> Any:
            p = stand_in(x)
            return p + (operator(x) - p).detach()

        def bare(x: Tensor = shaped, operator: Any = operator) -> Any:
            return operator(x)

        def ours(x: Tensor = shaped, o: Any = operation, p: str = proxy, a: tuple[Any, ...] = arguments) -> Any:
            return o(x, *a, proxy=p)

        found = measuring.paired({"bare": bare, "textbook": textbook, "ours": ours}, 60, 3.0)
        measuring.row(framework="torch", mode="call", operation=name, proxy=proxy, dtype="float32", n=n, forms=found)


def main() -> None:
    measuring.pin()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    calls()
    for n in measuring.sizes():
        for dtype_name, dtype in DTYPES.items():
            flat = torch.randn(n).to(dtype)
            for case in CASES:
                shape = (-1, min(1_000, n // 10)) if case[1] == "softmax" else (-1,)
                x = flat.view(shape).requires_grad_()
                found = forms(case, x, torch.randn(n).to(dtype).view(shape))
                memory = {}
                if n >= 16_000_000:
                    memory = {name: measuring.peak(form) / (n * dtype.itemsize) for name, form in found.items()}
                times = measuring.paired(found, *measuring.effort(n))
                facts = {"operation": case[0], "proxy": case[1], "dtype": dtype_name, "n": n}
                measuring.row(framework="torch", mode="eager", **facts, forms=times, memory=memory)


if __name__ == "__main__":
    main()
