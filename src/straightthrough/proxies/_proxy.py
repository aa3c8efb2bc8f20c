"""What a proxy is: a family of curves (`Family`), one with its numbers (`Curve`), and with its arrays (`Proxy`).

A built-in proxy states its value and its slope as two functions over the array table. The slope is never taken from
the framework's differentiation, because frameworks disagree at the kinks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from straightthrough import _backends, _registry
from straightthrough._autograph import INFO, as_it_is
from straightthrough._errors import ArgumentError, DtypeError, ShapeError, short, wrong
from straightthrough.proxies._parameters import Parameter, real

Array = Any
SCALE = real(1.0)
"""Every proxy has a `scale` that multiplies value and slope: see `scaled`."""


class Family:
    """A named proxy before its parameters are given; calling it gives a `Proxy`.

    Attributes:
        name: the canonical name, as in the table of proxies.
        parameters: what it takes, by name.
        rational: the slope is piecewise constant, so that half types need no float32 inside.
        elementwise: False for softmax, whose derivative is a Jacobian.
        source: authors, year, arXiv id.
    """

    autograph_info__ = INFO

    def __init__(
        self,
        function: Callable[..., Array],
        parameters: Mapping[str, Parameter],
        *,
        source: str,
        mass: Callable[..., float] | None = None,
        kinks: Callable[..., dict[float, float]] | None = None,
        width: Callable[[Any], dict[str, Any]] | None = None,
        rational: bool = False,
        elementwise: bool = True,
        together: Callable[[dict[str, Any]], str | None] | None = None,
        complete: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        name: str | None = None,
    ):
        self.name: str = name or function.__name__
        self.__name__ = self.name
        self.__qualname__ = self.name
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.value_rule = function
        self.slope_rule: Callable[..., Array] | None = None
        self.window_rule: Callable[..., Array] | None = None
        self.parameters = dict(parameters)
        self.source = source
        self.mass_rule, self.kink_rule, self.width_rule = mass, kinks, width
        self.rational, self.elementwise = rational, elementwise
        self._together, self._complete = together, complete
        self.origin: tuple[Any, ...] | None = None

    def slope(self, rule: Callable[..., Array]) -> Callable[..., Array]:
        """Decorator: states the derivative of the value."""
        self.slope_rule = rule
        return rule

    def window(self, rule: Callable[..., Array]) -> Callable[..., Array]:
        """Decorator: states where the slope is 1, for a slope that is 0 elsewhere."""
        self.window_rule = rule
        self.slope_rule = lambda xp, x, **parameters: xp.mask(rule(xp, x, **parameters), x)
        return rule

    def __call__(self, *positional: Any, **parameters: Any) -> Proxy:
        if positional:
            remedy = f"write {self.name}({next(iter(self.parameters))}=...)" if self.parameters else "it takes none"
            got = ", ".join(short(value) for value in positional)
            raise ArgumentError(wrong(self.name, "parameters", "given by name", got, remedy))
        return Proxy(self, self.checked(parameters))

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults filled in, every value checked.

        Raises:
            ArgumentError: an unknown parameter, or one out of its range.
        """
        known = {**self.parameters, "scale": SCALE}
        for name in given:
            if name not in known:
                takes = ", ".join(self.parameters) or "no parameters"
                raise ArgumentError(f"{self.name}: there is no parameter {name!r}; {self.name} takes {takes}")
        full: dict[str, Any] = {}
        for name, parameter in known.items():
            default = name not in given or (given[name] is None and parameter.default is None)
            full[name] = parameter.default if default else parameter.checked(self.name, name, given[name])
        if self._complete is not None:
            full = self._complete(full)
        complaint = self._together(full) if self._together is not None else None
        if complaint:
            raise ArgumentError(f"{self.name}: {complaint}")
        return full

    def curve(self, parameters: Mapping[str, Any]) -> Curve:
        """The curve with these numbers; None stands for a parameter that is handed over as an array."""
        key = _key(self.name, {name: "array" if value is None else value for name, value in parameters.items()})
        return _registry.curve_of_key(key)

    def new_curve(self, key: str, parameters: Mapping[str, Any]) -> Curve:
        """What `_registry.curve_of_key` keeps."""
        return Curve(self, key, parameters)

    def __repr__(self) -> str:
        return f"<proxy {self.name}({', '.join(self.parameters)})>"

    def __copy__(self) -> Family:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Family:
        # It never changes, and a copy would be a stranger to compiled graphs.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A name given in this process means nothing in another.
        return self.origin if self.origin is not None else (_registry.family_named, (self.name,))


