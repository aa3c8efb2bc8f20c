"""A diagnosis as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from straightthrough.report import Cell, Column, Table, number

if TYPE_CHECKING:
    from straightthrough.doctor.diagnosis import Diagnosis


def tables(diagnosis: Diagnosis) -> list[Table]:
    """Those that have rows."""
    made = [_findings(diagnosis), _parameters(diagnosis), _carried(diagnosis), _stops(diagnosis)]
    return [table for table in made if table.rows]


def _findings(diagnosis: Diagnosis) -> Table:
    rows = []
    for finding in diagnosis.findings:
        lost = [*finding.wholly, *(f"{name} (partly)" for name in finding.partly)]
        kind, where = Cell(finding.kind, mark="bad"), finding.text or finding.inside
        rows.append([kind, finding.key, where, number(finding.share, ".0%"), _few(lost), finding.remedy])
    columns: list[Column | str] = ["kind", "where", "line", "elements", "parameters that lose by it", "write instead"]
    return Table("Where the gradient dies, nearest the loss first", columns, rows)


def _parameters(diagnosis: Diagnosis) -> Table:
    rows = []
    for name, status in diagnosis.parameters.items():
        bad = status.status in ("unreached", "partly_reached") and status.reason is None
        mark = "bad" if bad else "good" if status.status == "reached" else None
        why = status.finding or (status.reason or "").replace("_", " ") or None
        rows.append([name, Cell(status.status.replace("_", " "), mark=mark), why, status.gradient])  # type: ignore[arg-type]
    columns: list[Column | str] = ["parameter", "gradient", "by", Column("norm", align="right")]
    return Table("Parameters", columns, rows)


def _carried(diagnosis: Diagnosis) -> Table:
    rows = [
        [c.key, c.proxy, f"{number(c.mean)} ± {number(c.std)}", c.width, number(c.live_share, ".0%"), c.warning]
        for c in diagnosis.carried
    ]
    width = Column("width", align="right")
    columns: list[Column | str] = ["hard operator", "proxy", "its input", width, "slope not 0", "note"]
    return Table("Hard operators that carry a proxy", columns, rows)


def _stops(diagnosis: Diagnosis) -> Table:
    return Table("Stops that cost no parameter its gradient", ["stop"], [[key] for key in diagnosis.stops])


def _few(names: list[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
