"""The story of `ste demo`, on each framework, shortened: what is printed and written is what was measured."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the demo extra is not installed")
pytest.importorskip("rich", reason="the demo extra is not installed")
pytest.importorskip("typer", reason="the demo extra is not installed")
pytest.importorskip("sklearn", reason="the demo extra is not installed")
pytest.importorskip("matplotlib", reason="the demo extra is not installed")

import numpy as np

from straightthrough import ArgumentError, MissingDependencyError, UnknownNameError, datasets
from straightthrough.demo import network
from straightthrough.demo.settings import Settings
from straightthrough.report import read_json

FRAMEWORKS = [
    pytest.param("jax", marks=pytest.mark.jax),
    pytest.param("torch", marks=pytest.mark.torch),
    pytest.param("tensorflow", marks=pytest.mark.tensorflow),
]
SOURCE = Path(__file__).resolve().parents[1] / "src"
# So small a network keeps one thread busy; on a busy machine a second one makes it wait.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
COMMAND = [sys.executable, "-m", "straightthrough.cli.app", "demo"]
FIRST = ["hidden 3", "sign 2", "hidden 2", "sign 1", "hidden 1"]


def demo(*options: object, environment: dict[str, str] = ENVIRONMENT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, options)], capture_output=True, text=True, check=False, env=environment, timeout=550
    )


def short_demo(out: Path, *more: object, framework: str = "torch") -> list[object]:
    return ["--framework", framework, "--epochs", 3, "--seeds", 1, "--out", out, *more]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A framework → what its short demo printed, and its folder, which no test may change; each is run once."""

    @functools.cache
    def told_by(framework: str) -> tuple[str, Path]:
        pytest.importorskip(framework)
        out = tmp_path_factory.mktemp(framework) / "out"
        done = demo(*short_demo(out, framework=framework))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, out

    return told_by


@pytest.fixture(scope="module", params=FRAMEWORKS)
def told(request, finished):
    """A short demo of one framework: its name, what it printed, its folder."""
    return request.param, *finished(request.param)


@pytest.fixture(scope="module")
def results(told):
    return read_json(told[2] / "results.json")


@pytest.fixture(scope="module")
def data():
    return network.prepared(datasets.load("digits"))


def steps_of(results, variant: str) -> dict[str, dict]:
    return {step["name"]: step for step in results["flow"][variant]}


def test_the_gradient_is_exactly_zero_before_the_hard_operator(results):
    broken = steps_of(results, "broken")
    assert list(broken) == ["output", "sign 3", *FIRST]  # head first
    assert [broken[name]["loss_gradient"] for name in FIRST] == [0.0] * 5
    assert [broken[name]["weight_gradient"] for name in FIRST if name.startswith("hidden")] == [0.0] * 3
    assert broken["output"]["weight_gradient"] > 0.1
    assert broken["sign 3"]["loss_gradient"] > 0.01


def test_the_fix_revives_every_layer_and_leaves_the_head_as_it_was(results):
    broken, fixed = steps_of(results, "broken"), steps_of(results, network.FIX)
    for name in FIRST:
        assert fixed[name]["loss_gradient"] > 1e-3, name
    # The value is that of the operator, so the loss and what arrives at the head are unchanged.
    assert fixed["output"] == broken["output"]
    assert fixed["sign 3"] == broken["sign 3"]


def test_training_the_broken_network_moves_the_last_layer_only(results):
    moved = {run["variant"]: run["moved"] for run in results["runs"]}
    assert moved["broken"][:3] == [0.0, 0.0, 0.0]
    assert moved["broken"][3] > 0.1
    assert all(distance > 0.1 for distance in moved[network.FIX])


def test_every_variant_ran_and_was_measured(told, results, data):
    names = {variant.name for variant in network.VARIANTS}
    assert {"identity", "relu", "clipped_relu"} < names
    assert len([variant for variant in network.VARIANTS if variant.kind in ("proxy", "matched")]) >= 6
    assert {run["variant"] for run in results["runs"]} == names
    for run in results["runs"]:
        with np.load(told[2] / run["file"]) as arrays:
            accuracy = float(np.mean(arrays["logits"].argmax(axis=1) == data.y_test))
        assert run["accuracy"] == accuracy
        assert len(run["losses"]) == 3
        assert run["losses"][2] < run["losses"][0]


