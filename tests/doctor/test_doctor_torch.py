"""The doctor on PyTorch programs whose deaths are known: each found at its line, no alarm on the healthy ones."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from doctor.catalogue import cases  # noqa: E402
from straightthrough.doctor import doctor  # noqa: E402
from straightthrough.programs._names import canonical  # noqa: E402

pytestmark = pytest.mark.torch

MODULES = [
    f"doctor.programs.torch.{path.stem}" for path in sorted((Path(__file__).parent / "programs/torch").glob("*.py"))
]
for module in MODULES:
    importlib.import_module(module)
CASES = [case for module in MODULES for case in cases.get(module, [])]


def identify(case):
    return case.name


def is_found(death, findings):
    names = [canonical(name) for name in death.operators]
    return any(
        (f.file, f.line) == (death.file, death.line) and f.kind in death.kinds and canonical(f.operator) in names
        for f in findings
    )


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_statuses_are_as_declared(case):
    loss, params, batch = case.build()
    found = {name: (p.status, p.reason) for name, p in doctor(loss, params, *batch).parameters.items()}
    declared = case.parameters or dict.fromkeys(found, "reached")
    assert found.keys() == declared.keys()
    for name, wanted in declared.items():
        status, *reason = (wanted,) if isinstance(wanted, str) else wanted
        assert found[name][: 1 + len(reason)] == (status, *reason), name


@pytest.mark.parametrize("case", [case for case in CASES if case.sick], ids=identify)
def test_every_death_is_found_at_its_line(case):
    loss, params, batch = case.build()
    findings = doctor(loss, params, *batch).findings
    assert [death for death in case.deaths if not is_found(death, findings)] == []


@pytest.mark.parametrize("case", [case for case in CASES if not case.sick], ids=identify)
def test_no_alarm_on_a_healthy_program(case):
    loss, params, batch = case.build()
    assert doctor(loss, params, *batch).findings == []
