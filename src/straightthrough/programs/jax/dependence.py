"""What each value of a jaxpr is made of: of parameters, and of anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jax.extend.core import Literal

from straightthrough.programs.jax import grouping, lines

DEPENDS, DATA = 1, 2
"""Bits: a parameter goes into it; something that is no parameter goes into it."""


def of_constant(value: Any) -> int:
    """The flags of a constant."""
    return DATA if np.size(value) > 1 else 0


def flags_through(jaxpr: Any, given: list[int], constants: list[Any] = []) -> list[int]:  # noqa: B006
    """What each output is made of: bits `DEPENDS` and `DATA`."""
    known: dict[Any, int] = dict(zip(jaxpr.invars, given, strict=True))
    known.update(zip(jaxpr.constvars, map(of_constant, constants), strict=False))
    for equation in jaxpr.eqns:
        ins = [of_constant(v.val) if isinstance(v, Literal) else known.get(v, 0) for v in equation.invars]
        known.update(zip(equation.outvars, flags_of(equation, ins), strict=True))
    return [of_constant(v.val) if isinstance(v, Literal) else known.get(v, 0) for v in jaxpr.outvars]


def flags_of(equation: Any, ins: list[int]) -> list[int]:
    """The flags of an equation's results, from those of its inputs."""
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        return flags_of_scan(params, ins)
    if name == "while":
        return flags_of_while(params, ins)[1]
    if name == "cond":
        outs = [flags_through(branch.jaxpr, ins[1:], branch.consts) for branch in params["branches"]]
        return [ins[0] | _union(column) for column in zip(*outs, strict=True)]
    if name in grouping.INLINED:
        inner = next(lines.subfunctions(equation))
        return flags_through(inner, ins)
    return [_union(ins)] * len(equation.outvars)


def _union(flags: Any) -> int:
    result = 0
    for flag in flags:
        result |= flag
    return result


def flags_of_scan(params: Any, ins: list[int]) -> list[int]:
    """The flags of a scan's results, once its carry has settled."""
    first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
    carry = _settled(lambda c: flags_through(params["jaxpr"].jaxpr, [*ins[:first], *c, *ins[last:]]), ins[first:last])
    outs = flags_through(params["jaxpr"].jaxpr, [*ins[:first], *carry, *ins[last:]])
    return [*carry, *outs[last - first :]]


def flags_of_while(params: Any, ins: list[int]) -> tuple[list[int], list[int]]:
    """Of the carry within, and of the results, which the condition goes into as well."""
    first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    carry = _settled(lambda c: flags_through(params["body_jaxpr"].jaxpr, [*ins[first:last], *c]), ins[last:])
    (ends,) = flags_through(params["cond_jaxpr"].jaxpr, [*ins[:first], *carry])
    return carry, [c | ends for c in carry]


def _settled(step: Callable[[list[int]], list[int]], carry: list[int]) -> list[int]:
    while True:
        wider = [old | new for old, new in zip(carry, step(carry), strict=False)]
        if wider == carry:
            return carry
        carry = wider
