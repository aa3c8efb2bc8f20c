"""`ste ship`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from straightthrough._errors import ArgumentError, wrong
from straightthrough.cli.program import function_named


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

    result = function_named(program, "ship")()
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentError(wrong("ship", program, "a function that returns (model, example)", type(result).__name__))
    shipped = library_ship(result[0], result[1], out)
    shipped.table().print()
    print(shipped.path)
    raise typer.Exit(0 if shipped.equal else 1)
