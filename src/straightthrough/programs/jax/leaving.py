"""Values that a program turns into Python numbers or numpy arrays while it is traced.

Under a plain `jax.grad` this works wherever the value is concrete there; a tracer for a jaxpr has none. While
`values_on_request` is open, ours are worked out from what has been traced so far, and each place is noted in the
trace by a `LEAVE`: no gradient passes through it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
from jax._src import core as _core
from jax._src.interpreters import partial_eval as _partial
from jax.extend.core import Literal, Primitive

from straightthrough.programs.jax.graph import is_floating

LEAVE = Primitive("leave")
"""Marks, in the trace, a value that became a Python number."""
LEAVE.def_abstract_eval(lambda x, **_: x)
LEAVE.def_impl(lambda x, **_: x)

_ALWAYS = {"__bool__", "__int__", "__index__", "__hex__", "__oct__", "concrete_or_error", "concrete_dim_or_error"}
"""What `jax.grad` lets through for any concrete value."""

_WITHOUT_TANGENT = ("__float__", "__complex__", "__array__", "tolist", "tobytes")
"""What it lets through only where no gradient could come back: integers, stopped and rounded values, the batch."""

_CUT = {"stop_gradient", "round", "floor", "ceil", "sign", "is_finite"}
"""Primitives after which `jax.grad` holds a plain array."""


class _Values:
    """The values of one trace, found when asked for."""

    def __init__(self, left: list[Any], arrays: list[Any]):
        self._left = left
        self._arrays = arrays
        self._known: dict[Any, Any] = {}
        self._noted: list[Any] = []
        self.trace: Any = None

    def owns(self, tracer: Any) -> bool:
        return self.trace is not None and tracer._trace is self.trace

    def has_tangent(self, tracer: Any) -> bool:
        """Whether `jax.grad` would hold a tracer here: a float with a live way from a parameter."""
        live = set(self.trace.frame.invars)
        for equation in self.trace.frame.get_eqns():
            if equation.primitive.name in _CUT or not live & {v for v in equation.invars if not isinstance(v, Literal)}:
                continue
            live.update(v for v in equation.outvars if is_floating(v.aval))
        return tracer.val in live

    def of(self, tracer: Any) -> Any:
        """The value of a tracer of ours."""
        if isinstance(tracer.val, Literal):
            return tracer.val.val
        frame = self.trace.frame
        self._known.update(zip(frame.invars, self._arrays, strict=True))
        self._known.update(frame.constvar_to_val)
        equations = frame.get_eqns()
        missing, needed = {tracer.val}, []
        for equation in reversed(equations):
            if missing & set(equation.outvars) and not all(v in self._known for v in equation.outvars):
                needed.append(equation)
                missing.update(v for v in equation.invars if not isinstance(v, Literal))
        with _core.eval_context():
            for equation in reversed(needed):
                self._run(equation)
        return self._known[tracer.val]

    def _run(self, equation: Any) -> None:
        read = [v.val if isinstance(v, Literal) else self._known[v] for v in equation.invars]
        with equation.ctx.manager:
            made = equation.primitive.bind(*read, **equation.primitive.get_bind_params(equation.params))
        self._known.update(zip(equation.outvars, made if equation.primitive.multiple_results else [made], strict=True))

    def leave(self, tracer: Any, how: str) -> Any:
        """The value, and a note of the place where it was asked for."""
        value = self.of(tracer)
        self._left.append(LEAVE.bind_with_trace(self.trace, (tracer,), {"how": how}))  # type: ignore[call-arg]
        return value


def _asked_by(frame: FrameType | None) -> str | None:
    """The name of the conversion that asks whether a value is there; None for a mere enquiry."""
    for _ in range(4):
        if frame is None:
            return None
        name = frame.f_code.co_name
        if name in _ALWAYS or (name == "_expand_bool_indices" or frame.f_code.co_filename.endswith("indexing.py")):
            return name
        frame = frame.f_back
    return None


@contextmanager
def values_on_request(left: list[Any], arrays: list[Any]) -> Iterator[Callable[[Any], None]]:
    """While it is open, values of one trace can be had; gives the function that says which, by its first tracers."""
    values = _Values(left, arrays)
    tracer = _partial.DynamicJaxprTracer

    def start(traced: Any) -> None:
        values.trace = traced[0]._trace

    def to_concrete_value(self: Any) -> Any:
        if not values.owns(self) or _asked_by(sys._getframe(1)) is None:
            return None
        caller = sys._getframe(1)
        if caller.f_code.co_name == "is_concrete":  # an enquiry before the value itself
            return values.of(self)
        return values.leave(self, "item")

    def without_tangent(name: str) -> Callable[..., Any]:
        inherited = getattr(tracer, name)

        def convert(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not values.owns(self) or values.has_tangent(self):
                return inherited(self, *args, **kwargs)
            value = values.leave(self, "numpy" if name == "__array__" else "item")
            return getattr(np.asarray(value), name)(*args, **kwargs)

        return convert

    patches = {"to_concrete_value": to_concrete_value, **{name: without_tangent(name) for name in _WITHOUT_TANGENT}}
    own = {name: tracer.__dict__[name] for name in patches if name in tracer.__dict__}
    for name, patch in patches.items():
        setattr(tracer, name, patch)
    try:
        yield start
    finally:
        for name in patches:
            if name in own:
                setattr(tracer, name, own[name])
            else:
                delattr(tracer, name)
