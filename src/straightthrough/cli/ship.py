"""`ste ship`."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from straightthrough._errors import ArgumentError, nearest, wrong


def ship(
    program: Annotated[
        str, typer.Argument(metavar="FILE.py:NAME", help="A function without arguments that returns (model, example).")
    ],
    out: Annotated[str, typer.Option(help="The file to write; for TensorFlow a folder.")],
) -> None:
    """Saves a trained model with its hard operators only, and checks it in a fresh process.

    The exit status is 1 if the outputs of the fresh process are not bitwise those of the model.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from straightthrough.ship import ship as library_ship

    result = _function(program)()
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentError(wrong("ship", program, "a function that returns (model, example)", type(result).__name__))
    shipped = library_ship(result[0], result[1], out)
    shipped.table().print()
    print(shipped.path)
    raise typer.Exit(0 if shipped.equal else 1)


def _function(program: str) -> Any:
    """The function that ``FILE.py:NAME`` names."""
    file, colon, name = program.rpartition(":")
    path = Path(file)
    if not colon or path.suffix != ".py":
        raise ArgumentError(wrong("ship", "program", "of the form FILE.py:NAME", repr(program)))
    if not path.is_file():
        raise ArgumentError(f"ship: there is no file {file}")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # As under `python FILE.py`: its neighbours can be imported, and its functions found by pickle.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules.setdefault(path.stem, module)
    specification.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ArgumentError(f"ship: {file} has no function {name!r}; {nearest(name, known)}")
    return function