def _key(name: str, parameters: Mapping[str, Any]) -> str:
    shown = [f"{k}={v}" for k, v in parameters.items() if k != "scale" or v != 1.0]
    return f"{name}({', '.join(shown)})" if shown else name


class Curve:
    """A family with its numbers fixed; array parameters are handed over at each call.

    It is what the frameworks' derivative rules see: static, hashable, and of one key.
    """

    __slots__ = ("array_names", "family", "is_identity", "key", "numbers")

    def __init__(self, family: Family, key: str, parameters: Mapping[str, Any]):
        self.family = family
        self.key = key
        self.array_names = tuple(name for name, value in parameters.items() if value is None)
        self.numbers = {name: value for name, value in parameters.items() if value is not None}
        # The one slope for which nothing need be kept.
        self.is_identity = key == "identity"

    def _evaluated(
        self, rule: Callable[..., Array], xp: Any, x: Array, arrays: tuple[Array, ...], **keywords: Any
    ) -> Array:
        wide = x if self.family.rational else xp.widen(x)
        parameters = dict(self.numbers)
        for name, array in zip(self.array_names, arrays, strict=True):
            parameters[name] = xp.cast(array, wide)
        scale = parameters.pop("scale", 1.0)
        y = rule(xp, wide, **parameters, **keywords)
        # A scale of 1 costs no pass over memory.
        if not (isinstance(scale, float) and scale == 1.0):
            y = y * scale
        return y if wide is x else xp.cast(y, x)

    def slope(self, xp: Any, x: Array, *arrays: Array) -> Array:
        """The stated derivative at x."""
        assert self.family.slope_rule is not None, self.key
        return self._evaluated(self.family.slope_rule, xp, x, arrays)

    def window(self, xp: Any, x: Array, *arrays: Array) -> Array | None:
        """Where the slope is 1, if it is 0 everywhere else; None for any other slope."""
        if self.family.window_rule is None or self.numbers.get("scale", 1.0) != 1.0 or "scale" in self.array_names:
            return None
        parameters = {name: number for name, number in self.numbers.items() if name != "scale"}
        for name, array in zip(self.array_names, arrays, strict=True):
            parameters[name] = xp.cast(array, x)
        return self.family.window_rule(xp, x, **parameters)

    def value(self, xp: Any, x: Array, *arrays: Array, **keywords: Any) -> Array:
        """The proxy itself at x; the keywords are the operator's axis and k, for a proxy that is not element-wise."""
        return self._evaluated(self.family.value_rule, xp, x, arrays, **keywords)

    def __reduce__(self) -> tuple[Any, ...]:
        return _registry.curve_of_key, (self.key,)


