"""The user's program as the commands take it: ``FILE.py:NAME`` or ``package.module:NAME``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from straightthrough._errors import ArgumentError, nearest, wrong


def function_named(program: str, command: str) -> Any:
    """The function that ``FILE.py:NAME`` or ``package.module:NAME`` names.

    Raises:
        ArgumentError: the form is another, or there is no such file or function; the message begins with ``command``.
    """
    place, colon, name = program.rpartition(":")
    if not colon or not name.isidentifier():
        wanted = "of the form FILE.py:NAME or package.module:NAME"
        raise ArgumentError(wrong(command, "program", wanted, repr(program)))
    module = _from_file(place, command) if Path(place).suffix == ".py" else _imported(place, command)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ArgumentError(f"{command}: {place} has no function {name!r}; {nearest(name, known)}")
    return function


def _from_file(file: str, command: str) -> ModuleType:
    path = Path(file)
    if not path.is_file():
        raise ArgumentError(f"{command}: there is no file {file}")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # As under `python FILE.py`: its neighbours can be imported, and its functions found by pickle.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules.setdefault(path.stem, module)
    specification.loader.exec_module(module)
    return module


def _imported(name: str, command: str) -> ModuleType:
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise ArgumentError(f"{command}: there is no module {name}; a file is named as FILE.py:NAME") from None
