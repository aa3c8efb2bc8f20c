"""What a check found: `Report` when everything passed, `ConformanceError` with the list of failures otherwise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from straightthrough._errors import SteError
from straightthrough.testing import _numbers as num

SHOWN = 20


class ConformanceError(SteError, AssertionError):
    """An operation or a proxy broke the contract; the message lists every failed check, `failures` holds them.

    Attributes:
        failures: one sentence per failed check, all of them.
        report: the counts, passed and failed.
    """

    def __init__(self, report: Report):
        self.report = report
        self.failures = report.failures
        shown = "\n".join(f"  {failure}" for failure in self.failures[:SHOWN])
        more = f"\n  and {len(self.failures) - SHOWN} more" if len(self.failures) > SHOWN else ""
        super().__init__(f"{report.subject}: {len(self.failures)} of {report.total} checks failed\n{shown}{more}")


@dataclass
class Report:
    """How many checks were made, and of what.

    Attributes:
        subject: the operation or the proxy.
        passed: (line of the contract, framework) → checks passed.
        failures: one sentence per failed check.
    """

    subject: str
    passed: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Checks made, passed or not."""
        return sum(self.passed.values()) + len(self.failures)

    def note(self, line: str, where: str, framework: str, good: bool, message: str) -> None:
        """Counts one check."""
        if good:
            self.passed[line, framework] += 1
        else:
            self.failures.append(f"{where}: {line}: {message}")

    def compare(self, line: str, where: str, framework: str, x: Any, got: Any, wanted: Any, off: Any = None) -> None:
        """One check of numbers: bit by bit, or within ``off``."""
        if np.shape(got) != np.shape(wanted):
            return self.note(line, where, framework, False, f"got shape {np.shape(got)}, wanted {np.shape(wanted)}")
        good = num.same(got, wanted) if off is None else num.near(got, wanted, off)
        place = np.broadcast_to(x, np.shape(got))[~good] if np.size(x) in (1, np.size(got)) else ""
        message = f"at {place[:4]} got {got[~good][:4]}, wanted {wanted[~good][:4]}" if not good.all() else ""
        return self.note(line, where, framework, bool(good.all()), message)

    def verdict(self) -> Report:
        """Itself.

        Raises:
            ConformanceError: a check failed.
        """
        if self.failures:
            raise ConformanceError(self)
        return self

    def __str__(self) -> str:
        lines = [f"{self.subject}: {self.total} checks passed"]
        for (line, framework), count in sorted(self.passed.items()):
            lines.append(f"  {line:<28} {framework:<11} {count:>6}")
        return "\n".join(lines)
