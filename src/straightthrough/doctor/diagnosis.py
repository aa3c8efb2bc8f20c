"""What the doctor says: findings, parameters, flow, stops and carried proxies; as text, HTML, JSON, or an error."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from straightthrough._errors import SteError
from straightthrough.doctor._paths import Paths
from straightthrough.doctor.findings import Finding, Findings, keys
from straightthrough.doctor.flow import Arrival, flow_of
from straightthrough.doctor.parameters import ParameterStatus, Statuses
from straightthrough.programs import Examination
from straightthrough.report import Table, number, write_json

FAR_APART = 4.0
"""A proxy this many times wider or narrower than its input's spread is warned of."""


class UnhealthyError(SteError, AssertionError):
    """`Diagnosis.assert_healthy` found a place where the gradient dies."""


@dataclass(frozen=True)
class CarriedProxy:
    """A hard operator that already carries a proxy.

    Attributes:
        key: the operator's key.
        proxy: the proxy as it is written.
        mean, std: of the operator's input, on this batch.
        live_share: the share of elements where the slope is not 0.
        width: of the proxy: the standard deviation of the noise whose density its slope is; None where there is none.
        warning: said when width and spread are far apart, or the slope is 0 nearly everywhere; else "".
    """

    key: str
    proxy: str
    mean: float
    std: float
    live_share: float
    width: float | None
    warning: str


@dataclass
class Diagnosis:
    """What one run of a program told about its gradient.

    Attributes:
        findings: the places where gradient dies, nearest the loss first.
        parameters: what became of each parameter, by name.
        flow: (key, norm of the loss gradient), from the head to the input.
        stops: explicit stops that cost no parameter its gradient: no alarm.
        carried: hard operators that already carry a proxy, and the input they meet.
        framework, mode, loss: of the run; mode is "training", "inference" or "".
    """

    findings: list[Finding]
    parameters: dict[str, ParameterStatus]
    flow: list[Arrival]
    stops: list[str] = field(default_factory=list)
    carried: list[CarriedProxy] = field(default_factory=list)
    framework: str = ""
    mode: str = ""
    loss: float = math.nan
    examination: Examination | None = field(default=None, repr=False)

    @property
    def healthy(self) -> bool:
        """Whether every parameter that could learn gets its gradient."""
        return not self.findings

    def assert_healthy(self) -> None:
        """Raises `UnhealthyError`, which names every finding, unless there is none."""
        if not self.healthy:
            lines = [f"{f.key}: {f.kind}; {', '.join(f.wholly + f.partly)}; write {f.remedy}" for f in self.findings]
            raise UnhealthyError("the gradient dies at " + "\n".join(lines))

    def summary(self) -> str:
        """One sentence."""
        learn = [name for name, p in self.parameters.items() if p.status not in ("frozen", "unused")]
        reached = [name for name in learn if self.parameters[name].status == "reached"]
        if self.healthy:
            return f"healthy: the gradient reaches {_count(len(reached), 'parameter')}"
        where = _count(len(self.findings), "place")
        return f"the gradient dies at {where}; it reaches {len(reached)} of {_count(len(learn), 'parameter')}"

    def tables(self) -> list[Table]:
        """The findings, the parameters, and the hard operators that carry a proxy, as tables."""
        from straightthrough.doctor.tables import tables

        return tables(self)

    def __str__(self) -> str:
        return "\n\n".join([self.summary(), *(table.to_text() for table in self.tables())])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "framework": self.framework,
            "mode": self.mode,
            "loss": self.loss,
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "parameters": {name: asdict(status) for name, status in self.parameters.items()},
            "flow": [{"key": arrival.key, "norm": arrival.norm} for arrival in self.flow],
            "stops": self.stops,
            "carried": [asdict(carried) for carried in self.carried],
        }

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Writes everything as JSON, whole or not at all."""
        return write_json(path, self.to_dict())

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Writes a page that needs nothing else: the drawn graph, the tables, and the source lines."""
        from straightthrough.doctor.page import page

        return page(self).write(path)

    def _repr_html_(self) -> str:
        return "".join(table.to_html() for table in self.tables())


def diagnose(examination: Examination) -> Diagnosis:
    """Reads an examination; knows no framework."""
    paths = Paths(examination)
    names = keys(examination.nodes)
    findings = Findings(examination, names)
    statuses = Statuses(examination, paths, findings).all()
    blamed = {finding.key for finding in findings.sorted()}
    on_the_way = paths.before_loss
    stops = [names[node.index] for node in reversed(examination.nodes) if node.stop and node.index in on_the_way]
    return Diagnosis(
        findings.sorted(),
        statuses,
        flow_of(examination, paths, names),
        list(dict.fromkeys(key for key in stops if key not in blamed)),
        _carried(examination, names),
        examination.framework,
        examination.mode,
        examination.value,
        examination,
    )


def _carried(examination: Examination, names: dict[int, str]) -> list[CarriedProxy]:
    found: dict[str, CarriedProxy] = {}
    for node in reversed(examination.nodes):
        if node.carried is not None:
            c = node.carried
            warning = _warning(c.std, c.width, c.live_share)
            key = names[node.index]
            found.setdefault(key, CarriedProxy(key, c.proxy, c.mean, c.std, c.live_share, c.width, warning))
    return list(found.values())


def _warning(std: float, width: float | None, live_share: float) -> str:
    if live_share < 0.02:
        return f"the slope is 0 for {number(1 - live_share, '.0%')} of the elements"
    if width is None or std == 0 or not math.isfinite(std):
        return ""
    if width > FAR_APART * std or width < std / FAR_APART:
        return f"std {number(std)}, width {number(width)}: use ste.proxies.matched, which takes half the std"
    return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
