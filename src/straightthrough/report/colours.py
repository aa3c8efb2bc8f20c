"""One colour per name: the same in every plot of a report, and told apart by colour-blind readers.

The palette is Okabe and Ito's (2008), its light colours darkened until each has a contrast of about 3 or more with a
white page and with a dark one, so that one drawing serves both.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

PALETTE = (
    "#0072b2",  # blue
    "#c98500",  # orange
    "#009e73",  # green
    "#c0689a",  # purple
    "#3a9bd5",  # sky
    "#8a6d3b",  # brown
    "#7b68c8",  # violet
    "#8a8f1c",  # olive
)
BAD = "#d55e00"  # vermilion: kept for what is broken
GOOD = "#009e73"
INK = "#1b1f24"  # text and axes; becomes the page's own text colour where the drawing stands in a page
MUTED = "#6e7781"
RULE = "#d8dee4"

_BROKEN = frozenset({"broken", "hard", "no proxy", "none"})
_FLOAT = frozenset({"float", "full precision", "reference"})


def is_broken(name: str) -> bool:
    """Whether the name stands for the program before it was fixed."""
    return _first_word(name) in _BROKEN


def is_float(name: str) -> bool:
    """Whether the name stands for the program without hard operators."""
    return _first_word(name) in _FLOAT


def _first_word(name: str) -> str:
    lowered = name.casefold().strip()
    return next((word for word in _BROKEN | _FLOAT if lowered == word or lowered.startswith(word + " ")), lowered)


def colours_for(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name.

    A name asks for a place in the palette that follows from its letters alone, and moves on to the next free one if
    another name has it: the same set of names always gets the same colours, whatever their order. Pass the result for
    *all* names of a report to each plot, and a name keeps its colour where only some of them are drawn.

    Args:
        names: what is drawn. "broken" and "float" have fixed colours of their own.

    Returns:
        name -> "#rrggbb", in the order given.
    """
    asked = list(dict.fromkeys(names))
    chosen: dict[str, str] = {}
    used = [0] * len(PALETTE)
    for name in sorted(asked):
        if is_broken(name):
            chosen[name] = BAD
        elif is_float(name):
            chosen[name] = MUTED
        else:
            wish = zlib.crc32(name.encode()) % len(PALETTE)
            place = min(range(len(PALETTE)), key=lambda k: (used[k], (k - wish) % len(PALETTE)))
            used[place] += 1
            chosen[name] = PALETTE[place]
    return {name: chosen[name] for name in asked}
