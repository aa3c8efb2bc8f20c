"""The public names of the library, module by module, as the tests of its docs go through them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import types
from typing import Any

MODULES = (
    "straightthrough",
    "straightthrough.proxies",
    "straightthrough.proxies.schedule",
    "straightthrough.testing",
    "straightthrough.ship",
    "straightthrough.datasets",
    "straightthrough.report",
    "straightthrough.torch",
    "straightthrough.keras",
    "straightthrough.flax",
)


def public(module_name: str) -> dict[str, Any]:
    """The public names of a module → objects; those of submodules are looked at apart."""
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (hasattr(module, "__path__") or value.__class__ is types.FunctionType)
    ]
    if not hasattr(module, "__path__"):
        names = [name for name in names if getattr(module, name).__module__ == module_name]
    found = {name: getattr(module, name) for name in names}
    own = {
        name: value
        for name, value in found.items()
        if str(getattr(value, "__module__", "")).startswith("straightthrough")
    }
    return {name: value for name, value in own.items() if not inspect.ismodule(value)}
