"""Which frameworks a check runs on, and the module that speaks to each."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from straightthrough._backends import FRAMEWORKS
from straightthrough._errors import ArgumentError, UnknownNameError, nearest, wrong


class Adapter:
    """The functions of `testing/torch.py`, `jax.py` or `tensorflow.py` under one type."""

    def __init__(self, name: str):
        module = importlib.import_module(f"straightthrough.testing.{name}")
        self.name = name
        self.array: Callable[[Any, str], Any] = module.array
        self.numbers: Callable[[Any], Any] = module.numbers
        self.dtype_name: Callable[[Any], str] = module.dtype_name
        self.precise: Callable[[], AbstractContextManager[Any]] = module.precise
        self.gradients: Callable[..., tuple[Any, list[Any]]] = module.gradients
        self.transformations: dict[str, Callable[..., list[dict[str, Any]]]] = module.TRANSFORMATIONS
        self.cheap: Sequence[str] = module.CHEAP


_adapters: dict[str, Adapter] = {}


def adapter(name: str) -> Adapter:
    """The adapter of one framework; imports it."""
    if name not in _adapters:
        _adapters[name] = Adapter(name)
    return _adapters[name]


def chosen(framework: str | None, function: str) -> list[Adapter]:
    """The one that was asked for, or each framework that is imported already.

    Raises:
        UnknownNameError: there is no such framework.
        ArgumentError: none was asked for and none is imported.
    """
    if framework is not None and framework not in FRAMEWORKS:
        raise UnknownNameError(f"{function}: no framework is named {framework!r}; {nearest(framework, FRAMEWORKS)}")
    names = [framework] if framework else [name for name in FRAMEWORKS if name in sys.modules]
    if not names:
        got = "none imported"
        raise ArgumentError(
            wrong(function, "framework", "'torch', 'jax' or 'tensorflow'", got, "name one, or import it")
        )
    return [adapter(name) for name in names]
