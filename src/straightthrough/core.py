"""The primitive, and what is built of it: value of the hard operator, derivative of a proxy.

`straight_through(result, proxy)` is the primitive on arrays. An `Operation` pairs a hard operator with a proxy: a ready
one (`straightthrough.round`) and what `with_proxy` makes of your own function are the same class.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from straightthrough import _backends, _registry
from straightthrough._autograph import INFO, as_it_is
from straightthrough._errors import ArgumentError, DtypeError, FrameworkError, ShapeError, kind_of, short, wrong
from straightthrough._mode import mode
from straightthrough.proxies._proxy import Proxy
from straightthrough.proxies.lookup import found, resolve

Array = Any

_WIDTHS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}


@as_it_is
def straight_through(result: Array, proxy: Array) -> Array:
    """Value of ``result``, exactly; derivative of ``proxy``.

    With ``result = op(x)`` and ``proxy = x`` this is what the line ``x + stop_gradient(op(x) - x)`` is meant to do.
    That line is off in value where x is large (``sign(258) = 2`` in bfloat16), nan at infinity, and leaves its
    arithmetic in exported graphs.

    y = result,   ∂y/∂[proxy, result] = [1, 0]

    Args:
        result: array of a shape that broadcasts to proxy's; floating of at most proxy's width, integer or boolean
            (cast to proxy's dtype).
        proxy: floating array of the same framework.

    Returns:
        Array of proxy's shape and dtype. In PyTorch it shares memory with ``result`` where no cast or broadcast was
        needed: do not write to either in place.

    Gradient:
        The loss gradient, unchanged, to ``proxy``; none to ``result``. No kinks.

    Raises:
        FrameworkError: not arrays, or arrays of two frameworks.
        DtypeError: proxy is not floating, or result is of a wider or complex dtype.
        ShapeError: result does not broadcast to proxy's shape.
        ArgumentError: the arrays lie on two devices.

    Example:
        >>> import torch
        >>> x = torch.tensor([0.4, 1.6], requires_grad=True)
        >>> y = straight_through(torch.round(x), x)
        >>> y.sum().backward()
        >>> y.tolist(), x.grad.tolist()
        ([0.0, 2.0], [1.0, 1.0])

    Source:
        Bengio, Léonard, Courville 2013, arXiv 1308.3432.
    """
    xp, result = _backends.admit("straight_through", "result", result)
    proxy = _backends.admit_like(xp, "straight_through", "proxy", proxy)
    return _joined(xp, result, proxy, "straight_through")


def _joined(xp: Any, result: Array, proxy: Array, function: str, what: str = "proxy") -> Array:
    """`straight_through` on arrays of one framework, with every check; ``what`` is the proxy in errors."""
    if not xp.is_floating(proxy):
        got = f"an array of {xp.dtype_name(proxy)}"
        raise DtypeError(wrong(function, what, "a floating array", got, "only floats carry a gradient"))
    if xp.dtype_name(result) != xp.dtype_name(proxy):
        result = _as_dtype(xp, result, proxy, function, "result")
    if xp.shape(result) != xp.shape(proxy):
        _check_broadcast(xp, result, proxy, function)
        result = xp.broadcast_to(result, proxy)
    devices = _backends.two_devices(xp, result, proxy)
    if devices is not None:
        here, there = devices
        # A proxy function is given arrays of one device: what it returns from another is its own fault.
        if what == "proxy":
            raise ArgumentError(wrong(function, "result", f"on the proxy's device {there}", f"one on {here}"))
        raise ArgumentError(wrong(function, what, f"on x's device {here}", f"one on {there}"))
    return result if mode.hard_only else xp.straight_through(xp.detach(result), proxy)


def _as_dtype(xp: Any, result: Array, like: Array, function: str, what: str) -> Array:
    have, want = xp.dtype_name(result), xp.dtype_name(like)
    if not have.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise DtypeError(wrong(function, what, "floating, integer or boolean", f"an array of {have}"))
    if _WIDTHS.get(have, 0) > _WIDTHS[want] or {have, want} == {"float16", "bfloat16"}:
        remedy = "a cast would change its value; cast the proxy, or the result yourself"
        raise DtypeError(wrong(function, what, f"of the proxy's dtype {want} or narrower", f"{have}", remedy))
    return xp.cast(result, like)


def _check_broadcast(xp: Any, result: Array, proxy: Array, function: str) -> None:
    have, want = xp.shape(result), xp.shape(proxy)
    if not _backends.broadcasts(have, want):
        raise ShapeError(wrong(function, "result", f"of a shape that broadcasts to the proxy's {want}", f"{have}"))


@as_it_is
def stop_gradient(x: Array) -> Array:
    """Value of x, derivative 0.

    Args:
        x: any array of TensorFlow, PyTorch or JAX.

    Returns:
        The same array to every operation but differentiation.

    Raises:
        FrameworkError: x is not such an array.

    Example:
        >>> import torch
        >>> stop_gradient(torch.tensor([2.0], requires_grad=True)).requires_grad
        False
    """
    xp, x = _backends.admit("stop_gradient", "x", x)
    return xp.stop_gradient(x)


class _Signature:
    """``inspect.signature`` of an operation: the operator's arguments and ``proxy``, worked out when asked for."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            raise AttributeError("__signature__")
        import inspect

        own = instance._origin[0] if instance._origin else None
        parameters = list(inspect.signature(own or instance.hard).parameters.values())[0 if own else 1 :]
        proxy = inspect.Parameter("proxy", inspect.Parameter.KEYWORD_ONLY, default=None)
        rest = [p for p in parameters if p.kind is p.VAR_KEYWORD]
        first = [p for p in parameters if p.kind is not p.VAR_KEYWORD and p.name != "proxy"]
        return inspect.Signature([*first, proxy, *rest])


class Operation:
    """A hard operator with a proxy: value of the one, derivative of the other.

    Attributes:
        name: what errors, docs and the doctor call it.
        hard: the operator itself, ``hard(xp, x, ...)``, over the array table of a framework.
        proxy: a `Proxy`, or a function of the operator's own arguments.
        reason: why this proxy is the default (ready operations).
    """

    autograph_info__ = INFO
    __signature__ = _Signature()

    def __init__(
        self,
        hard: Callable[..., Array],
        proxy: Any,
        *,
        name: str,
        subject: Callable[..., Array] | None = None,
        keywords: Callable[..., dict[str, Any]] | None = None,
        reason: str = "",
        origin: tuple[Callable[..., Any], ...] = (),
    ):
        self.name = self.__name__ = self.__qualname__ = name
        self.__doc__ = hard.__doc__
        self.__module__ = hard.__module__
        self.hard = hard
        self.proxy = resolve(proxy, name)
        self.reason = reason
        self._subject = subject
        self._keywords = keywords
        self._origin = origin

    def __call__(self, *args: Any, proxy: Any = None, **kwargs: Any) -> Array:
        if not args:
            raise ArgumentError(f"{self.name}: the array must be given first, by position: {self.name}(x)")
        x = args[0]
        xp = _backends.tables.get(type(x))
        if xp is None:
            xp, x = _backends.admit(self.name, "x", x)
            args = (x, *args[1:])
        if not xp.is_floating(x):
            self._refuse(xp, x)
        hard_only = mode.hard_only
        try:
            if hard_only or self._origin or xp.without_gradient is None:
                result = self.hard(xp, *args, **kwargs)
            else:
                result = xp.without_gradient(xp, self.hard, args, kwargs)
        except (TypeError, RuntimeError) as error:
            self._explain_call(error, args, kwargs)
            raise
        if self._origin and result.dtype != x.dtype:  # a ready operation's own result needs no look
            result = _as_dtype(xp, result, x, self.name, "the result")
        chosen = self.proxy if proxy is None else found.get(proxy) if type(proxy) is str else None
        if chosen is None:
            chosen = resolve(proxy, self.name)
        if hard_only:
            return result
        if self._subject is None and isinstance(chosen, Proxy) and chosen.family.elementwise:
            # The short way, which most calls take: the table itself sees whether a gradient is wanted.
            if self._origin and result.shape != x.shape:
                self._check_shape(xp, result, x)
            return chosen.attach(xp, result, x, self.name)
        if not xp.gradient_possible():
            return result
        return self._joined(xp, result, chosen, args, kwargs)

    def _joined(self, xp: Any, result: Array, chosen: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Array:
        """The longer way: a user's function, a subject that is not x, a proxy of a whole axis."""
        if not isinstance(chosen, Proxy):
            return _joined_with(xp, result, chosen, self.name, args, kwargs)
        elementwise = chosen.family.elementwise
        if xp.attach_difference is not None and elementwise and not chosen.arrays and len(args) == 2:
            joined = xp.attach_difference(result, self._subject, chosen.curve, *args)
            if joined is not None:
                return joined
        subject = args[0] if self._subject is None else self._subject(xp, *args, **kwargs)
        if result.shape != subject.shape:
            self._check_shape(xp, result, subject)
        if elementwise:
            return chosen.attach(xp, result, subject, self.name)
        chosen.check_arrays(xp, subject, self.name)
        keywords = self._keywords(*args[1:], **kwargs) if self._keywords is not None else {}
        return xp.straight_through(result, chosen.curve.value(xp, subject, *chosen.arrays, **keywords))

    def _check_shape(self, xp: Any, result: Array, subject: Array) -> None:
        have, want = xp.shape(result), xp.shape(subject)
        # TensorFlow may not know a length yet.
        if len(have) != len(want) or any(None not in (h, w) and h != w for h, w in zip(have, want, strict=True)):
            remedy = "an element-wise proxy needs one result per input; give a function of the operator's arguments"
            raise ShapeError(wrong(self.name, "the result", f"of the input's shape {want}", f"{have}", remedy))

    def _refuse(self, xp: Any, x: Array) -> None:
        got, remedy = f"an array of {xp.dtype_name(x)}", "cast it to float32, or use the framework's own operator"
        raise DtypeError(wrong(self.name, "x", "a floating array", got, remedy))

    def _explain_call(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Says which arguments there are when the call itself was wrong, or of a sparse array that it must be dense."""
        if isinstance(error, RuntimeError):
            layout = str(getattr(args[0], "layout", ""))  # of PyTorch's arrays
            if layout.startswith("torch.sparse"):
                got, remedy = f"a sparse one of layout {layout}", "call .to_dense() on it"
                raise ArgumentError(wrong(self.name, "x", "a dense array", got, remedy)) from None
            return
        import inspect

        try:
            signature = inspect.signature(self)
        except ValueError:
            return
        try:
            signature.bind(*args, **kwargs)
        except TypeError as mismatch:
            takes = ", ".join(signature.parameters)
            raise ArgumentError(f"{self.name}: {self.name} takes {takes}; {mismatch}") from None

    def __repr__(self) -> str:
        proxy = self.proxy if isinstance(self.proxy, Proxy) else getattr(self.proxy, "__name__", repr(self.proxy))
        return f"<operation {self.name}, proxy {proxy}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if _registry.operations.get(self.name) is self:
            return _registry.operation_named, (self.name,)
        operator = self._origin[0]
        # A decorated function is found under its name, where this very object stands instead of it.
        found = _found(operator)
        if found is self:
            return _found_by_name, (operator.__module__, operator.__qualname__)
        return with_proxy, (found if isinstance(found, Operation) else operator, self.proxy)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a decorated method: the instance goes to the operator, the array stays first. Others are left alone."""
        if instance is None or not self._origin or not hasattr(self._origin[0], "__get__"):
            return self
        return with_proxy(self._origin[0].__get__(instance, owner), self.proxy)


def _found(function: Callable[..., Any]) -> Any:
    try:
        return _found_by_name(function.__module__, function.__qualname__)
    except (KeyError, AttributeError):
        return None


def _found_by_name(module: str, qualname: str) -> Any:
    import importlib

    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def _joined_with(
    xp: Any, result: Array, proxy: Callable[..., Any], function: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Array:
    """`_joined` with what a user's proxy function returns, which must have exactly the operator's shape."""
    value = proxy(*args, **kwargs)
    what = f"what the proxy {getattr(proxy, '__name__', repr(proxy))} returns"
    try:
        value = _backends.admit_like(xp, function, what, value)
    except FrameworkError:
        raise FrameworkError(wrong(function, what, f"a floating array of {xp.NAME}", kind_of(value))) from None
    have, want = xp.shape(value), xp.shape(result)
    if have != want and None not in (*have, *want):
        raise ShapeError(wrong(function, what, f"of the operator's shape {want}", f"{have}"))
    return _joined(xp, result, value, function, what)


@as_it_is
def with_proxy(operator: Callable[..., Any] | None = None, proxy: Any = "identity") -> Any:
    """Pairs an operator of your own with a proxy; also a decorator.

    y = operator(x, ...),   ∂y/∂x = slope of the proxy at x

    Args:
        operator: a function of a floating array, and of whatever else; it returns an array of x's shape for an
            element-wise proxy. What it closes over receives no gradient through it.
        proxy: a name (``"clipped_relu"``, ``"clipped_relu(width=2)"``), a `Proxy` (its parameters may be arrays), or a
            function of the operator's own arguments, differentiated by the framework, of the result's shape.

    Returns:
        An `Operation`: named, picklable where the operator is, called like it; ``proxy=`` at a call overrides.

    Raises:
        UnknownNameError: no proxy has this name.
        ArgumentError: operator is not callable, or proxy neither a name nor callable.

    Example:
        >>> import torch
        >>> @with_proxy(proxy="relu")
        ... def spike(x):
        ...     return (x > 0.5).float()
        >>> x = torch.tensor([-1.0, 0.2, 3.0], requires_grad=True)
        >>> spike(x).sum().backward()
        >>> x.grad.tolist()
        [0.0, 1.0, 1.0]
    """
    if operator is None:
        return lambda function: with_proxy(function, proxy)
    if isinstance(operator, Operation):
        return Operation(
            operator.hard,
            proxy,
            name=operator.name,
            subject=operator._subject,
            keywords=operator._keywords,
            origin=operator._origin or (operator,),
        )
    if not callable(operator):
        raise ArgumentError(wrong("with_proxy", "operator", "callable", short(operator)))
    if operator is round:
        got = "Python's round, which fails on them or gives an int"
        raise ArgumentError(f"with_proxy: operator must take arrays, got {got}; use straightthrough.round")
    name = getattr(operator, "__name__", type(operator).__name__)
    return Operation(_Own(operator), proxy, name=name, origin=(operator,))


class _Own:
    """A user's operator as a hard rule: called on arrays without a derivative, its result looked at."""

    def __init__(self, operator: Callable[..., Any]):
        self.operator = operator
        self.__doc__ = operator.__doc__
        self.__module__ = getattr(operator, "__module__", __name__)

    def __call__(self, xp: Any, x: Array, *args: Any, **kwargs: Any) -> Array:
        result = self.operator(xp.detach(x), *args, **kwargs)
        if _backends.tables.get(type(result)) is not xp:
            name = getattr(self.operator, "__name__", type(self.operator).__name__)
            result = _backends.admit_like(xp, name, "what the operator returns", result)
        return xp.detach(result)  # the user may hold it: it must not become the output itself


def operation(
    proxy: Any,
    *,
    reason: str,
    subject: Callable[..., Array] | None = None,
    keywords: Callable[..., dict[str, Any]] | None = None,
) -> Callable[[Callable[..., Array]], Operation]:
    """Decorator: makes the hard rule ``rule(xp, x, ...)`` a ready operation under its own name.

    Args:
        proxy: the default proxy.
        reason: why it is the default; shown in the docs.
        subject: what an element-wise proxy acts on, from the rule's arguments; x unless given.
        keywords: from the arguments after x, what a proxy that is not element-wise is told (axis, k).
    """

    def register(rule: Callable[..., Array]) -> Operation:
        made = Operation(rule, proxy, name=rule.__name__, subject=subject, keywords=keywords, reason=reason)
        _registry.operations[made.name] = made
        return made

    return register
