"""The ledger of each test of the contract, and float64 in JAX while they run."""

from __future__ import annotations

import re

import pytest

from conformance import ledger as books
from conformance.product import adapter


@pytest.fixture
def ledger(request):
    """Counts the checks of this test under the contract line in its file's name; fails at the end with all failures."""
    found = books.Ledger(int(re.search(r"test_(\d)", request.path.name)[1]))
    yield found
    found.verdict()


@pytest.fixture(autouse=True)
def precise(request):
    """JAX has float64 only when it is asked to."""
    if "framework" in request.fixturenames:
        with adapter(request.getfixturevalue("framework")).precise():
            yield
    else:
        yield


def pytest_sessionfinish(session):
    books.save()
