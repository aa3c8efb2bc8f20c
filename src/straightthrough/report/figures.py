"""Matplotlib figures without pyplot: made, saved as PNG, and turned into SVG that stands inside a page."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from straightthrough._errors import MissingDependencyError
from straightthrough.report.colours import INK, MUTED, RULE
from straightthrough.report.writing import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "svg.hashsalt": "straightthrough",
}


def _need_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("report: plots need matplotlib; pip install 'straightthrough[report]'") from error


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """The look of our plots, for as long as the context lasts; the user's own settings come back after it."""
    _need_matplotlib()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for name, value in _STYLE.items():
            matplotlib.rcParams[name] = value
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with its own canvas, unknown to pyplot; width and height in inches."""
    _need_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def settle(figure: Figure) -> Figure:
    """Fixes the layout, so that saving a figure twice, or first as PNG, gives the same picture."""
    layout = figure.get_layout_engine()
    if layout is not None:
        for _ in range(2):  # each round starts from the one before; what a third would move is not seen
            layout.execute(figure)
        figure.set_layout_engine("none")
    return figure


def label_lines(axes: Axes, labels: list[tuple[float, str, str]], gap: float) -> None:
    """Writes each line's name at its right end, moved apart where two would touch.

    Args:
        axes: holds the lines; its limits are final.
        labels: (height in data units, text, colour) per line.
        gap: the least distance of two labels, as a share of the axes' height.
    """
    if not labels:
        return
    shares = [float(axes.transAxes.inverted().transform(axes.transData.transform((0.0, y)))[1]) for y, _, _ in labels]
    for (y, text, colour), place in zip(labels, spread_out(shares, gap), strict=True):
        axes.annotate(
            text,
            xy=(1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(1.035, place),
            textcoords="axes fraction",
            color=colour,
            fontweight="bold",
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.7, "shrinkA": 1, "shrinkB": 0},
        )


def spread_out(places: list[float], gap: float) -> list[float]:
    """The same places in the same order, pushed apart until neighbours are `gap` from each other, within 0 to 1."""
    order = sorted(range(len(places)), key=places.__getitem__)
    groups: list[tuple[float, list[int]]] = []  # centre, members: a group's members are exactly `gap` apart
    for index in order:
        centre, members = places[index], [index]
        while groups:
            before, others = groups[-1]
            if (centre - before) >= gap * (len(members) + len(others)) / 2:
                break
            groups.pop()
            total = len(members) + len(others)
            centre, members = (centre * len(members) + before * len(others)) / total, others + members
        half = gap * (len(members) - 1) / 2
        groups.append((min(max(centre, half), max(1.0 - half, half)), members))
    moved = [0.0] * len(places)
    for centre, members in groups:
        for step, index in enumerate(members):
            moved[index] = centre + gap * (step - (len(members) - 1) / 2)
    return moved


def save_png(figure: Figure, path: str | os.PathLike[str], dpi: int = 160) -> Path:
    """Saves a figure as PNG, whole or not at all.

    Args:
        figure: from one of the plots here.
        path: the file; its folder is made if it is missing.
        dpi: dots per inch.

    Raises:
        DataError: the file cannot be written.
    """
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return write_bytes(path, buffer.getvalue())


def svg(figure: Figure) -> str:
    """A figure as an `<svg>` element to stand inside a page.

    The same figure gives the same text, whenever and wherever. Ink and rules take the page's colours (also its dark
    ones), the width follows the page, and ids are the figure's own, so that many figures fit into one page.
    """
    buffer = io.StringIO()
    with styled():
        # The date is the one thing that would differ; the rest of the metadata is of no use inside a page.
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(buffer.getvalue())


def _for_page(text: str) -> str:
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = text.replace("'DejaVu Sans'", "var(--figure-font, 'DejaVu Sans', Verdana, sans-serif)")
    text = re.sub(r"font-family: DejaVu Sans", "font-family: var(--figure-font, 'DejaVu Sans', sans-serif)", text)
    for colour, name in ((INK, "ink"), (MUTED, "muted"), (RULE, "rule"), ("#ffffff", "paper")):
        text = text.replace(colour, f"var(--{name}, {colour})")
    prefix = "f" + hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    text = re.sub(r' xmlns:xlink="[^"]*"', "", text).replace("xlink:href", "href")
    head, rest = text.split(">", 1)
    head = re.sub(r' (?:xmlns|version)="[^"]*"', "", head)
    width = re.search(r' width="([\d.]+)pt"', head)
    points = float(width.group(1)) if width else 460.0
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} style="width:100%;max-width:{points * 1.8:.0f}px">{rest}'
