"""`ste doctor`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from straightthrough._errors import ArgumentError, wrong
from straightthrough.cli.program import function_named


def doctor(
    program: Annotated[
        str,
        typer.Argument(
            metavar="FILE.py:NAME",
            help="A function without arguments that returns (loss, params, batch), batch a tuple.",
        ),
    ],
    html: Annotated[str, typer.Option(metavar="FILE", help="Also write a page with the drawn graph.")] = "",
    json: Annotated[str, typer.Option(metavar="FILE", help="Also write everything as JSON.")] = "",
) -> None:
    """Finds where the loss gradient dies in a program, and says what to write instead.

    The exit status is 0 if every parameter that could learn gets its gradient, 1 with findings, 2 on a wrong call.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from straightthrough.doctor import doctor as library_doctor

    made = function_named(program, "doctor")()
    if not isinstance(made, tuple) or len(made) != 3:
        raise ArgumentError(
            wrong("doctor", program, "a function that returns (loss, params, batch)", f"one that returns {_form(made)}")
        )
    loss, params, batch = made
    diagnosis = library_doctor(loss, params, *(batch if isinstance(batch, tuple | list) else (batch,)))
    print(f"{diagnosis.summary()}\n")
    for table in diagnosis.tables():
        table.print()
        print()
    for write, path in ((diagnosis.to_html, html), (diagnosis.to_json, json)):
        if path:
            print(write(path))
    raise typer.Exit(0 if diagnosis.healthy else 1)


def _form(value: object) -> str:
    return f"{len(value)} values" if isinstance(value, tuple) else type(value).__name__
