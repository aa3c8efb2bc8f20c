"""The checks in PyTorch: numbers in and out, and each transformation that the contract names.

A transformation takes functions ``f(x)``, an input and a loss gradient, and returns for each function what it saw:
``value``, ``gradient`` (loss gradient × slope), ``tangent`` (slope × the loss gradient taken as a tangent), ``second``
(derivative of the gradient along ones), ``jacobian`` or ``hessian``. One compilation serves all functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

Array = torch.Tensor
Function = Callable[[Array], Array]
Outcome = dict[str, Array]


def array(values: Any, dtype: str) -> Array:
    """Numbers as an array of the framework."""
    return torch.as_tensor(values, dtype=torch.float64).to(getattr(torch, dtype))


def numbers(x: Array) -> Any:
    """An array as numbers in float64."""
    return x.detach().to(torch.float64).numpy()


def dtype_name(x: Array) -> str:
    """``"float32"``, ..."""
    return str(x.dtype).removeprefix("torch.")


def precise() -> contextlib.AbstractContextManager[Any]:
    """A context in which float64 is to be had."""
    return contextlib.nullcontext()


def gradients(function: Callable[..., Array], inputs: Sequence[Array], weight: Array) -> tuple[Array, list[Array]]:
    """The value, and the loss gradient pulled back to each input; zeros where nothing arrives."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    found = torch.autograd.grad(y, leaves, weight, allow_unused=True)
    return y, [torch.zeros_like(x) if g is None else g for g, x in zip(found, leaves, strict=True)]


def _each(one: Callable[[Function, Array, Array], Outcome]) -> Callable[..., list[Outcome]]:
    def run(functions: Sequence[Function], x: Array, weight: Array) -> list[Outcome]:
        return [one(function, x, weight) for function in functions]

    return run


def _leaf(x: Array) -> Array:
    return x.detach().clone().requires_grad_()


def _eager(function: Function, x: Array, weight: Array) -> Outcome:
    value, (gradient,) = gradients(function, [x], weight)
    return {"value": value, "gradient": gradient}


def _no_grad(function: Function, x: Array, weight: Array) -> Outcome:
    with torch.no_grad():
        return {"value": function(_leaf(x))}


def _inference_mode(function: Function, x: Array, weight: Array) -> Outcome:
    with torch.inference_mode():
        return {"value": function(x.clone()).clone()}


def _autocast(function: Function, x: Array, weight: Array) -> Outcome:
    with torch.autocast("cpu", torch.bfloat16):
        return _eager(function, x, weight)


def _grad(function: Function, x: Array, weight: Array) -> Outcome:
    return {"gradient": torch.func.grad(lambda x: (weight * function(x)).sum())(x)}


def _vjp(function: Function, x: Array, weight: Array) -> Outcome:
    value, pullback = torch.func.vjp(function, x)[:2]
    return {"value": value, "gradient": pullback(weight)[0]}


def _jvp(function: Function, x: Array, weight: Array) -> Outcome:
    value, tangent = torch.func.jvp(function, (x,), (weight,))[:2]
    return {"value": value, "tangent": tangent}


def _dual(function: Function, x: Array, weight: Array) -> Outcome:
    with forward_ad.dual_level():
        value, tangent = forward_ad.unpack_dual(function(forward_ad.make_dual(x, weight)))
        return {"value": value, "tangent": torch.zeros_like(x) if tangent is None else tangent}


def _pulled_back(function: Function) -> Callable[[Array, Array], tuple[Array, Array]]:
    """Value and gradient as one function of input and loss gradient."""

    def both(x: Array, weight: Array) -> tuple[Array, Array]:
        value, pullback = torch.func.vjp(function, x)[:2]
        return value, pullback(weight)[0]

    return both


def _functionalize(function: Function, x: Array, weight: Array) -> Outcome:
    value, gradient = torch.func.functionalize(_pulled_back(function))(x, weight)
    return {"value": value, "gradient": gradient}


def _make_fx_functionalize(function: Function, x: Array, weight: Array) -> Outcome:
    """The way to a functional graph that works: trace the gradient first, then functionalise the graph."""
    traced = make_fx(_pulled_back(function))(x, weight)
    value, gradient = make_fx(torch.func.functionalize(traced))(x, weight)(x, weight)
    return {"value": value, "gradient": gradient}


def _vmap(function: Function, x: Array, weight: Array) -> Outcome:
    rows, grads = torch.stack([x, x]), torch.stack([weight, weight])
    value, gradient = torch.func.vmap(_pulled_back(function))(rows, grads)
    return {"value": value[1], "gradient": gradient[1]}


