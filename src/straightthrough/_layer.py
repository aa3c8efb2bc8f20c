"""What the layers of all frameworks share: the arguments, kept as given; their repr, their configuration, the call.

A layer is an `Arguments` plus state. State are the proxy's parameters that change: those it is told to learn, and those
given as arrays. Each framework's file only says what a state is there, and when the layer is in inference mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from straightthrough import _backends, _registry
from straightthrough._errors import ArgumentError, UnsupportedError, short, wrong
from straightthrough._hard import hard
from straightthrough.core import Operation, with_proxy
from straightthrough.proxies._proxy import Proxy
from straightthrough.proxies.lookup import resolve

Array = Any
LAYER = "StraightThrough"


class Arguments:
    """What a layer was told; constant, hashable and picklable.

    Attributes:
        operator: the operator, as given.
        given: the proxy, as given.
        learn: the proxy parameters that are trained.
        keywords: what is passed on to the operator.
        operation: the operation that the operator stands for.
        proxy: the proxy at the start; the operation's own where none was given.
    """

    # AutoGraph would rewrite our Python; this marks it as not to be touched.
    autograph_info__: dict[str, Any] = {}

    def __init__(self, operator: Any, proxy: Any, learn: Any, keywords: Mapping[str, Any]):
        self.operator = operator
        self.given = proxy
        self.learn = _names(learn)
        self.keywords = dict(keywords)
        self.operation = _operation(operator)
        self.proxy: Any = self.operation.proxy if proxy is None else resolve(proxy, LAYER)
        self._hard = hard(self.operation)
        _check_keywords(self.operation, self.keywords)
        self._check_learn()

    def _check_learn(self) -> None:
        if self.learn and not isinstance(self.proxy, Proxy):
            remedy = "a function of your own holds its parameters itself"
            raise ArgumentError(wrong(LAYER, "learn", "empty for such a proxy", repr(list(self.learn)), remedy))
        for name in self.learn:
            _check_learnable(self.proxy, name)

    def state(self) -> dict[str, tuple[Any, bool]]:
        """Parameter of the proxy → (its start, a number or an array; whether it is trained)."""
        if not isinstance(self.proxy, Proxy):
            return {}
        parameters = self.proxy.parameters
        arrays = [name for name in self.proxy.curve.array_names if not self._follows(name)]
        names = [name for name in parameters if name in arrays or name in self.learn]
        return {name: (parameters[name], name in self.learn) for name in names}

    def _follows(self, name: str) -> bool:
        """A parameter without a default, such as ede's k, that follows from another one: it is worked out anew."""
        known = self.proxy.family.parameters
        return name in known and known[name].default is None and name not in self.learn

    def proxy_with(self, state: Mapping[str, Any]) -> Any:
        """The proxy in effect: the one at the start with the present state in it."""
        if not state:
            return self.proxy
        family, parameters = self.proxy.family, dict(self.proxy.parameters)
        following = [name for name in parameters if name not in state and self._follows(name)]
        following = [name for name in following if not isinstance(parameters[name], float)]
        for name, value in state.items():
            parameters[name] = _backends.admit(LAYER, name, value)[1]
        if not following:
            return Proxy(family, parameters)
        return family(**{name: value for name, value in parameters.items() if name not in following})

    def call(
        self, proxy: Any, inference: bool, x: Array, others: tuple[Any, ...] = (), more: Mapping[str, Any] | None = None
    ) -> Array:
        """The operation on x with this proxy; the bare operator in inference."""
        keywords = {**self.keywords, **more} if more else self.keywords
        if inference:
            return self._hard(x, *others, **keywords)
        return self.operation(x, *others, proxy=proxy, **keywords)

    def takes(self, keyword: str) -> bool:
        """Whether the operator has an argument of this name, and was not told it yet."""
        return keyword not in self.keywords and keyword in (_signature(self.operation) or ())

    def config(self) -> dict[str, Any]:
        """The arguments as plain data, but for functions of the user's own."""
        operator, proxy = _plain_operator(self.operation), self.given
        if proxy is None and self.operation.proxy is not _own_proxy(operator):
            proxy = self.operation.proxy
        return {"operator": operator, "proxy": _plain_proxy(proxy), "learn": list(self.learn), **self.keywords}

    def __repr__(self) -> str:
        """``sign, proxy=clipped_identity(width=1.0)``: what a layer's repr shows between its brackets."""
        proxy = self.proxy if isinstance(self.proxy, Proxy) else getattr(self.proxy, "__name__", short(self.proxy))
        shown = [self.operation.name, f"proxy={proxy}"]
        if self.learn:
            shown.append(f"learn={list(self.learn)}")
        return ", ".join(shown + [f"{name}={short(value)}" for name, value in self.keywords.items()])

    def _key(self) -> tuple[Any, ...]:
        return self.operator, self.given, self.learn, tuple(self.keywords.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arguments) and self._key() == other._key()

    def __hash__(self) -> int:
        # Not the keywords: an array among them has no hash.
        return hash((self.operator, self.given, self.learn, tuple(self.keywords)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Arguments, (self.operator, self.given, self.learn, self.keywords)


def _names(learn: Any) -> tuple[str, ...]:
    names = (learn,) if isinstance(learn, str) else learn
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(wrong(LAYER, "learn", "the name of a proxy parameter, or several", short(learn)))
    return tuple(names)


def _operation(operator: Any) -> Operation:
    if isinstance(operator, Operation):
        return operator
    if isinstance(operator, str):
        return _registry.operation_named(operator, LAYER)
    if not callable(operator):
        wanted = "a name such as 'sign', an operation or a callable"
        raise ArgumentError(wrong(LAYER, "operator", wanted, short(operator)))
    return with_proxy(operator)  # type: ignore[no-any-return]


def _signature(operation: Operation) -> list[str] | None:
    """The names of the operator's arguments; None where they cannot be known."""
    import inspect

    try:
        found = inspect.signature(operation).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is one.VAR_KEYWORD for one in found):
        return None
    return [one.name for one in found if one.name != "proxy"]


def _check_keywords(operation: Operation, keywords: Mapping[str, Any]) -> None:
    takes = _signature(operation)
    for name in keywords:
        if takes is not None and name not in takes[1:]:
            extra = ", ".join(takes[1:]) or "nothing but its input"
            raise ArgumentError(f"{LAYER}: {operation.name} has no argument {name!r}; it takes {extra}")


def _check_learnable(proxy: Proxy, name: str) -> None:
    known = {**proxy.family.parameters, "scale": None}
    if name not in known:
        wanted = f"among {', '.join(known)} for {proxy.name}"
        raise ArgumentError(wrong(LAYER, "learn", wanted, repr(name)))
    parameter = known[name]
    if parameter is not None and parameter.whole:
        raise ArgumentError(wrong(LAYER, "learn", "a parameter with a derivative", repr(name), "it counts terms"))


def _plain_operator(operation: Operation) -> Any:
    """The name of a ready operation; the user's own function, or the operation made of it, otherwise."""
    if _registry.operations.get(operation.name) is operation:
        return operation.name
    origin = operation._origin[0]
    return _plain_operator(origin) if isinstance(origin, Operation) else origin


def _own_proxy(operator: Any) -> Any:
    """The proxy that a layer takes for this operator when none is given."""
    return _operation(operator).proxy


def _plain_proxy(proxy: Any) -> Any:
    """A name where the parameters are numbers; family, numbers and arrays (as lists) otherwise; else the object."""
    if proxy is None or isinstance(proxy, str):
        return proxy
    proxy = resolve(proxy, LAYER)
    if not isinstance(proxy, Proxy):
        return proxy
    if proxy.name in _registry.noises:
        raise UnsupportedError(
            f"{LAYER}: the proxy {proxy.name}, made by from_noise, has no closed form that a file could name; "
            "give a function of your own that makes it"
        )
    if not proxy.arrays:
        return proxy.curve.key
    arrays = {name: as_list(array) for name, array in zip(proxy.curve.array_names, proxy.arrays, strict=True)}
    return {"family": proxy.name, "numbers": dict(proxy.curve.numbers), "arrays": arrays}


def as_list(value: Any) -> Any:
    """A number as it is; an array as nested lists of numbers."""
    if isinstance(value, float):
        return value
    xp, array = _backends.admit(LAYER, "proxy", value)
    array = xp.detach(array)
    return (array.numpy() if xp.NAME == "tensorflow" else array).tolist()
