"""A table: the same rows as aligned text, as a coloured table of the terminal, as HTML and as plain data."""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from straightthrough._errors import ArgumentError, MissingDependencyError

if TYPE_CHECKING:
    import rich.table

Mark = Literal["good", "bad"]
_SIGN = {"good": "✓ ", "bad": "✗ ", None: ""}  # a colour alone is not seen by everybody
_STYLE = {"good": "green", "bad": "bold red", None: ""}


def number(value: object, form: str = "") -> str:
    """A value as it stands in a table.

    Exact zero is ``0``, never ``0.0e+00``; what is not zero never looks like zero; 4 significant digits,
    scientific below 1e-3 and from 1e5.

    Args:
        value: a number, a text, None (shown as a dash) or a bool.
        form: a format specification such as ".2f" or ".1%", for numbers.

    Example:
        >>> number(0.0), number(0.98134), number(3.2e-9), number(0.5, ".1%"), number(0.0001, ".2f")
        ('0', '0.9813', '3.2e-9', '50.0%', '1e-4')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if value == 0:
        return "0%" if form.endswith("%") else "0"
    if not math.isfinite(value):
        return str(float(value))
    if form:
        text = format(value, form)
        if any(digit in text for digit in "123456789"):
            return text
        return f"{value * 100:.1g}%" if form.endswith("%") else _scientific(value, 1)
    if isinstance(value, int):
        return str(value)
    if 1e-3 <= abs(value) < 1e5:
        text = f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
        return text if "e" not in text else f"{value:.0f}"
    return _scientific(value, 2)


def _scientific(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _with_spread(mean: float, spread: float, form: str) -> str:
    small = mean != 0 and abs(mean) < 1e-3
    if form or spread == 0 or not math.isfinite(spread) or not math.isfinite(mean) or small or abs(mean) >= 1e5:
        return f"{number(mean, form)} ± {number(spread, form)}"
    decimals = min(
        max(1 - math.floor(math.log10(abs(spread))), 0), 6
    )  # two digits of the spread, and the mean to match
    return f"{number(mean, f'.{decimals}f')} ± {number(spread, f'.{decimals}f')}"


@dataclass(frozen=True)
class Cell:
    """One entry: a value, its spread if it is a mean, a mark ("good" or "bad"), or a text in place of the number."""

    value: Any
    spread: float | None = None
    mark: Mark | None = None
    text: str | None = None

    def show(self, form: str = "") -> str:
        """The entry as text, without its mark."""
        if self.text is not None:
            return self.text
        if self.spread is not None and isinstance(self.value, int | float):
            return _with_spread(float(self.value), float(self.spread), form)
        return number(self.value, form)


@dataclass(frozen=True)
class Column:
    """One column: its name, its side ("auto": numbers to the right), the format of its numbers, the key of its data."""

    name: str
    align: Literal["auto", "left", "right", "center"] = "auto"
    format: str = ""
    key: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table.

    Args:
        title: stands above it.
        columns: Columns, or their names.
        rows: one sequence per row, as long as there are columns; an entry is a Cell or a plain value.
        caption: one sentence that says what is shown, below it.

    Raises:
        ArgumentError: a row has more or fewer entries than there are columns.

    Example:
        >>> print(Table("Accuracy", ["proxy", "test"], [["identity", 0.97], ["relu", Cell(0.0, mark="bad")]]).to_text())
        Accuracy
        proxy     test
        ────────  ────
        identity  0.97
        relu       ✗ 0
    """

    title: str
    columns: Sequence[Column | str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""

    def __post_init__(self) -> None:
        for place, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ArgumentError(
                    f"Table: row {place} must have {len(self.columns)} entries, one per column, got {len(row)}"
                )

    def _columns(self) -> list[Column]:
        return [column if isinstance(column, Column) else Column(column) for column in self.columns]

    def _cells(self) -> list[list[Cell]]:
        return [[entry if isinstance(entry, Cell) else Cell(entry) for entry in row] for row in self.rows]

    def _sides(self) -> list[Literal["left", "right", "center"]]:
        sides: list[Literal["left", "right", "center"]] = []
        for place, column in enumerate(self._columns()):
            values = [row[place].value for row in self._cells()]
            numeric = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
            automatic: Literal["left", "right"] = "right" if numeric and len(numeric) * 2 >= len(values) else "left"
            sides.append(automatic if column.align == "auto" else column.align)
        return sides

    def _shown(self) -> list[list[str]]:
        forms = [column.format for column in self._columns()]
        return [
            [_SIGN[cell.mark] + cell.show(form) for cell, form in zip(row, forms, strict=True)] for row in self._cells()
        ]

    def to_text(self) -> str:
        """Aligned plain text, without colour."""
        names, shown, sides = [column.name for column in self._columns()], self._shown(), self._sides()
        widths = [max(len(name), *(len(row[k]) for row in shown), 0) for k, name in enumerate(names)]
        sign = {"left": "<", "right": ">", "center": "^"}
        lines = [
            "  ".join(
                format(text, f"{sign[side]}{width}") for text, side, width in zip(row, sides, widths, strict=True)
            )
            for row in (names, ["─" * width for width in widths], *shown)
        ]
        parts = [self.title, *lines, self.caption]
        return "\n".join(line.rstrip() for line in parts if line)

    def to_rich(self) -> rich.table.Table:
        """A table of the package rich, marks coloured.

        Raises:
            MissingDependencyError: rich is not installed.
        """
        try:
            from rich import box
            from rich.table import Table as RichTable
            from rich.text import Text
        except ImportError as error:
            raise MissingDependencyError(
                "Table.to_rich: needs the package rich; pip install 'straightthrough[report]'"
            ) from error
        # Texts, never markup: a name such as "[red]" must come out as it is.
        drawn = RichTable(
            title=Text(self.title, style="bold") if self.title else None,
            caption=Text(self.caption, style="dim") if self.caption else None,
            title_justify="left",
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for column, side in zip(self._columns(), self._sides(), strict=True):
            drawn.add_column(Text(column.name), justify=side)
        for cells, shown in zip(self._cells(), self._shown(), strict=True):
            drawn.add_row(*(Text(text, style=_STYLE[cell.mark]) for cell, text in zip(cells, shown, strict=True)))
        return drawn

    def print(self, file: TextIO | None = None) -> None:
        """Prints the table: with colours where rich is installed and the file is a terminal, else as aligned text."""
        stream = file if file is not None else sys.stdout
        try:
            from rich.console import Console
        except ImportError:
            print(self.to_text(), file=stream)
            return
        console = Console(file=stream)
        if console.is_terminal:
            console.print(self.to_rich())
        else:  # a pipe or a file: rich would fold it to 80 columns
            print(self.to_text(), file=stream)

    def to_html(self) -> str:
        """A `<table>` with a caption and column headers; all text is escaped."""
        sides = self._sides()
        head = "".join(
            f'<th scope="col" class="{side}">{html.escape(column.name)}</th>'
            for column, side in zip(self._columns(), sides, strict=True)
        )
        body = "\n".join(
            "<tr>" + "".join(self._html_cells(cells, shown, sides)) + "</tr>"
            for cells, shown in zip(self._cells(), self._shown(), strict=True)
        )
        below = f'<span class="caption">{html.escape(self.caption)}</span>' if self.caption else ""
        caption = f"<caption><strong>{html.escape(self.title)}</strong>{below}</caption>"
        return f"<table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"

    @staticmethod
    def _html_cells(cells: list[Cell], shown: list[str], sides: Sequence[str]) -> list[str]:
        drawn = []
        for place, (cell, text, side) in enumerate(zip(cells, shown, sides, strict=True)):
            tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
            names = " ".join(name for name in (side, cell.mark) if name)
            drawn.append(f'<{tag}{scope} class="{names}">{html.escape(text)}</{tag}>')
        return drawn

    def to_dicts(self) -> list[dict[str, Any]]:
        """One dictionary per row: key -> value, with key_spread and key_mark where a cell has them."""
        keys = [column.key or column.name for column in self._columns()]
        dicts: list[dict[str, Any]] = []
        for row in self._cells():
            entry: dict[str, Any] = {}
            for key, cell in zip(keys, row, strict=True):
                entry[key] = cell.value
                if cell.spread is not None:
                    entry[f"{key}_spread"] = cell.spread
                if cell.mark is not None:
                    entry[f"{key}_mark"] = cell.mark
            dicts.append(entry)
        return dicts
