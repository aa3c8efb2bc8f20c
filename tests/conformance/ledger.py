"""Counts every single check, so that the published page can say how many there were, and of what."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import limits
from conformance.product import Cell, adapter
from straightthrough.testing import _numbers as num

VARIABLE = "STRAIGHTTHROUGH_CONFORMANCE"
"""Names the directory where each worker leaves its counts; unset, nothing is written."""

total: Counter[tuple[str, ...]] = Counter()


class Ledger:
    """The checks of one test: adds them up, and fails the test at its end with all that went wrong."""

    def __init__(self, line: int):
        self.line = line
        self.checks = 0
        self.failures: list[str] = []

    def note(self, cell: Cell, transformation: str, passed: bool, message: str = "", outcome: str = "") -> None:
        self.checks += 1
        verdict = outcome or ("passed" if passed else "failed")
        total[(str(self.line), cell.framework, cell.operation, cell.proxy, cell.dtype, transformation, verdict)] += 1
        if not passed:
            proxy = f"{cell.proxy} (other parameters)" if cell.other else cell.proxy
            where = f"{cell.framework} {transformation}: {cell.operation}, {proxy}, {cell.dtype}"
            self.failures.append(f"{where}: {message}")

    def compare(self, cell: Cell, transformation: str, quantity: str, x, got, wanted, tolerance=0.0) -> None:
        """One quantity of one cell: a value bit by bit, anything else within its tolerance."""
        module = adapter(cell.framework)
        if module.dtype_name(got) != cell.dtype:
            return self.note(cell, transformation, False, f"{quantity} has dtype {module.dtype_name(got)}")
        got = module.numbers(got)
        if got.shape != np.shape(wanted):
            return self.note(
                cell, transformation, False, f"{quantity} has shape {got.shape}, wanted {np.shape(wanted)}"
            )
        good = num.same(got, wanted) if quantity == "value" else num.near(got, wanted, tolerance)
        place = np.broadcast_to(x, got.shape)[~good]
        message = (
            ""
            if good.all()
            else f"{quantity} at {place[:6]}: got {got[~good][:6]}, wanted {np.asarray(wanted)[~good][:6]}"
        )
        return self.note(cell, transformation, bool(good.all()), message)

    def run(self, transformation: str, cells: list[Cell], x, weight, quantities=frozenset()):
        """One transformation of many cells at once, and every quantity that it reports; what the table of limits says
        cannot be done must raise, or be refused, as the table says."""
        able = [cell for cell in cells if limits.find(cell, transformation) is None]
        for cell in cells:
            if cell not in able:
                self._limited(transformation, cell, x, weight)
        if not able:
            return
        module = adapter(able[0].framework)
        array, loss_gradient = able[0].array(x), able[0].array(weight)
        try:
            outcomes = module.TRANSFORMATIONS[transformation]([cell.function(x) for cell in able], array, loss_gradient)
        except Exception as error:
            if len(able) == 1:
                self.note(able[0], transformation, False, f"{type(error).__name__}: {str(error)[:300]}")
                return
            # One of them broke the batch: name it.
            for cell in able:
                self.run(transformation, [cell], x, weight, quantities)
            return
        for cell, outcome in zip(able, outcomes, strict=True):
            expected = cell.expected(x, weight, quantities)
            for quantity, got in outcome.items():
                if quantity in expected and (not quantities or quantity in quantities):
                    self.compare(cell, transformation, quantity, x, got, *expected[quantity])

    def _limited(self, transformation: str, cell: Cell, x, weight) -> None:
        limit = limits.find(cell, transformation)
        try:
            adapter(cell.framework).TRANSFORMATIONS[transformation](
                [cell.function(x)], cell.array(x), cell.array(weight)
            )
        except limit.error:
            return self.note(cell, transformation, True, outcome="limit")
        except Exception as error:
            return self.note(
                cell, transformation, False, f"should raise {limit.error}, raised {type(error).__name__}: {error}"
            )
        return self.note(cell, transformation, False, "is listed as a limit, yet it raised nothing: take the row out")

    def verdict(self) -> None:
        """Called when the body of the test has run; a test that has checked nothing proves nothing."""
        if not self.checks:
            pytest.fail(f"contract line {self.line}: nothing was checked", pytrace=False)
        if self.failures:
            shown = "\n".join(self.failures[:25])
            pytest.fail(f"contract line {self.line}: {len(self.failures)} checks failed\n{shown}", pytrace=False)


def save() -> None:
    """Called at the end of a session: this worker's counts as one file."""
    directory = os.environ.get(VARIABLE)
    if directory and total:
        rows = [[*key, count] for key, count in sorted(total.items())]
        Path(directory, f"{uuid.uuid4().hex}.json").write_text(json.dumps(rows), encoding="utf-8")
