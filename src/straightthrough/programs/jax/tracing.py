"""The user's program as a jaxpr: traced once, with nothing left behind.

A value that the program turns into a Python number is worked out from what has been traced so far, as it would be
under a plain `jax.grad`; the place is noted, for no gradient passes through it.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax._src import core as _core
from jax._src.interpreters import partial_eval as _partial

from straightthrough.core import Operation
from straightthrough.programs._carried import width_of, written
from straightthrough.programs.jax.leaving import values_on_request

_SCOPE = "straightthrough:"
_lock = threading.RLock()
_round = jax.make_user_context(None)
"""Differs from run to run, so that functions which JAX has traced before are traced again, with our marks in them."""
_rounds = iter(range(1, sys.maxsize))


@dataclass
class Traced:
    """What tracing told.

    Attributes:
        jaxpr: constants and parameters -> the loss, then what left for Python.
        result: what the loss returned, as shapes and dtypes.
        calls: the calls of our own operations, by the number in their scope's name.
    """

    jaxpr: Any
    result: Any = None
    calls: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many values became Python numbers."""
        return len(self.jaxpr.jaxpr.outvars) - 1

    def scope_number(self, stack: str) -> int | None:
        found = re.search(rf"{_SCOPE}(\d+)", stack)
        return int(found[1]) if found and "jvp(" not in stack and "transpose(" not in stack else None

    def operation(self, number: int) -> str:
        return self.calls[number][0]

    def carried(self, number: int) -> tuple[str, float | None]:
        """The proxy of one of our operations, and its width."""
        proxy = self.calls[number][1]
        return written(proxy), width_of(proxy)


def trace(function: Callable[..., Any], arrays: list[Any]) -> Traced:
    """Traces ``function(arrays)``."""
    calls: list[tuple[str, Any]] = []
    left: list[Any] = []
    shapes: list[Any] = []

    def program(*traced: Any) -> list[Any]:
        result = function(list(traced))
        shapes.append(jax.tree.map(lambda x: jax.typeof(x) if _is_array(x) else x, result))
        return [*(x for x in jax.tree.leaves(result) if _is_array(x)), *left]

    with _lock, _round(next(_rounds)), _marked_operations(calls), values_on_request(left, arrays) as start:

        def started(*traced: Any) -> list[Any]:
            start(traced)
            return program(*traced)

        jaxpr = jax.make_jaxpr(started)(*arrays)
    return Traced(_needed(jaxpr), shapes[0], calls)


def _is_array(x: Any) -> bool:
    return isinstance(x, jax.Array | np.ndarray | np.generic | float | int | complex | bool)


def _needed(closed: Any) -> Any:
    """Without the equations that nothing needs."""
    jaxpr = closed.jaxpr
    wanted = [True] * len(jaxpr.outvars)
    instantiate = [False] * len(jaxpr.constvars) + [True] * len(jaxpr.invars)
    smaller, used, _ = _partial.dce_jaxpr_consts(jaxpr, wanted, instantiate)
    return _core.ClosedJaxpr(smaller, [c for c, needed in zip(closed.consts, used, strict=True) if needed])


@contextmanager
def _marked_operations(calls: list[tuple[str, Any]]) -> Iterator[None]:
    """Each call of our own operations is traced in a scope that names it."""
    original = Operation.__call__

    def marked(self: Operation, *args: Any, proxy: Any = None, **kwargs: Any) -> Any:
        calls.append((self.name, self.proxy if proxy is None else _resolved(proxy, self.name)))
        with jax.named_scope(f"{_SCOPE}{len(calls) - 1}"):
            return original(self, *args, proxy=proxy, **kwargs)

    Operation.__call__ = marked  # type: ignore[method-assign]
    try:
        yield
    finally:
        Operation.__call__ = original  # type: ignore[method-assign]


def _resolved(proxy: Any, name: str) -> Any:
    from straightthrough.proxies.lookup import resolve

    try:
        return resolve(proxy, name)
    except Exception:  # the call itself says what is wrong
        return proxy