def test_the_shipped_file_gives_the_training_logits_bit_for_bit(results):
    ship = results["ship"]
    assert ship["equal"]
    assert ship["equal_to_training_run"]
    signs = [count for name, count in ship["operations"].items() if "sign" in name.lower()]
    assert signs == [3]
    run = next(run for run in results["runs"] if run["variant"] == ship["variant"])
    assert ship["accuracy"] == run["accuracy"]


def test_the_printed_story(told, results):
    framework, printed, out = told
    assert "digits: 14" in printed
    assert "ste.with_proxy(" in printed
    assert "✗ 0" in printed
    for row in results["summary"]:
        assert f"{row['test accuracy']:.1%}" in printed
    assert printed.strip().splitlines()[-1] == str((out / "report.html").resolve())
    assert framework in printed


def test_the_report_needs_no_other_file(told):
    page = (told[2] / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    assert 'src="' not in page
    assert 'rel="stylesheet"' not in page
    assert "<script" not in page
    for name in ("accuracy", "loss", "flow", "proxies"):
        assert (told[2] / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.torch
def test_interrupted_it_keeps_what_is_finished_and_says_how_to_go_on(tmp_path, finished):
    pytest.importorskip("torch")
    out = tmp_path / "with space" / "out"
    # A test runner in the background ignores SIGINT, and its children would too. Not preexec_fn: it forks, and JAX
    # warns of that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [*COMMAND, *map(str, short_demo(out))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
    ) as running:  # fmt: skip
        signal.signal(signal.SIGINT, before)
        assert running.stdout is not None
        assert running.stderr is not None
        seen = ""
        for line in running.stdout:
            seen += line
            if "trained float" in line:
                running.send_signal(signal.SIGINT)
                break
        rest, errors = running.stdout.read(), running.stderr.read()
    assert running.returncode == 130, seen + rest + errors
    assert "Traceback" not in errors
    records = (out / "runs.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    assert f"Interrupted: {len(records)} of {len(network.VARIANTS)} runs are finished and kept in {out}" in rest
    assert 2 <= len(records) < len(network.VARIANTS)
    command = rest.strip().splitlines()[-1].strip()
    assert command == f"ste demo --framework torch --data digits --seeds 1 --seed 0 --epochs 3 --out '{out}'"

    done = demo(*short_demo(out))
    assert done.returncode == 0, done.stderr
    assert f"resumed  {len(records)} of {len(network.VARIANTS)} runs" in done.stdout
    after = (out / "runs.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    assert after[: len(records)] == records
    assert len(after) == len(network.VARIANTS)

    # The same as without an interruption.
    other = finished("torch")[1]
    accuracies = [
        [(run["variant"], run["accuracy"], run["losses"]) for run in read_json(folder / "results.json")["runs"]]
        for folder in (out, other)
    ]
    assert accuracies[0] == accuracies[1]


@pytest.mark.torch
def test_other_settings_in_the_same_folder_are_kept_apart_and_a_lost_file_runs_again(tmp_path, finished):
    pytest.importorskip("torch")
    out = tmp_path / "out"
    shutil.copytree(finished("torch")[1], out)
    lost = next((out / "runs").glob("*relu*.npz"))
    lost.write_bytes(lost.read_bytes()[:100])
    total = len(network.VARIANTS)
    again = demo(*short_demo(out))
    assert f"resumed  {total - 1} of {total} runs" in again.stdout
    other = demo(*short_demo(out, "--epochs", 1))
    assert other.returncode == 0, other.stderr
    assert "resumed" not in other.stdout
    assert f"{total + 1} runs of other settings" in other.stdout
    assert all(len(run["losses"]) == 1 for run in read_json(out / "results.json")["runs"])


def test_missing_data_are_named_before_anything_runs(tmp_path):
    done = demo("--data", "mnist", "--data-dir", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("ste: load: ")
    assert str(tmp_path / "nowhere") in done.stderr
    assert "put the four official" in done.stderr
    assert not (tmp_path / "out").exists()


def test_damaged_data_are_named_before_anything_runs(tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04 cut short")
    done = demo("--data", "mnist", "--data-dir", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "mnist.npz") in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.torch
def test_mnist_from_a_folder_says_how_much_of_it_is_used(tmp_path):
    pytest.importorskip("torch")
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (200, 28, 28), np.uint8), np.arange(200) % 10
    folder = tmp_path / "data"
    folder.mkdir()
    with (folder / "mnist.npz").open("wb") as file:
        np.savez(
            file, x_train=images, y_train=labels.astype(np.uint8), x_test=images[:50], y_test=labels[:50].astype("u1")
        )
    done = demo(*short_demo(tmp_path / "out", "--data", "mnist", "--data-dir", folder, "--epochs", 1))
    assert done.returncode == 0, done.stderr
    assert "MNIST: 200 train, 50 test, 28x28" in done.stdout
    assert "784-16-16-16-10" in done.stdout


def test_a_missing_framework_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "straightthrough.demo.torch", raising=False)
    with pytest.raises(
        MissingDependencyError, match=r"needs torch, which is not installed; pip install 'straightthrough\[torch"
    ):
        network.load_framework("torch")


def test_wrong_options_are_named():
    with pytest.raises(
        UnknownNameError, match=r"--framework must be one of jax, torch, tensorflow, got 'pytorch'; did you"
    ):
        Settings(framework="pytorch")
    with pytest.raises(
        UnknownNameError, match=r"--data must be one of digits, .* got 'fashion'; did you mean 'fashion_mnist'"
    ):
        Settings(data="fashion")
    for option in ({"seeds": 0}, {"epochs": 0}, {"seed": -1}):
        with pytest.raises(ArgumentError, match=f"demo: --{next(iter(option))} must be"):
            Settings(**option)


def test_all_frameworks_start_from_the_same_weights_and_see_the_same_batches():
    weights = network.first_weights((64, 16, 10), seed=3)
    again = network.first_weights((64, 16, 10), seed=3)
    assert all((a == b).all() for one, two in zip(weights, again, strict=True) for a, b in zip(one, two, strict=True))
    batches = network.batches(100, epochs=2, seed=3)
    assert batches.shape == (2, 3, 32)
    assert all(len(set(epoch.ravel())) == 96 for epoch in batches)
    assert (batches[0] != batches[1]).any()


@pytest.mark.browser
@pytest.mark.parametrize(
    "framework",
    [FRAMEWORKS[1], *(pytest.param(*one.values, marks=[*one.marks, pytest.mark.slow]) for one in FRAMEWORKS[::2])],
)
def test_the_report_in_a_real_browser(finished, framework, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    address = (finished(framework)[1] / "report.html").resolve().as_uri()
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    for width in (1200, 500):
        picture = tmp_path / f"{width}.png"
        shot = [*command, "--hide-scrollbars", f"--window-size={width},1600", f"--screenshot={picture}", address]
        done = subprocess.run(shot, capture_output=True, text=True, check=False, timeout=120)
        assert picture.is_file(), done.stderr
        shades = shades_of(picture)
        assert len(shades) > 100, "the page is empty"
        # The page's style was applied: there is colour on it, not only black text on white.
        assert sum(1 for r, g, b in shades if max(r, g, b) - min(r, g, b) > 60) > 20
    dump = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, check=False, timeout=120)
    assert dump.stdout.count("<svg") == 4
    assert "bit for bit" in dump.stdout


def shades_of(picture: Path) -> set[tuple[int, int, int]]:
    from matplotlib.image import imread

    pixels = (imread(picture)[..., :3] * 255).astype(np.uint8).reshape(-1, 3)
    return {tuple(int(v) for v in pixel) for pixel in np.unique(pixels, axis=0)}


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_whole_demo_on_digits(framework, tmp_path):
    """The defaults: three minutes at most, and a float network at least 10 points above random hidden features."""
    pytest.importorskip(framework)
    start = time.perf_counter()
    done = demo("--framework", framework, "--out", tmp_path / "out")
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    summary = {
        row["hidden activation"]: row["test accuracy"] for row in read_json(tmp_path / "out/results.json")["summary"]
    }
    assert summary["float (tanh)"] >= summary["broken"] + 0.10
    assert summary[network.FIX] >= summary["broken"] + 0.10
    print(f"{framework}: {seconds:.0f} s", json.dumps(summary))
