"""`ste --version`."""

from __future__ import annotations

from typing import Annotated

import typer


def _show(wanted: bool) -> None:
    if wanted:
        from straightthrough import __version__

        print(f"straightthrough {__version__}")
        raise typer.Exit


def options(
    version: Annotated[bool, typer.Option("--version", callback=_show, is_eager=True, help="The version.")] = False,
) -> None:
    """Options of the command itself."""
