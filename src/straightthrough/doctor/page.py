"""A diagnosis as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from straightthrough.report import Page

if TYPE_CHECKING:
    from straightthrough.doctor.diagnosis import Diagnosis


def page(diagnosis: Diagnosis) -> Page:
    """The page; `Page.write` saves it."""
    made = Page("Where the gradient goes", diagnosis.summary(), f"{diagnosis.framework}, {diagnosis.mode}".strip(", "))
    for table in diagnosis.tables():
        made.section(table.title).table(table)
    return made
