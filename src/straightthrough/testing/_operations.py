"""`check_operation`: one operation, ready or of the user's own, with each proxy, dtype and transformation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from straightthrough import _backends, core
from straightthrough._errors import ArgumentError, UnknownNameError, nearest, short, wrong
from straightthrough.proxies._proxy import Proxy
from straightthrough.proxies.lookup import resolve
from straightthrough.testing import _numbers as num
from straightthrough.testing._frameworks import Adapter, chosen
from straightthrough.testing._proxies import reference_slope
from straightthrough.testing._report import Report

Arguments = Sequence[Any] | Callable[[str], Sequence[Any]]


def check_operation(
    operation: core.Operation,
    *,
    framework: str | None = None,
    proxies: Iterable[Any] | None = None,
    dtypes: Sequence[str] = num.DTYPES,
    inputs: Sequence[float] | None = None,
    arguments: Arguments = (),
    transformations: Sequence[str] | None = None,
) -> Report:
    """Holds an operation to the contract: value, gradient and transformations, with each proxy in each dtype.

    The value is compared bit by bit with the hard operator's own; the gradient with loss gradient × slope, the slope
    taken in float64, within 4 units in the last place times its condition number; for a proxy function with the
    framework's derivative of it. Each transformation (jit, vmap, forward mode, ...) must give the same.

    Args:
        operation: a ready operation, or what `with_proxy` returns.
        framework: ``"torch"``, ``"jax"`` or ``"tensorflow"``; None for each that is already imported. An operator
            written for one framework needs its name.
        proxies: names, `Proxy` objects or functions; the operation's own unless given.
        dtypes: names of the dtypes to try.
        inputs: the numbers to try; zeros, ties, infinities, nan and large numbers unless given.
        arguments: what the operation is given after x; a function of the framework's name where that is an array or a
            fresh key (numpy arrays become arrays of the framework).
        transformations: names from ``straightthrough.testing.transformations(framework)``; the cheap ones unless given.

    Returns:
        A `Report` with the number of checks of each kind.

    Raises:
        ConformanceError: a check failed; the message lists all failures.
        ArgumentError: operation is not an `Operation`, or a transformation has no such name.

    Example:
        >>> import torch, straightthrough as ste
        >>> spike = ste.with_proxy(lambda x: (x > 0.5).to(x.dtype), "atan")
        >>> check_operation(spike, framework="torch", transformations=["eager", "vmap"]).failures
        []
    """
    if not isinstance(operation, core.Operation):
        wanted = "an Operation: a ready one, or what with_proxy returns"
        raise ArgumentError(wrong("check_operation", "operation", wanted, short(operation)))
    report = Report(f"check_operation({operation.name})")
    each = [resolve(p, "check_operation") for p in ([operation.proxy] if proxies is None else proxies)]
    for module in chosen(framework, "check_operation"):
        names = _named(module, transformations)
        for dtype in dtypes:
            x = num.inputs(dtype) if inputs is None else num.rounded(np.asarray(inputs, np.float64), dtype)
            with module.precise():
                bound = _Bound(operation, module, dtype, arguments)
                _check(report, bound, each, x, names)
    return report.verdict()


def _named(module: Adapter, names: Sequence[str] | None) -> Sequence[str]:
    for name in names or ():
        if name not in module.transformations:
            hint = nearest(name, module.transformations)
            raise UnknownNameError(f"check_operation: {module.name} has no transformation {name!r}; {hint}")
    return module.cheap if names is None else names


class _Bound:
    """An operation with its framework, dtype and arguments: a function of one array."""

    def __init__(self, operation: core.Operation, module: Adapter, dtype: str, arguments: Arguments):
        self.operation, self.module, self.dtype, self._given = operation, module, dtype, arguments

    def arguments(self) -> list[Any]:
        # Made anew for each call: a generator moves on.
        given = self._given(self.module.name) if callable(self._given) else self._given
        return [self.module.array(a, self.dtype) if isinstance(a, np.ndarray) else a for a in given]

    def function(self, proxy: Any) -> Callable[[Any], Any]:
        return lambda x: self.operation(x, *self.arguments(), proxy=proxy)

    def hard(self, x: Any) -> Any:
        """The hard operator's own result, in the dtype of x."""
        table = _backends.table_of(self.module.name)
        result = self.operation.hard(table, x, *self.arguments())
        return self.module.numbers(table.cast(result, x))

    def proxied(self, proxy: Any) -> Callable[[Any], Any]:
        """The composition whose derivative the operation must have."""
        table = _backends.table_of(self.module.name)
        if not isinstance(proxy, Proxy):
            return lambda x: proxy(x, *self.arguments())
        keywords = self.operation._keywords(*self.arguments()) if self.operation._keywords else {}
        return lambda x: proxy.curve.value(table, self.subject(x), *proxy.arrays, **keywords)

    def subject(self, x: Any) -> Any:
        rule = self.operation._subject
        return x if rule is None else rule(_backends.table_of(self.module.name), x, *self.arguments())


