"""The doctor on TensorFlow programs whose deaths are known: each found at its line, no alarm on the healthy ones."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow")

from doctor.open_half import identify, is_found, open_half
from straightthrough.doctor import doctor

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:.*IndexedSlices.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

CASES = open_half("tensorflow")


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_statuses_are_as_declared(case):
    loss, params, batch = case.build()
    found = {name: (p.status, p.reason) for name, p in doctor(loss, params, *batch).parameters.items()}
    declared = dict(case.parameters or {})
    assert declared.keys() <= found.keys()
    for name, (now, _) in found.items():
        wanted = declared.get(name, "frozen" if now == "frozen" else "reached")
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
