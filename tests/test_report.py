"""Numbers and tables of a report, and what the package gives."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from straightthrough import report
from straightthrough._errors import ArgumentError
from straightthrough.report import Cell, Column, Table

SRC = str(Path(report.__file__).parents[2])


def in_another_process(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": SRC}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


# --- numbers and tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0, "", "0"),
        (0.0, "", "0"),
        (-0.0, "", "0"),
        (0.0, ".2e", "0"),
        (0.0, ".1%", "0%"),
        (0.98134, "", "0.9813"),
        (1437, "", "1437"),
        (12345.6, "", "12346"),
        (9999.7, "", "10000"),
        (3.2e-9, "", "3.2e-9"),
        (-4.5e12, "", "-4.5e12"),
        (0.123, ".1%", "12.3%"),
        (1e-5, ".2f", "1e-5"),
        (1e-5, ".1%", "0.001%"),
        (math.nan, ".2f", "nan"),
        (-math.inf, "", "-inf"),
        (None, "", "–"),
        (True, "", "yes"),
        ("relu", ".2f", "relu"),
    ],
)
def test_number(value: object, form: str, shown: str) -> None:
    assert report.number(value, form) == shown


@pytest.mark.parametrize(
    ("mean", "spread", "form", "shown"),
    [
        (0.9627, 0.00411, "", "0.9627 ± 0.0041"),
        (0.0, 0.0, "", "0 ± 0"),
        (12.34, 3.0, "", "12.3 ± 3.0"),
        (2.5e-7, 1e-8, "", "2.5e-7 ± 1.0e-8"),
        (0.5, 0.25, ".1%", "50.0% ± 25.0%"),
        (math.nan, 0.1, "", "nan ± 0.1"),
    ],
)
def test_spread(mean: float, spread: float, form: str, shown: str) -> None:
    assert Cell(mean, spread).show(form) == shown


def table() -> Table:
    rows = [["identity", Cell(0.97, 0.01, mark="good"), 0.25], ["<b>[red]broken", Cell(0.0, mark="bad"), 0.0]]
    return Table(
        "Accuracy & loss", ["proxy", Column("test", key="accuracy"), Column("loss", format=".3f")], rows, "Made up."
    )


def test_table_as_text_is_aligned() -> None:
    assert table().to_text().splitlines() == [
        "Accuracy & loss",
        "proxy                      test   loss",
        "──────────────  ───────────────  ─────",
        "identity        ✓ 0.970 ± 0.010  0.250",
        "<b>[red]broken              ✗ 0      0",
        "Made up.",
    ]


def test_table_as_dictionaries() -> None:
    assert table().to_dicts() == [
        {"proxy": "identity", "accuracy": 0.97, "accuracy_spread": 0.01, "accuracy_mark": "good", "loss": 0.25},
        {"proxy": "<b>[red]broken", "accuracy": 0.0, "accuracy_mark": "bad", "loss": 0.0},
    ]


def test_table_as_html_escapes_and_marks() -> None:
    text = table().to_html()
    assert "&lt;b&gt;[red]broken" in text
    assert "<b>" not in text
    assert "Accuracy &amp; loss" in text
    assert '<td class="right bad">✗ 0</td>' in text
    assert text.count('scope="col"') == 3


def test_table_in_a_terminal_keeps_names_that_look_like_markup() -> None:
    rich_console = pytest.importorskip("rich.console")
    console = rich_console.Console(force_terminal=True, color_system="standard", width=100, record=True)
    with console.capture() as captured:
        console.print(table().to_rich())
    assert "[red]broken" in captured.get()
    assert re.search(r"\x1b\[1;31m *✗ 0", captured.get())  # bold red


def test_table_prints_as_text_into_a_pipe_and_without_rich(capsys: pytest.CaptureFixture[str]) -> None:
    table().print()
    assert capsys.readouterr().out.strip() == table().to_text()
    code = "import sys; sys.modules['rich'] = sys.modules['rich.console'] = None\n"
    code += "from straightthrough.report import Table; Table('T', ['a'], [[0.5]]).print()"
    assert in_another_process(code).stdout.split() == ["T", "a", "───", "0.5"]


def test_table_of_uneven_rows_is_refused() -> None:
    with pytest.raises(ArgumentError, match="row 1 must have 2 entries, one per column, got 1"):
        Table("T", ["a", "b"], [[1, 2], [3]])


def test_empty_table() -> None:
    assert Table("T", ["a", "b"], []).to_text().splitlines()[1] == "a  b"


# --- the package ----------------------------------------------------------------------------------------------------


def test_every_public_name_is_there() -> None:
    for name in report.__all__:
        assert getattr(report, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        report.nothing  # noqa: B018


def test_importing_it_loads_neither_matplotlib_nor_rich() -> None:
    code = "import sys; from straightthrough.report import Table, Store, Page, write_json, loss_curves\n"
    code += "print([m for m in ('matplotlib', 'rich', 'numpy', 'torch', 'jax', 'tensorflow') if m in sys.modules])"
    done = in_another_process(code)
    assert done.stdout.strip() == "[]", done.stderr
