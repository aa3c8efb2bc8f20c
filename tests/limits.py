"""Everything that a framework cannot do: the one table. The suite asserts that each row raises what it says.

A row that stops raising fails the suite too, so that it is taken out when a framework learns.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Limit:
    """One thing that a framework cannot do; `operation`, `proxy`, `dtype` and `transformation` are patterns."""

    framework: str
    transformation: str
    reason: str
    link: str
    operation: str = "*"
    proxy: str = "*"
    dtype: str = "*"
    error: tuple[type[Exception], ...] = (Exception,)

    def covers(self, cell: Any, transformation: str) -> bool:
        pairs = (
            (cell.framework, self.framework),
            (transformation, self.transformation),
            (cell.operation, self.operation),
            (cell.proxy, self.proxy),
            (cell.dtype, self.dtype),
        )
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


VMAP = "https://docs.pytorch.org/docs/stable/generated/torch.func.vmap.html"
FUNCTION = "https://docs.pytorch.org/docs/stable/notes/extending.func.html"
FORWARD = "https://github.com/tensorflow/tensorflow/issues/60164"

LIMITS: list[Limit] = [
    *(
        Limit(
            "torch",
            transformation,
            "torch.vmap refuses random draws unless randomness= is given; so do jacfwd and hessian",
            VMAP,
            operation="stochastic_round",
            error=(RuntimeError,),
        )
        for transformation in ("vmap", "jacfwd", "hessian", "compile_vmap")
    ),
    Limit(
        "torch",
        "functionalize",
        "torch.func.functionalize has no rule for an autograd.Function; trace first: functionalize(make_fx(grad(f))(x))"
        " works, and so does ste.hard(f)",
        FUNCTION,
        error=(RuntimeError,),
    ),
    Limit(
        "tensorflow",
        "accumulator_function",
        "ForwardAccumulator in a tf.function loses the tangent of a custom gradient: refused (it works in eager mode)",
        FORWARD,
        error=(NotImplementedError,),
    ),
]


@dataclass(frozen=True)
class Note:
    """What is stated rather than raised: a property of the framework that no error can announce."""

    framework: str
    what: str
    reason: str
    link: str


NOTES = [
    Note(
        "jax, tensorflow",
        "subnormal inputs count as zero",
        "XLA and TensorFlow have the processor flush them; an operator then sees 0 (heaviside, ceil, sign)",
        "https://github.com/jax-ml/jax/issues/16200",
    ),
    Note(
        "jax",
        "reverse mode through lax.while_loop",
        "JAX differentiates it in forward mode only, and raises; use lax.scan or lax.fori_loop with static bounds",
        "https://docs.jax.dev/en/latest/_autosummary/jax.lax.while_loop.html",
    ),
    Note(
        "torch",
        "autograd.grad through a reentrant checkpoint",
        "torch refuses it for every function, and raises; call backward, or use_reentrant=False",
        "https://docs.pytorch.org/docs/stable/checkpoint.html",
    ),
    Note(
        "keras on tensorflow",
        "model.export() keeps an IdentityN for each layer",
        "it traces with training=None, in which a layer must keep its gradient for loops written by hand; export "
        "`lambda x: model(x, training=False)` through keras.export.ExportArchive, or use ste.ship",
        "https://keras.io/api/models/model_saving_apis/export/",
    ),
    Note(
        "torch",
        "straight_through(result, proxy) in an exported graph",
        "a proxy that you computed yourself stays as dead code until run_decompositions(); the operations leave none",
        "",
    ),
    Note(
        "tensorflow",
        "a slope off centre (spike_rate_escape) of a comparison, where x and y are huge and nearly equal",
        "in a tf.function the graph optimiser turns (x - y) - c into (x - c) - y, which rounds otherwise",
        "https://www.tensorflow.org/guide/graph_optimization",
    ),
    Note(
        "jax, torch, tensorflow, compiled",
        "a comparison of half types, with a slope that changes within one unit of the last place of x - y",
        "a compiler may keep x - y in float32, so that the slope is that of the difference before it was rounded",
        "",
    ),
    Note(
        "tensorflow",
        "array parameters of a proxy in eager mode",
        "tf.custom_gradient does not say who wants a gradient, so that of the parameter is computed each time",
        "",
    ),
    Note(
        "all",
        "random draws",
        "not compared across frameworks: each has its own generator",
        "",
    ),
]


def find(cell: Any, transformation: str) -> Limit | None:
    """The row that covers a cell under a transformation."""
    return next((limit for limit in LIMITS if limit.covers(cell, transformation)), None)
