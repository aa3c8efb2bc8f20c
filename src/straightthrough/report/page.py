"""One HTML file that needs nothing else: its style and its drawings are inside."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from straightthrough.report._style import CSS
from straightthrough.report.writing import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from straightthrough.report.table import Table

Kind = Literal["good", "bad", "note"]


class Page:
    """Builds a page from top to bottom; each method adds one piece and returns the page.

    All text is escaped; `words between backticks` are set as code.

    Args:
        title: the page's heading and the window's name.
        subtitle: one sentence below it.
        footer: small print at the end, such as versions and seeds.

    Example:
        >>> page = Page("Report").section("Result").paragraph("The layer `hidden` gets no gradient.")
        >>> "<code>hidden</code>" in page.to_html()
        True
    """

    def __init__(self, title: str, subtitle: str = "", footer: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self.footer = footer
        self._pieces: list[str] = []
        self._contents: list[tuple[str, str]] = []
        self._figures = 0
        self._open = False

    def section(self, heading: str) -> Self:
        """Begins a section, with an entry in the table of contents."""
        if self._open:
            self._pieces.append("</section>")
        name = f"s{len(self._contents) + 1}-{_slug(heading)}"
        self._contents.append((name, heading))
        self._pieces.append(f'<section aria-labelledby="{name}">\n<h2 id="{name}">{_inline(heading)}</h2>')
        self._open = True
        return self

    def subheading(self, heading: str) -> Self:
        """A smaller heading inside a section."""
        return self._add(f"<h3>{_inline(heading)}</h3>")

    def anchor(self, name: str) -> Self:
        """A place that a drawing's links lead to: ``<a href="#name">`` in the SVG of a `figure`."""
        return self._add(f'<span id="{html.escape(name, quote=True)}"></span>')

    def paragraph(self, text: str) -> Self:
        """Running text; a blank line begins a new paragraph."""
        for part in text.strip().split("\n\n"):
            self._add(f"<p>{_inline(part)}</p>")
        return self

    def points(self, items: Sequence[str]) -> Self:
        """A list of short points."""
        return self._add("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>")

    def note(self, text: str, kind: Kind = "note") -> Self:
        """A paragraph that stands out: what is broken, what is healthy, what to know."""
        word = {"good": "Good", "bad": "Problem", "note": "Note"}[kind]
        return self._add(f'<p class="callout {kind}"><strong>{word}.</strong> {_inline(text)}</p>')

    def numbers(self, items: Sequence[tuple[str, str] | tuple[str, str, Kind]]) -> Self:
        """The few figures that a reader should take away: (figure, what it is) or (figure, what it is, kind)."""
        tiles = []
        for item in items:
            kind = item[2] if len(item) == 3 else "note"
            tiles.append(f'<div class="tile {kind}"><dt>{_inline(item[1])}</dt><dd>{html.escape(item[0])}</dd></div>')
        return self._add(f'<dl class="tiles">{"".join(tiles)}</dl>')

    def code(self, text: str, caption: str = "") -> Self:
        """A block of code, kept as it is."""
        above = f"<figcaption>{_inline(caption)}</figcaption>" if caption else ""
        block = f'<pre tabindex="0"><code>{html.escape(text.strip(chr(10)))}</code></pre>'
        return self._add(f'<figure class="code">{above}{block}</figure>')

    def table(self, table: Table) -> Self:
        """A table; on a narrow screen it scrolls by itself."""
        label = html.escape(table.title or "table", quote=True)
        return self._add(f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{table.to_html()}</div>')

    def figure(self, figure: Figure | str, alt: str, caption: str = "") -> Self:
        """A drawing.

        Args:
            figure: a matplotlib Figure, or what `svg` made of one.
            alt: says in words what is seen, for readers who do not see it.
            caption: stands below.
        """
        if not isinstance(figure, str):
            from straightthrough.report.figures import svg

            figure = svg(figure)
        self._figures += 1
        drawing = _numbered_ids(figure, self._figures).replace(
            "<svg", f'<svg role="img" aria-label="{html.escape(alt, quote=True)}"', 1
        )
        below = f"<figcaption><b>Figure {self._figures}.</b> {_inline(caption)}</figcaption>" if caption else ""
        return self._add(f'<figure><div class="scroll drawing" tabindex="0">{drawing}</div>{below}</figure>')

    def to_html(self) -> str:
        """The whole page."""
        body = "\n".join([*self._pieces, *(["</section>"] if self._open else [])])
        subtitle = f'\n<p class="subtitle">{_inline(self.subtitle)}</p>' if self.subtitle else ""
        footer = f"\n<footer><p>{_inline(self.footer)}</p></footer>" if self.footer else ""
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
            f"<title>{html.escape(self.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
            f"<header>\n<h1>{_inline(self.title)}</h1>{subtitle}\n</header>\n{self._table_of_contents()}"
            f"<main>\n{body}\n</main>{footer}\n</body>\n</html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page, whole or not at all.

        Raises:
            DataError: the file cannot be written.
        """
        return write_text(path, self.to_html())

    def _add(self, piece: str) -> Self:
        self._pieces.append(piece)
        return self

    def _table_of_contents(self) -> str:
        if len(self._contents) < 2:
            return ""
        entries = "".join(f'<li><a href="#{name}">{_inline(heading)}</a></li>' for name, heading in self._contents)
        return f'<nav aria-label="Contents"><ol>{entries}</ol></nav>\n'


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:40] or "section"


def _numbered_ids(drawing: str, number: int) -> str:
    """Ids with the figure's number, so that the same drawing may stand in a page twice."""
    drawing = re.sub(r'\bid="([^"]+)"', rf'id="n{number}-\1"', drawing)
    drawing = re.sub(r"url\(#([^)]+)\)", rf"url(#n{number}-\1)", drawing)
    # Links within the drawing go with its ids; a link of its own (<a href>) leads to an anchor of the page.
    return re.sub(r'(?<!<a )href="#([^"]+)"', rf'href="#n{number}-\1"', drawing)
