"""Which equations are one operator, and what it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from straightthrough.programs._names import canonical
from straightthrough.programs.jax import lines

INLINED = {"jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint", "remat", "custom_lin"}
"""Calls that are looked into, unless JAX's own library made them."""

LOOPS = {"scan", "while", "cond"}
RULES = {"custom_jvp_call", "custom_vjp_call"}

ELEMENTWISE = {
    "abs",
    "acos",
    "acosh",
    "add",
    "and",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "clamp",
    "convert_element_type",
    "cos",
    "cosh",
    "copy",
    "div",
    "erf",
    "erf_inv",
    "erfc",
    "eq",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "ge",
    "gt",
    "integer_pow",
    "is_finite",
    "le",
    "lgamma",
    "digamma",
    "log",
    "log1p",
    "logistic",
    "lt",
    "max",
    "min",
    "mul",
    "ne",
    "neg",
    "nextafter",
    "not",
    "or",
    "pow",
    "real",
    "rem",
    "round",
    "rsqrt",
    "select_n",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "stop_gradient",
    "sub",
    "tan",
    "tanh",
    "xor",
    "reduce_precision",
    "copy_p",
}

LINEAR = {
    "add",
    "sub",
    "neg",
    "reshape",
    "broadcast_in_dim",
    "transpose",
    "squeeze",
    "expand_dims",
    "concatenate",
    "rev",
    "reduce_sum",
    "cumsum",
    "copy",
    "copy_p",
    "real",
    "imag",
    "add_any",
    "optimization_barrier",
}
"""What passes the gradient on whatever the numbers are: nothing to measure."""

_SHAPING = {
    "broadcast_in_dim",
    "reshape",
    "squeeze",
    "expand_dims",
    "transpose",
    "convert_element_type",
    "slice",
    "copy",
    "stop_gradient",
}
"""What a library function does on the way: an operator is not named after it."""

_INDEXING = {"__getitem__", "rewriting_take", "_rewriting_take", "take", "_take", "_getitem"}
_OPERATORS = ("deferring_binary_op", "__", "_operator", "reraise_with_filtered_traceback", "astype", "cache_miss", "fn")


@dataclass
class Group:
    """Equations that the user knows as one operator."""

    equations: list[Any]
    scope: int | None = None
    entry: Any = None


def groups(
    equations: list[Any], depends: Callable[[Any], bool], scope_number: Callable[[str], int | None]
) -> list[Group]:
    """Joins neighbours that one call of a library function (or of one of our operations) made.

    Equations in between that depend on no parameter do not part them.
    """
    found: list[Group] = []
    last = None
    for equation in equations:
        scope = lines.scope_of(equation, scope_number)
        if scope is None and not depends(equation):
            found.append(Group([equation]))
            continue
        key, entry = _key(equation, scope)
        if last is not None and key is not None and key == last[0]:
            last[1].equations.append(equation)
            found.remove(last[1])  # it is run where its last equation stands
            found.append(last[1])
            continue
        group = Group([equation], scope, entry)
        found.append(group)
        last = (key, group)
    return found


def _key(equation: Any, scope: int | None) -> tuple[Any, Any]:
    if scope is not None:
        return ("ours", scope), None
    if not is_opaque(equation):
        return None, None
    found = lines.frames(equation)
    code = lines.entry(found)
    user = lines.users_frame(found)
    if code is None or _is_plain(code.co_name):
        return None, None
    return (code, user, len(found)) if user is None else (code, user), code


def _is_plain(name: str) -> bool:
    return name.startswith(_OPERATORS) and name not in _INDEXING


def is_opaque(equation: Any) -> bool:
    """Whether an equation is one operator; else it is looked into."""
    name = equation.primitive.name
    if name in LOOPS:
        return all(lines.same_caller(inner, equation) for inner in lines.subfunctions(equation))
    if name in INLINED:
        return all(lines.is_library(inner) for inner in lines.subfunctions(equation))
    return True


def native_name(group: Group) -> str:
    """The framework's name of what a group of equations is."""
    if len(group.equations) == 1:
        return _own_name(group.equations[0])
    significant = [eqn for eqn in group.equations if eqn.primitive.name not in _SHAPING]
    entry = group.entry.co_name if group.entry is not None else ""
    if entry in _INDEXING:
        return "gather" if any(eqn.primitive.name == "gather" for eqn in significant) else "index"
    if len(significant) == 1:
        return _own_name(significant[0])
    return entry or _own_name(group.equations[-1])


def _own_name(equation: Any) -> str:
    name = str(equation.primitive.name)
    if name in RULES:
        return str(equation.params["call_jaxpr"].jaxpr.debug_info.func_name)
    return str(equation.params["name"]) if name in INLINED and "name" in equation.params else name


def operator_name(native: str) -> str:
    """Ours: ``"_std"`` -> ``"std"``, ``"convert_element_type"`` -> ``"cast"``."""
    return canonical(native.strip("_").replace("-", "_"))


def is_elementwise(equations: list[Any], shape: tuple[int, ...]) -> bool:
    """Whether each element of the result depends on the one element there."""
    for equation in equations:
        name = equation.primitive.name
        inner = list(lines.subfunctions(equation))
        if inner:
            if name in LOOPS or not all(is_elementwise(j.eqns, shape) for j in inner):
                return False
        elif name == "broadcast_in_dim":
            if equation.invars[0].aval.shape != ():
                return False
        elif name not in ELEMENTWISE:
            return False
        if any(v.aval.shape not in (shape, ()) for v in equation.outvars):
            return False
    return True
