"""`ste demo`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from straightthrough.demo.settings import DATA, FRAMEWORKS, Settings

_TENSORFLOW = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def demo(
    framework: Annotated[str, typer.Option(help=f"One of {', '.join(FRAMEWORKS)}.")] = "jax",
    data: Annotated[str, typer.Option(help=f"One of {', '.join(DATA)}.")] = "digits",
    data_dir: Annotated[
        str | None, typer.Option(help="Folder with the data set's files; else they are downloaded.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds per variant.")] = 3,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data; default 30 for digits, else 5.")] = None,
    out: Annotated[str | None, typer.Option(help="Folder for everything; default ste-demo/FRAMEWORK-DATA.")] = None,
) -> None:
    """The whole story on real images: break, fix, train, ship, and a report.

    Interrupt it at any time: finished runs are kept, and the same command goes on.
    """
    settings = Settings(framework, data, data_dir, seeds, seed, epochs, out)
    if framework == "tensorflow":
        # Read once, when it is imported. Its start-up messages would bury the first lines, and so small a network keeps
        # one thread busy: on a busy machine a second one makes it wait.
        for variable, value in _TENSORFLOW.items():
            os.environ.setdefault(variable, value)
    from straightthrough.demo.screen import Screen
    from straightthrough.demo.story import tell

    raise typer.Exit(tell(settings, Screen()))
