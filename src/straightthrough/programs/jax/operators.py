"""What a hard operator of JAX becomes under a proxy: a float with the proxy's derivative, or a carrier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from straightthrough import _backends
from straightthrough._errors import UnsupportedError
from straightthrough.core import straight_through
from straightthrough.programs._substitutes import Rewrite
from straightthrough.programs.jax.carriers import Carrier, Numeric, OneHot
from straightthrough.programs.jax.grouping import INLINED, operator_name
from straightthrough.programs.jax.lines import is_library, subfunctions
from straightthrough.proxies._proxy import Proxy

Array = Any

_COMPARISONS = {"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"}
_serial = iter(range(10**12))


def operator_of(equation: Any) -> str:
    """Our name for an equation: that of the library's function (``floor_divide``), else that of the primitive."""
    name = str(equation.primitive.name)
    if name in INLINED and "name" in equation.params and all(is_library(inner) for inner in subfunctions(equation)):
        name = str(equation.params["name"])
    return operator_name(name)


def is_hard(equation: Any) -> bool:
    """Whether this one can be given a proxy: a cast that only widens, or comes from an integer, has its derivative."""
    if equation.primitive.name != "convert_element_type":
        return True
    return is_float(equation.invars[0].aval) and not is_float(equation.outvars[0].aval)


def is_float(array: Array) -> bool:
    """Whether an array (or what is known of it) can carry a gradient."""
    return bool(jnp.issubdtype(jax.dtypes.result_type(array) if jnp.isscalar(array) else array.dtype, jnp.floating))


def hard_result(equation: Any, hard: list[Array], bind: Callable[..., list[Array]]) -> list[Array]:
    """The operator's own results, without a derivative."""
    return bind(equation, [jax.lax.stop_gradient(value) if is_float(value) else value for value in hard])


def replaced(
    equation: Any, hard: list[Array], subjects: list[Array], results: list[Array], rewrite: Rewrite
) -> list[Array | Carrier | None]:
    """For each result: a float that has the proxy's derivative, a carrier to travel beside it, or None.

    Args:
        hard: the operator's inputs.
        subjects: the same, with the carrier's float in place of an integer that has one.
        results: the operator's own.
        rewrite: which proxy, and what it is called in errors.
    """
    operator = rewrite.operator
    if operator in ("argmax", "argmin"):
        x = -subjects[0] if operator == "argmin" else subjects[0]
        return [_index(results[0], x, _axis(equation), rewrite)]
    if operator == "top_k":
        return _top_k(equation, subjects[0], results, rewrite)
    if operator == "stop_gradient":
        return [straight_through(results[0], subjects[0])]
    if len(results) != 1:
        raise UnsupportedError(f"with_proxies: {rewrite.key} has {len(results)} results; name the operator inside it")
    subject = _subject(operator, subjects)
    return [_element_wise(results[0], subject, hard, rewrite)]


def _axis(equation: Any) -> int:
    axes = equation.params.get("axes")
    if axes is None:  # a library function named argmax around the primitive
        inner = next(iter(subfunctions(equation))).eqns
        axes = next(eqn.params["axes"] for eqn in inner if "axes" in eqn.params)
    return int(axes[0])


def _subject(operator: str, subjects: list[Array]) -> Array:
    """The array on which an element-wise proxy acts."""
    if operator in _COMPARISONS:
        x, y = subjects
        difference = y - x if operator.startswith("less") else x - y
        if operator == "equal":
            return -jnp.abs(difference)
        return jnp.abs(difference) if operator == "not_equal" else difference
    if operator == "floor_divide":
        return subjects[0] / subjects[1]
    return subjects[0]


def _element_wise(result: Array, subject: Array, hard: list[Array], rewrite: Rewrite) -> Array | Carrier:
    subject = subject if is_float(subject) else subject.astype(jnp.float32)
    lands = is_float(result)
    value = result if lands else result.astype(subject.dtype)
    if isinstance(rewrite.proxy, Proxy) and rewrite.proxy.family.elementwise:
        table = _backends.table_of("jax")
        if value.shape != subject.shape:
            subject = jnp.broadcast_to(subject, value.shape)
        made = rewrite.proxy.attach(table, value.astype(subject.dtype), subject, "with_proxies")
    elif isinstance(rewrite.proxy, Proxy):
        raise UnsupportedError(f"with_proxies: {rewrite.key}: the proxy {rewrite.proxy} belongs to a selection")
    else:
        made = straight_through(value, rewrite.proxy(*hard))
    return made.astype(result.dtype) if lands else Numeric(made)


def _index(index: Array, x: Array, axis: int, rewrite: Rewrite) -> OneHot:
    """Weights over the candidates along ``axis``, last: exactly one-hot, with the proxy's derivative."""
    x = jnp.moveaxis(x if is_float(x) else x.astype(jnp.float32), axis, -1)
    count = x.shape[-1]
    one_hot = jax.nn.one_hot(index, count, dtype=x.dtype)
    return OneHot(_soft(one_hot, x, rewrite), jnp.arange(count, dtype=index.dtype), ("index", next(_serial)))


def _soft(one_hot: Array, x: Array, rewrite: Rewrite) -> Array:
    proxy = rewrite.proxy
    if not isinstance(proxy, Proxy):
        return straight_through(one_hot, proxy(x))
    table = _backends.table_of("jax")
    if proxy.family.elementwise:
        return proxy.attach(table, one_hot, x, "with_proxies")
    proxy.check_arrays(table, x, "with_proxies")
    return straight_through(one_hot, proxy.curve.value(table, x, *proxy.arrays, axis=-1))


def _top_k(equation: Any, x: Array, results: list[Array], rewrite: Rewrite) -> list[Array | Carrier | None]:
    """The values have their own derivative; each of the k indices is one-hot over the candidates."""
    values, index = results
    axis = int(equation.params.get("axis", -1)) % x.ndim
    if axis != x.ndim - 1:
        raise UnsupportedError(f"with_proxies: {rewrite.key}: top-k along another axis than the last; move it there")
    count = x.shape[-1]
    one_hot = jax.nn.one_hot(index, count, dtype=x.dtype)
    weights = _soft(one_hot, jnp.broadcast_to(x[..., None, :], one_hot.shape), rewrite)
    name = ("index", next(_serial))
    taken = straight_through(values, jnp.take_along_axis(x, jax.lax.stop_gradient(index), -1))
    return [taken, OneHot(weights, jnp.arange(count, dtype=index.dtype), name)]