class Proxy:
    """A function whose derivative stands in for a hard operator's in the backward pass.

    Calling it gives its value, with its stated slope as derivative. Parameters are numbers or arrays; an array may be
    traced, annealed or learned, and is taken in the dtype of x.

    Attributes:
        family: what it is one of.
        parameters: name → number or array, in declared order.
    """

    __slots__ = ("arrays", "curve", "family", "parameters")
    autograph_info__ = INFO

    def __init__(self, family: Family, parameters: dict[str, Any]):
        self.family = family
        self.parameters = parameters
        numbers = {name: value if isinstance(value, float) else None for name, value in parameters.items()}
        self.curve = family.curve(numbers)
        self.arrays = tuple(parameters[name] for name in self.curve.array_names)

    @property
    def name(self) -> str:
        return self.family.name

    @property
    def source(self) -> str:
        return self.family.source

    @property
    def kinks(self) -> dict[float, float]:
        """Where the slope jumps → the slope stated there (for number parameters)."""
        if self.family.kink_rule is None:
            return {}
        scale = self.parameters["scale"]
        kinks = self.family.kink_rule(**self._rule_parameters())
        return {place: slope * scale for place, slope in kinks.items()}

    def mass(self) -> float:
        """The area under the slope: 1 fits a step, 2 a sign; inf without bound, nan where it means nothing."""
        if self.family.mass_rule is None:
            return float("nan")
        return float(self.family.mass_rule(**self._rule_parameters()) * self.parameters["scale"])

    def _rule_parameters(self) -> dict[str, Any]:
        return {name: value for name, value in self.parameters.items() if name != "scale"}

    def attach(self, xp: Any, result: Array, x: Array, function: str) -> Array:
        """Value of ``result``, derivative of this proxy at x."""
        if self.arrays:
            self.check_arrays(xp, x, function)
        if self.curve.is_identity:
            return xp.straight_through(result, x)
        return xp.attach_slope(result, x, self.curve, self.arrays)

    def check_arrays(self, xp: Any, x: Array, function: str) -> None:
        """Each array parameter must be of x's framework and device, and of a shape that broadcasts to x's.

        Raises:
            FrameworkError, ArgumentError, ShapeError: one is not.
        """
        for name, array in zip(self.curve.array_names, self.arrays, strict=True):
            self._check_array(xp, name, array, x, function)

    def _check_array(self, xp: Any, name: str, array: Array, x: Array, function: str) -> None:
        _backends.admit_like(xp, function, f"{self.name}'s {name}", array)
        devices = _backends.two_devices(xp, array, x)
        if devices is not None:
            here, there = devices
            raise ArgumentError(wrong(function, f"{self.name}'s {name}", f"on x's device {there}", f"one on {here}"))
        have, want = xp.shape(array), xp.shape(x)
        if not _backends.broadcasts(have, want):
            wanted = f"of a shape that broadcasts to {want}"
            raise ShapeError(wrong(function, f"{self.name}'s {name}", wanted, f"{have}"))

    @as_it_is
    def value(self, x: Array) -> Array:
        """The proxy's value at x; shape and dtype of x."""
        xp, x = self._admitted(x)
        return self.curve.value(xp, x, *self.arrays)

    @as_it_is
    def slope(self, x: Array) -> Array:
        """The proxy's slope at x; shape and dtype of x."""
        xp, x = self._admitted(x)
        if not self.family.elementwise:
            raise ArgumentError(f"{self.name}: it is not element-wise, so it has a Jacobian and no slope")
        return self.curve.slope(xp, x, *self.arrays)

    def _admitted(self, x: Array) -> tuple[Any, Array]:
        xp, x = _backends.admit(self.name, "x", x)
        if not xp.is_floating(x):
            remedy = "only floats carry a gradient"
            raise DtypeError(wrong(self.name, "x", "a floating array", f"an array of {xp.dtype_name(x)}", remedy))
        self.check_arrays(xp, x, self.name)
        return xp, x

    def __call__(self, x: Array) -> Array:
        xp, x = self._admitted(x)
        if not self.family.elementwise:
            return self.curve.value(xp, x, *self.arrays)
        return self.attach(xp, self.curve.value(xp, xp.detach(x), *map(xp.detach, self.arrays)), x, self.name)

    def __repr__(self) -> str:
        shown = {k: v if isinstance(v, float) else short(v, 30) for k, v in self.parameters.items()}
        return _key(self.name, shown)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Proxy):
            return NotImplemented
        same_arrays = all(a is b for a, b in zip(self.arrays, other.arrays, strict=False))
        return self.curve is other.curve and same_arrays

    def __hash__(self) -> int:
        return hash((self.curve.key, *map(id, self.arrays)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.family, self.parameters)


def _rebuilt(family: Family, parameters: dict[str, Any]) -> Proxy:
    return Proxy(family, parameters)


def proxy_family(
    parameters: Mapping[str, Parameter] | None = None, *, aliases: Mapping[str, str] | None = None, **facts: Any
) -> Callable[[Callable[..., Array]], Family]:
    """Decorator: the function states the value; makes a registered `Family` of it."""

    def register(function: Callable[..., Array]) -> Family:
        family = Family(function, parameters or {}, **facts)
        _registry.families[family.name] = family
        for alias, where in (aliases or {}).items():
            _registry.aliases[alias] = (family.name, where)
        return family

    return register
