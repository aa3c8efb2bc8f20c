"""The ledger of each test of the contract, and float64 in JAX while they run."""

from __future__ import annotations

import re

import pytest

from conformance import ledger as books
from conformance.product import adapter


@pytest.fixture
def ledger(request):
    """Counts the checks of this test under the contract line in its file's name."""
    return books.Ledger(int(re.search(r"test_(\d)", request.path.name)[1]))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Fails the test itself with all that its ledger holds; a fixture's teardown would count as an error beside it."""
    result = yield
    if "ledger" in pyfuncitem.funcargs:
        pyfuncitem.funcargs["ledger"].verdict()
    return result


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
