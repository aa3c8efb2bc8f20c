"""What the demo shows in a terminal: headings, tables, code, and a bar that moves; plain lines where it is piped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from straightthrough._errors import MissingDependencyError
from straightthrough.report import Table

try:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
except ImportError as error:
    raise MissingDependencyError("demo: needs the package rich; pip install 'straightthrough[demo]'") from error


class Meter:
    """Progress over runs, each of some epochs."""

    def __init__(self, bar: Progress, runs: int, epochs: int):
        self._bar = bar
        self._task = bar.add_task("", total=runs * epochs)
        self._epochs = epochs

    def begin(self, run: str) -> None:
        """Names the run under way."""
        self._bar.update(self._task, description=run)

    def epoch(self) -> None:
        """One epoch is done."""
        self._bar.advance(self._task)

    def skip(self) -> None:
        """A run was finished before."""
        self._bar.advance(self._task, self._epochs)


class Screen:
    """Prints the story as it happens."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)

    def heading(self, text: str) -> None:
        """Begins a part of the story."""
        self.console.print()
        self.console.rule(text, align="left", style="dim") if self.console.is_terminal else self.say(f"== {text}")

    def say(self, text: str, style: str = "") -> None:
        """One line, never folded: paths and commands are copied from here."""
        self.console.print(text, soft_wrap=True, markup=False, style=style or None)

    def code(self, lines: list[str]) -> None:
        """A change of code: lines that begin with - and +."""
        for line in lines:
            self.say("    " + line, style={"-": "red", "+": "green"}.get(line[:1], ""))

    def table(self, table: Table) -> None:
        """A table, with a line of space around it."""
        self.console.print()
        table.print()
        self.console.print()

    @contextlib.contextmanager
    def progress(self, runs: int, epochs: int) -> Iterator[Meter]:
        """A bar for as long as the context lasts."""
        columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
        live = self.console.is_terminal
        bar = Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True, disable=not live)
        with bar:
            yield Meter(bar, runs, epochs)
