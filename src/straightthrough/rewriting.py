"""`with_proxies`: proxies for the hard operators inside a function that cannot be edited. JAX so far."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from straightthrough._errors import ArgumentError, FrameworkError, UnsupportedError, short, wrong
from straightthrough.programs import framework_of
from straightthrough.programs._substitutes import Rewrite as Rewrite
from straightthrough.programs._substitutes import Substitutes


class Rewritten:
    """A function whose named operators have proxies in the backward pass.

    Attributes:
        rewritten: after a call, one `Rewrite` per operator that a key fitted: where it stands, where its proxy landed.
    """

    def __init__(self, function: Callable[..., Any], proxies: Mapping[str, Any]):
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self._proxies = dict(proxies)
        self._substitutes = Substitutes(proxies)
        self._runs: dict[str, Callable[..., Any]] = {}

    @property
    def rewritten(self) -> list[Rewrite]:
        return list(self._substitutes.rewrites.values())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        framework = _framework_of(args, kwargs)
        run = self._runs.get(framework)
        if run is None:
            if framework != "jax":
                raise UnsupportedError(
                    f"with_proxies: {framework} is not covered yet; give the operator its proxy where it stands, "
                    "with a ready operation or with_proxy"
                )
            module = import_module(f"straightthrough.programs.{framework}.rewriting")
            run = self._runs[framework] = module.rewritten(self._function, self._substitutes)
        return run(*args, **kwargs)

    def __repr__(self) -> str:
        keys = ", ".join(map(repr, self._proxies))
        return f"<{getattr(self._function, '__name__', self._function)} with proxies at {keys}>"


def _framework_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    for value in (*args, *kwargs.values()):
        try:
            return framework_of(value)
        except FrameworkError:
            continue
    raise FrameworkError(
        "with_proxies: no argument of the call is an array or a model of TensorFlow, PyTorch or JAX; pass what the "
        "function differentiates as an argument"
    )


def with_proxies(function: Callable[..., Any], proxies: Mapping[str, Any]) -> Rewritten:
    """Proxies for hard operators *inside* a function, also in code of other packages.

    Value: bitwise that of ``function`` under the same compiler. Derivative: its proxy's, wherever a key fits.
    Where the operator returns an integer or a boolean (argmax, a comparison, a cast), the proxy travels beside it and
    joins the value where it becomes a float again: a cast, ``where``, a one-hot, a look-up, a scatter.

    Args:
        function: of arrays, or of a model and arrays.
        proxies: operator -> proxy. An operator is named as `doctor` prints it: ``"round"`` for all of them,
            ``"greater@file.py:142"`` for one, ``"argmax@package.*"`` for those of a package, ``"*"`` for all.
            A proxy is a name, a `Proxy`, or a function of the operator's own arguments.

    Returns:
        A function called like it; its ``rewritten`` says what was matched, and where each proxy landed.

    Raises:
        UnknownNameError: an operator does not occur (those that do are listed), or no proxy has this name.
        ArgumentError: a proxy never lands; names the operator that dropped it.
        UnsupportedError: at the call, for arrays of a framework that is not covered yet.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> def loss(x):
        ...     return (x * (x > 1.0)).sum()
        >>> jax.grad(with_proxies(loss, {"greater": "identity"}))(jnp.array([0.5, 2.0])).tolist()
        [0.5, 3.0]
    """
    if not callable(function):
        raise ArgumentError(wrong("with_proxies", "function", "callable", short(function)))
    return Rewritten(function, proxies)
