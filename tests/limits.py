"""Everything that a framework cannot do: the one table. The suite asserts that each row raises what it says.

A row that stops raising fails the suite too, so that it is taken out when a framework learns.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Limit:
    """One thing that a framework cannot do; `operation`, `proxy`, `dtype` and `transformation` are patterns."""

    framework: str
    transformation: str
    reason: str
    link: str
    operation: str = "*"
    proxy: str = "*"
    dtype: str = "*"
    error: tuple[type[Exception], ...] = (Exception,)

    def covers(self, cell: Any, transformation: str) -> bool:
        pairs = (
            (cell.framework, self.framework),
            (transformation, self.transformation),
            (cell.operation, self.operation),
            (cell.proxy, self.proxy),
            (cell.dtype, self.dtype),
        )
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


LIMITS: list[Limit] = []


def find(cell: Any, transformation: str) -> Limit | None:
    """The row that covers a cell under a transformation."""
    return next((limit for limit in LIMITS if limit.covers(cell, transformation)), None)
