"""The product of operations × proxies × dtypes × frameworks, and what each cell must give, from `reference.py`."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass

import numpy as np
import pytest

import reference as ref
import straightthrough as ste
from straightthrough import _registry
from straightthrough.testing import _numbers as num

FRAMEWORKS = ("torch", "jax", "tensorflow")
EACH = pytest.mark.parametrize("framework", [pytest.param(f, marks=getattr(pytest.mark, f)) for f in FRAMEWORKS])
EVERY = pytest.mark.parametrize(
    ("framework", "dtype"),
    [pytest.param(f, d, marks=getattr(pytest.mark, f), id=f"{f}-{d}") for f in FRAMEWORKS for d in num.DTYPES],
)
DTYPES = num.DTYPES
OPERATIONS = sorted(_registry.operations)
FIXED = [name for name in OPERATIONS if name != "stochastic_round"]
"""The operations whose value is not random."""
COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
SELECTIONS = ("one_hot_argmax", "one_hot_argmin", "top_k_mask")
ELEMENTWISE = sorted(name for name, family in _registry.families.items() if family.elementwise)
PROXIES = sorted(_registry.families)
CLIP = (-0.75, 1.5)
K = 3


def spelled(proxy: str, other: bool = False) -> str:
    """A proxy as a user writes it: with its defaults, or with the second set of parameters."""
    numbers = ref.ROWS[proxy].other if other and proxy in ref.ROWS else {}
    return f"{proxy}({', '.join(f'{k}={v}' for k, v in numbers.items())})" if numbers else proxy


@functools.cache
def adapter(framework: str):
    return importlib.import_module(f"straightthrough.testing.{framework}")


@dataclass(frozen=True)
class Cell:
    """One operation with one proxy, in one dtype of one framework."""

    framework: str
    operation: str
    proxy: str
    dtype: str
    other: bool = False

    def function(self, x):
        """``f(array)``: the operation with its arguments; x are the numbers that it will be called with."""
        operation, proxy = getattr(ste, self.operation), spelled(self.proxy, self.other)
        arguments = [
            self.array(a) if isinstance(a, np.ndarray) else a for a in arguments_of(self.operation, x, self.dtype)
        ]
        if self.operation == "stochastic_round":
            return lambda array: operation(array, key=key_for(self.framework), proxy=proxy)
        return lambda array: operation(array, *arguments, proxy=proxy)

    def hard_value(self, x):
        """What the hard operator gives for x, by the second statement of it."""
        return ref.HARD[self.operation](x, *arguments_of(self.operation, x, self.dtype))

    def array(self, values):
        return adapter(self.framework).array(values, self.dtype)

    def expected(self, x, weight, quantities):
        """What a transformation may report, each with what it may be off by."""
        arguments = arguments_of(self.operation, x, self.dtype)
        wanted = {}
        if ref.HARD[self.operation] is not None:
            wanted["value"] = (ref.HARD[self.operation](x, *arguments), 0.0)
        if quantities == {"value"}:
            return wanted
        y = arguments[0] if self.operation in COMPARISONS else None
        wanted |= _soft(self, x, weight) if self.proxy == "softmax" else _element_wise(self, x, y, weight)
        return wanted


def arguments_of(operation: str, x, dtype: str):
    """What follows x in the call; an array y for a comparison, equal to x in every third place.

    Not for huge finite x: TensorFlow's graph optimiser turns (x - y) - c into (x - c) - y (a note in the limits).
    """
    if operation in COMPARISONS:
        y = np.resize([0.5, -1.0, 0.0, 0.25], x.shape)
        huge = np.isfinite(x) & (np.abs(x) > 1e3)
        return (np.where((np.arange(x.size).reshape(x.shape) % 3 == 2) & ~huge, x, y),)
    return {"clip": CLIP, "top_k_mask": (K,)}.get(operation, ())


def key_for(framework: str):
    if framework == "jax":
        import jax

        return jax.random.key(0)
    return None


def subject_of(cell: Cell, x, y):
    rule = ref.SUBJECT.get(cell.operation)
    if rule is None:
        return x
    with np.errstate(invalid="ignore", over="ignore"):
        return num.rounded(rule(x, y) if y is not None else rule(x), cell.dtype)


@functools.lru_cache(maxsize=4096)
def curve(proxy: str, dtype: str, other: bool, subject: bytes):
    """Slope and curvature at numbers, each with what it may be off by; 50 digits are slow, so they are remembered."""
    rule, at = ref.reference(proxy, dtype, other), np.frombuffer(subject)
    slope, curvature = rule.slope(at), rule.curvature(at)
    off = num.allowed(slope, rule.slack(at), dtype)
    steepest = np.max(np.abs(curvature[np.isfinite(curvature)]), initial=0.0)
    # The terms of a second derivative cancel, so that it is held to the curve's own scale as well.
    # The reference differentiates numerically, to 25 digits.
    second_off = num.allowed(curvature, np.maximum(rule.slack(at, order=2), steepest), dtype, ulps=16) + 1e-25
    # Where the slope itself is rounded to 0 the gradient is 0, and so may its derivative be.
    second_off = np.where(slope == 0, np.maximum(second_off, abs(curvature) * (1 + 2.0**-6)), second_off)
    return slope, off, curvature, second_off


def _element_wise(cell: Cell, x, y, weight):
    subject = subject_of(cell, x, y)
    slope, off, curvature, second_off = (
        found.reshape(x.shape) for found in curve(cell.proxy, cell.dtype, cell.other, np.ravel(subject).tobytes())
    )
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        towards = ref.direction(cell.operation, x, y)
        # A slope of 0 gives 0, whatever else is nan.
        signed = np.where(slope == 0, 0.0, towards * slope)
        gradient, second = num.times_slope(weight, signed), num.times_slope(weight, curvature * towards**2)
        if cell.operation in COMPARISONS and cell.dtype in ("bfloat16", "float16"):
            # A compiler may keep x - y in float32: the slope is then that at the difference before it was rounded.
            for shift in (1 - num.EPSILON[cell.dtype], 1 + num.EPSILON[cell.dtype]):
                near = curve(cell.proxy, cell.dtype, cell.other, np.ravel(subject * shift).tobytes())[0]
                off = off + np.nan_to_num(abs(near.reshape(x.shape) - slope), nan=0.0, posinf=0.0)
        size = np.maximum(1.0, abs(weight))
    wanted = {
        "gradient": (gradient, off * size),
        "tangent": (gradient, off * size),
        "second": (second, second_off * size),
        "second_in_reverse": (second, second_off * size),
    }
    if x.ndim == 1:
        wanted |= {
            "jacobian": (np.diag(signed), np.diag(off)),
            "hessian": (np.diag(second), np.diag(second_off * size)),
        }
    return wanted


def _soft(cell: Cell, x, weight):
    """The softmax along the last axis, k times for a mask of k elements."""
    sign = -1.0 if cell.operation == "one_hot_argmin" else 1.0
    subject = (
        sign * x
        if cell.operation not in COMPARISONS
        else subject_of(cell, x, *arguments_of(cell.operation, x, cell.dtype))
    )
    towards = ref.direction(
        cell.operation, x, arguments_of(cell.operation, x, cell.dtype)[0] if cell.operation in COMPARISONS else None
    )
    p = np.exp(subject - subject.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    k = K if cell.operation == "top_k_mask" else 1
    mean = (p * weight).sum(-1, keepdims=True)
    inner = k * p * (weight - mean)
    off = (
        16 * num.EPSILON[cell.dtype] * k * np.max(np.abs(weight)) * np.ones_like(x) * np.maximum(p, p.max() * 0.05)
        + num.UNDERFLOW[cell.dtype]
    )
    wanted = {"gradient": (towards * inner, off), "tangent": (towards_tangent(p, k, towards, weight), off)}
    if x.ndim == 1:
        jacobian = k * (np.diag(p) - np.outer(p, p)) * towards[None, :]
        rows = np.outer(towards, towards)
        hessian = k * (p[:, None] * (np.eye(x.size) - p[None, :]) * (weight - mean)[:, None] - np.outer(p, inner / k))
        flat = 32 * num.EPSILON[cell.dtype] * k * np.max(np.abs(weight)) + num.UNDERFLOW[cell.dtype]
        # The second derivative of |x - y| is 0, so the subject adds nothing.
        second = (rows * hessian).sum(1)
        wanted |= {
            "jacobian": (jacobian, np.full_like(jacobian, flat)),
            "hessian": (rows * hessian, np.full_like(hessian, flat)),
            "second": (second, np.full_like(x, 4 * flat)),
            "second_in_reverse": ((rows * hessian).sum(0), np.full_like(x, 4 * flat)),
        }
    return wanted


def towards_tangent(p, k, towards, weight):
    moved = towards * weight
    return k * p * (moved - (p * moved).sum(-1, keepdims=True))