def _check(report: Report, bound: _Bound, proxies: list[Any], x: Any, names: Sequence[str]) -> None:
    module, dtype = bound.module, bound.dtype
    array, weight = module.array(x, dtype), num.weights(x.size, dtype).reshape(x.shape)
    value = bound.hard(array)
    wanted = [{"value": (value, None), **_derivatives(bound, proxy, x, weight)} for proxy in proxies]
    for name in names:
        where = [f"{module.name} {name}: {bound.operation.name}, {_spelled(proxy)}, {dtype}" for proxy in proxies]
        try:
            functions = [bound.function(proxy) for proxy in proxies]
            outcomes = module.transformations[name](functions, array, module.array(weight, dtype))
        except Exception as error:
            report.note("5 composes", where[0], module.name, False, f"{type(error).__name__}: {str(error)[:200]}")
            continue
        for place, outcome, expected in zip(where, outcomes, wanted, strict=True):
            for quantity in outcome.keys() & expected.keys():
                got = outcome[quantity]
                if module.dtype_name(got) != dtype:
                    message = f"{quantity} is of dtype {module.dtype_name(got)}"
                    report.note("1 value", place, module.name, False, message)
                    continue
                line = {"value": "1 value"}.get(quantity, f"2 {quantity}") if name == "eager" else f"5 {quantity}"
                report.compare(line, place, module.name, x, module.numbers(got), *expected[quantity])


def _spelled(proxy: Any) -> str:
    return str(proxy) if isinstance(proxy, Proxy) else getattr(proxy, "__name__", repr(proxy))


def _derivatives(bound: _Bound, proxy: Any, x: Any, weight: Any) -> dict[str, Any]:
    """Gradient and tangent that each transformation must give, with what they may be off by."""
    module, dtype = bound.module, bound.dtype
    array = module.array(x, dtype)
    if isinstance(proxy, Proxy) and proxy.family.elementwise:
        subject = module.numbers(bound.subject(array))
        _, (towards,) = module.gradients(bound.subject, [array], module.array(np.ones_like(x), dtype))
        slope, off = reference_slope(module, proxy, subject, dtype)
        slope = np.where(slope == 0, 0.0, module.numbers(towards) * slope)
        gradient, off = num.times_slope(weight, slope), off * np.maximum(1.0, abs(weight))
        return {"gradient": (gradient, off), "tangent": (gradient, off)}
    # The framework differentiates it, compiled or not: to the rounding of the dtype.
    _, (found,) = module.gradients(bound.proxied(proxy), [array], module.array(weight, dtype))
    gradient = module.numbers(found)
    finite = np.abs(gradient[np.isfinite(gradient)])
    off = 32 * num.EPSILON[dtype] * (np.abs(gradient) + finite.max(initial=0.0)) + num.UNDERFLOW[dtype]
    return {"gradient": (gradient, off)}
