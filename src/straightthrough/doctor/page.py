"""A diagnosis as one HTML file: the drawn graph, the tables, and the source lines."""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING

from straightthrough.doctor.findings import KINDS
from straightthrough.doctor.picture import anchor, picture
from straightthrough.report import Page, number

if TYPE_CHECKING:
    from straightthrough.doctor.diagnosis import Diagnosis
    from straightthrough.doctor.findings import Finding

AROUND = 3
"""Lines of code shown above and below a finding."""


def page(diagnosis: Diagnosis) -> Page:
    """The page; `Page.write` saves it."""
    run = f"{diagnosis.framework}, {diagnosis.mode} mode" if diagnosis.mode else diagnosis.framework
    made = Page("Where the gradient goes", diagnosis.summary() + ".", f"{run}; loss {number(diagnosis.loss)}.")
    _tiles(made, diagnosis)
    _drawing(made, diagnosis)
    made.section("Tables")
    for table in diagnosis.tables():
        made.table(table)
    _lines(made, diagnosis)
    return made


def _tiles(made: Page, diagnosis: Diagnosis) -> None:
    statuses = [status.status for status in diagnosis.parameters.values()]
    lost = statuses.count("unreached") + statuses.count("partly_reached")
    dead = len(diagnosis.findings)
    made.numbers(
        [
            (str(dead), "places where the gradient dies", "bad" if dead else "good"),
            (str(statuses.count("reached")), "parameters reached", "good"),
            (str(lost), "parameters without, or with a part of, their gradient", "bad" if dead else "note"),
        ]
    )


def _drawing(made: Page, diagnosis: Diagnosis) -> None:
    drawing = picture(diagnosis)
    if drawing is None:
        return
    caption = (
        "Each box is a line of the program, the loss on top. The wider an edge, the more loss gradient crosses it, on "
        "a logarithmic scale; the number in a box is its norm there. Red: where it dies; dashed: nothing arrives. "
        "A click on a box shows its line."
    )
    made.section("The loss gradient, from the loss to the parameters")
    made.figure(drawing, "the program's graph with the loss gradient as the width of its edges", caption)


def _lines(made: Page, diagnosis: Diagnosis) -> None:
    by_line: dict[tuple[str, int], list[Finding]] = {}
    for finding in diagnosis.findings:
        by_line.setdefault((finding.file, finding.line), []).append(finding)
    examination = diagnosis.examination
    nodes = examination.nodes if examination is not None else []
    quiet = {(node.place.file, node.place.line) for node in nodes if node.place is not None} - set(by_line)
    if by_line:
        made.section("The lines")
    for (file, line), found in by_line.items():
        made.anchor(anchor(file, line)).subheading(f"{file.rsplit('/', 1)[-1]}:{line}")
        for finding in found:
            made.note(f"`{finding.operator}`: {finding.kind}; {KINDS[finding.kind]}. Write `{finding.remedy}`.", "bad")
        _code(made, file, line, AROUND)
    if quiet:
        made.section("The other lines of the program")
    for file, line in sorted(quiet):
        made.anchor(anchor(file, line))
        _code(made, file, line, 0)


def _code(made: Page, file: str, line: int, around: int) -> None:
    shown = []
    for at in range(max(1, line - around), line + around + 1):
        shown.append(f"{'▶' if at == line else ' '} {at:>4}  {linecache.getline(file, at).rstrip()}")
    made.code("\n".join(shown), file)
