"""The doctor on PyTorch programs whose deaths are known: each found at its line, no alarm on the healthy ones."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from doctor.open_half import identify, is_found, open_half  # noqa: E402
from straightthrough.doctor import doctor  # noqa: E402

pytestmark = pytest.mark.torch

CASES = open_half("torch")


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
