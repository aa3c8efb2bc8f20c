"""The suite itself: red checks fail their test, so does a test without a check, and pages are those of the tables."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from conformance import conftest, ledger, page
from conformance.product import Cell

CELL = Cell("torch", "sign", "atan", "float32")


@pytest.fixture
def book(monkeypatch):
    """A ledger whose counts do not reach the page."""
    monkeypatch.setattr(ledger, "total", Counter())
    return ledger.Ledger(1)


def run_test(book) -> None:
    """What pytest does around the body of a test, which has run."""
    call = conftest.pytest_pyfunc_call(SimpleNamespace(funcargs={"ledger": book}))
    next(call)
    with pytest.raises(StopIteration):
        call.send(True)


def test_red_checks_fail_the_test_itself_and_are_all_named(book):
    for name in ("first", "second"):
        book.note(CELL, "vmap", False, f"the {name} is wrong")
    with pytest.raises(
        pytest.fail.Exception, match=r"2 checks failed\n.*sign, atan, float32: the first is wrong\n.*second"
    ):
        run_test(book)


def test_green_checks_pass(book):
    book.note(CELL, "vmap", True)
    run_test(book)
    assert ledger.total == {("1", "torch", "sign", "atan", "float32", "vmap", "passed"): 1}


def test_a_test_without_a_check_fails(book):
    with pytest.raises(pytest.fail.Exception, match="nothing was checked"):
        run_test(book)


def test_the_page_of_limits_is_that_of_the_table():
    stale = "run python tests/conformance/page.py --limits"
    assert page.LIMITS_PAGE.read_text(encoding="utf-8") == page.limits_page(), stale
