"""`ste proxies`."""

from __future__ import annotations

from typing import Annotated

import typer

from straightthrough import proxies as library
from straightthrough._errors import ArgumentError
from straightthrough.report import Column, Table, save_png


def proxies(
    names: Annotated[list[str] | None, typer.Argument(help='Proxies to describe: relu, "atan(alpha=3)", ...')] = None,
    plot: Annotated[str | None, typer.Option(metavar="FILE.png", help="Draw value and slope, too.")] = None,
    operator: Annotated[str, typer.Option(help="The operator to draw them beside.")] = "heaviside",
) -> None:
    """Every proxy in a table; or the named ones in words, and as a picture."""
    if plot is not None and not names:
        raise ArgumentError(
            "proxies: --plot draws the proxies that are named, got none; try: ste proxies relu --plot relu.png"
        )
    chosen = [library.get(name, "proxies") for name in names or ()]
    if plot is not None:
        if not plot.lower().endswith(".png"):
            raise ArgumentError(f"proxies: --plot must name a .png file, got {plot!r}")
        save_png(library.plot(*chosen, operator=operator), plot)
    for proxy in chosen:
        print(library.describe(proxy))
    if plot is not None:
        print(plot)
    if not chosen:
        table().print()


def table() -> Table:
    """All proxies with their defaults."""
    rows = []
    for name in library.names():
        proxy = library.get(name)
        mass = proxy.mass()
        kinks = ", ".join(f"{place:g}" for place in proxy.kinks)
        rows.append([str(proxy), "–" if mass != mass else f"{mass:g}", kinks or "–", proxy.source])
    columns: list[Column | str] = ["proxy and its defaults", Column("mass", align="right"), "kinks at", "source"]
    return Table(
        "Proxies", columns, rows, "mass: area under the slope; 1 fits a step, 2 fits a sign. ste proxies NAME: more"
    )
