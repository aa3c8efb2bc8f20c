"""The command `ste`: what it prints, and how it says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the cli extra is not installed")

import straightthrough as ste
from straightthrough.cli import app

SOURCE = Path(__file__).resolve().parents[1] / "src"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def command(*words: object, **options) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "straightthrough.cli.app", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=300, **options)


def run(monkeypatch, capsys, *words: str) -> tuple[int, str, str]:
    """In this process: exit status, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["ste", *words])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    captured = capsys.readouterr()
    status = stopped.value.code
    return (status if isinstance(status, int) else 0), captured.out, captured.err


def test_version(monkeypatch, capsys):
    assert run(monkeypatch, capsys, "--version") == (0, f"straightthrough {ste.__version__}\n", "")


def test_help_names_the_commands_and_no_others(monkeypatch, capsys):
    status, out, _ = run(monkeypatch, capsys, "--help")
    assert status == 0
    assert [name for name in ("demo", "doctor", "proxies", "ship") if name not in out] == []
    assert [name for name in ("choose", "theory", "study") if f" {name} " in out] == []


def test_no_command_loads_a_framework_before_it_is_needed():
    program = (
        "import sys; from straightthrough.cli import app; app.application();"
        "print([m for m in ('torch', 'tensorflow', 'jax', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout == "[]\n"


def test_without_typer_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typer", None)
    status, out, err = run(monkeypatch, capsys, "--version")
    assert (status, out) == (2, "")
    assert err == "ste: the command needs typer; pip install 'straightthrough[cli]'\n"


def test_proxies_lists_every_one(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, "proxies")
    assert (status, err) == (0, "")
    shown = [line.split("(")[0].split()[0] for line in out.splitlines() if line.strip()]
    assert [name for name in ste.proxies.names() if name not in shown] == []


def test_proxies_describes_one_by_any_of_its_names(monkeypatch, capsys):
    status, out, _ = run(monkeypatch, capsys, "proxies", "hardtanh", "atan(alpha=3)")
    assert status == 0
    assert ste.proxies.describe("clipped_identity") in out
    assert ste.proxies.describe("atan(alpha=3)") in out


def test_proxies_draws_a_picture(monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "two.png"
    status, out, _ = run(
        monkeypatch, capsys, "proxies", "relu", "sigmoid", "--plot", str(picture), "--operator", "sign"
    )
    assert status == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert out.strip().endswith(str(picture))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["proxies", "clipd_relu"], "did you mean 'clipped_relu'?"),
        (["proxies", "relu", "--plot", "relu.pdf"], "--plot must name a .png file, got 'relu.pdf'"),
        (["proxies", "--plot", "relu.png"], "--plot draws the proxies that are named"),
        (["proxies", "atan(alpha=-1)"], "alpha must be"),
        (["demo", "--framework", "pytorch"], "--framework must be one of jax, torch, tensorflow"),
        (["ship", "model.py", "--out", "m"], "of the form FILE.py:NAME or package.module:NAME, got 'model.py'"),
        (["ship", "nowhere.py:model", "--out", "m"], "there is no file nowhere.py"),
    ],
)
def test_an_error_is_one_line_and_status_2(monkeypatch, capsys, words, message):
    status, out, err = run(monkeypatch, capsys, *words)
    assert (status, out) == (2, "")
    assert err.startswith("ste: ")
    assert err.count("\n") == 1
    assert message in err


TORCH_PROGRAM = """
import torch
import straightthrough as ste

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)
    def forward(self, x):
        return ste.sign(self.linear(x))

def trained():
    return Net(), torch.randn(5, 4)

def only_a_model():
    return Net()
"""


@pytest.mark.torch
def test_ship_writes_a_file_that_torch_loads_alone(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "program.py").write_text(TORCH_PROGRAM, encoding="utf-8")
    done = command("ship", f"{tmp_path / 'program.py'}:trained", "--out", tmp_path / "net")
    assert done.returncode == 0, done.stderr
    assert "15 outputs bitwise equal" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == str(tmp_path / "net.pt2")
    assert (tmp_path / "net.pt2").is_file()


@pytest.mark.torch
def test_ship_names_the_nearest_function_and_what_it_must_return(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    program = tmp_path / "a_program.py"
    program.write_text(TORCH_PROGRAM, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    status, _, err = run(monkeypatch, capsys, "ship", f"{program}:traind", "--out", str(tmp_path / "net"))
    assert status == 2
    assert "no function 'traind'; did you mean 'trained'?" in err
    status, _, err = run(monkeypatch, capsys, "ship", f"{program}:only_a_model", "--out", str(tmp_path / "net"))
    assert status == 2
    assert "must be a function that returns (model, example), got Net" in err