def _jacrev(function: Function, x: Array, weight: Array) -> Outcome:
    return {"jacobian": torch.func.jacrev(function)(x)}


def _jacfwd(function: Function, x: Array, weight: Array) -> Outcome:
    return {"jacobian": torch.func.jacfwd(function)(x)}


def _hessian(function: Function, x: Array, weight: Array) -> Outcome:
    return {"hessian": torch.func.hessian(lambda x: (weight * function(x)).sum())(x)}


def _double_backward(function: Function, x: Array, weight: Array) -> Outcome:
    x = _leaf(x)
    (gradient,) = torch.autograd.grad(function(x), x, weight, create_graph=True)
    if not gradient.requires_grad:  # a constant slope
        return {"gradient": gradient, "second": torch.zeros_like(x)}
    (second,) = torch.autograd.grad(gradient.sum(), x, allow_unused=True)
    return {"gradient": gradient, "second": torch.zeros_like(x) if second is None else second}


def _checkpointed(reentrant: bool) -> Callable[..., list[Outcome]]:
    def one(function: Function, x: Array, weight: Array) -> Outcome:
        x = _leaf(x)
        value = checkpoint(function, x, use_reentrant=reentrant)
        # The reentrant kind knows no autograd.grad.
        value.backward(weight)
        return {"value": value, "gradient": torch.zeros_like(x) if x.grad is None else x.grad}

    return _each(one)


def _compiled(backend: str) -> Callable[..., list[Outcome]]:
    def run(functions: Sequence[Function], x: Array, weight: Array) -> list[Outcome]:
        torch.compiler.reset()
        # One input per function: a nan in one gradient must not reach another.
        leaves = [_leaf(x) for _ in functions]
        program = torch.compile(
            lambda xs: [f(x) for f, x in zip(functions, xs, strict=True)], backend=backend, fullgraph=True
        )
        values = program(leaves)
        found = torch.autograd.grad(values, leaves, [weight] * len(leaves))
        return [{"value": v, "gradient": g} for v, g in zip(values, found, strict=True)]

    return run


def _compiled_each(one: Callable[[Function, Array, Array], Outcome], backend: str) -> Callable[..., list[Outcome]]:
    """A torch.func transformation under torch.compile, of an input that does not require a gradient."""

    def run(functions: Sequence[Function], x: Array, weight: Array) -> list[Outcome]:
        torch.compiler.reset()
        program = torch.compile(
            lambda x, weight: [one(function, x, weight) for function in functions], backend=backend, fullgraph=True
        )
        found: list[Outcome] = program(x, weight)
        return found

    return run


def _loop(function: Function, x: Array, weight: Array) -> Outcome:
    """Three steps in a loop, of which only the last one's output is weighted."""

    def steps(x: Array) -> Array:
        y = x
        for _ in range(3):
            y = function(x)
        return y

    return _eager(steps, x, weight)


TRANSFORMATIONS: dict[str, Callable[..., list[Outcome]]] = {
    "eager": _each(_eager),
    "no_grad": _each(_no_grad),
    "inference_mode": _each(_inference_mode),
    "autocast": _each(_autocast),
    "grad": _each(_grad),
    "vjp": _each(_vjp),
    "jvp": _each(_jvp),
    "dual": _each(_dual),
    "vmap": _each(_vmap),
    "jacrev": _each(_jacrev),
    "jacfwd": _each(_jacfwd),
    "hessian": _each(_hessian),
    "double_backward": _each(_double_backward),
    "checkpoint": _checkpointed(False),
    "checkpoint_reentrant": _checkpointed(True),
    "loop": _each(_loop),
    "functionalize": _each(_functionalize),
    "make_fx_functionalize": _each(_make_fx_functionalize),
    "compile_aot_eager": _compiled("aot_eager"),
    "compile_grad": _compiled_each(_grad, "aot_eager"),
    "compile_vjp": _compiled_each(_vjp, "aot_eager"),
    "compile_jvp": _compiled_each(_jvp, "aot_eager"),
    "compile_vmap": _compiled_each(_vmap, "aot_eager"),
    "compile_inductor": _compiled("inductor"),
    "compile_grad_inductor": _compiled_each(_grad, "inductor"),
}
# "functionalize" is what torch refuses for every autograd.Function.
CHEAP = tuple(name for name in TRANSFORMATIONS if not name.startswith("compile") and name != "functionalize")
