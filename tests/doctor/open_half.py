"""The open half of the examination of one framework, and whether a marked death is among the doctor's findings."""

from __future__ import annotations

import importlib
from pathlib import Path

from doctor.catalogue import Case, Death, cases
from straightthrough.doctor import Finding
from straightthrough.programs._names import canonical


def open_half(framework: str) -> list[Case]:
    """Every program, file by file; a file whose name begins with ``_`` holds none."""
    found = []
    for path in sorted((Path(__file__).parent / "programs" / framework).glob("[!_]*.py")):
        name = f"doctor.programs.{framework}.{path.stem}"
        importlib.import_module(name)
        found += cases.get(name, [])
    return found


def identify(case: Case) -> str:
    return case.name


def is_found(death: Death, findings: list[Finding]) -> bool:
    names = [canonical(name) for name in death.operators]
    return any(
        (f.file, f.line) == (death.file, death.line) and f.kind in death.kinds and canonical(f.operator) in names
        for f in findings
    )
