"""Keys: how an operator at a place is named, by the doctor and to `with_proxies`."""

from __future__ import annotations

from straightthrough.programs._description import Place


def short_place(place: Place | None) -> str:
    """``file.py:12``, or ``?``."""
    return f"{place.file.replace(chr(92), '/').rpartition('/')[2]}:{place.line}" if place else "?"


class Keys:
    """Numbers the operators of one program, in its order.

    Calls from one place, as in a loop, share a key; a second place on the line is ``#2``.

    Attributes:
        seen: the keys so far, without their numbers.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[int | None]] = {}

    @property
    def seen(self) -> list[str]:
        return list(self._columns)

    def number(self, operator: str, place: Place | None) -> int:
        """Which of the places with one operator on one line this is, from 1."""
        columns = self._columns.setdefault(f"{operator}@{short_place(place)}", [])
        column = place.column if place else None
        if column not in columns:
            columns.append(column)
        return columns.index(column) + 1

    def key(self, operator: str, place: Place | None) -> str:
        """``round@file.py:12``, with ``#2`` for a second place on the line."""
        number = self.number(operator, place)
        return f"{operator}@{short_place(place)}" + ("" if number == 1 else f"#{number}")
