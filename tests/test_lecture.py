"""The lecture's line beside ours: the Jacobian that the code derives, and what the line gets wrong."""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILE = "examples/lecture_problem_op_{}.py"
SUBTRACTION = {"torch": {"sub.Tensor", "add.Tensor", "detach.default"}, "jax": {"subtract", "add"}}
SUBTRACTION["tensorflow"] = {"Sub", "AddV2", "StopGradient"}


@functools.cache
def run_here(framework: str) -> dict:
    path = ROOT / FILE.format(framework)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(with_compiler=False) if framework == "torch" else module.main()


@functools.cache
def run_apart(framework: str) -> dict:
    """In a process of its own: the Keras file chooses a backend, and torch's compiler warns about itself."""
    program = f"import json, runpy; print(json.dumps(runpy.run_path('{FILE.format(framework)}')['main']()))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


FRAMEWORKS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("torch", "jax", "tensorflow")]


@pytest.fixture(params=FRAMEWORKS)
def numbers(request: pytest.FixtureRequest) -> dict:
    if request.param != "torch":
        pytest.importorskip({"tensorflow": "keras", "jax": "flax"}[request.param])
    found = run_apart("tensorflow") if request.param == "tensorflow" else run_here(request.param)
    return {"framework": request.param, **found}


def test_jacobian_is_one_and_zero_for_the_line_and_for_ours(numbers):
    assert numbers["jacobian_textbook"] == [1.0, 0.0]
    assert numbers["jacobian_ours"] == [1.0, 0.0]


def test_line_gets_large_bfloat16_numbers_wrong(numbers):
    assert numbers["bfloat16_textbook"] == [2.0, 0.0]
    assert numbers["bfloat16_ours"] == [1.0, 1.0]


def test_line_turns_infinity_into_nan(numbers):
    assert math.isnan(numbers["infinity_textbook"][0])
    assert numbers["infinity_ours"] == [1.0]


def test_line_loses_the_sign_of_zero(numbers):
    assert numbers["minus_zero"] == ["0.0", "-0.0"]


def test_line_leaves_its_arithmetic_in_the_exported_graph(numbers):
    extra = SUBTRACTION[numbers["framework"]]
    assert extra <= set(numbers["export_textbook"])
    assert [one for one in numbers["export_textbook"] if one not in extra] == numbers["export_ours"]


@pytest.mark.parametrize("numbers", FRAMEWORKS[2:], indirect=True)
def test_the_lectures_own_text_is_not_python(numbers):
    assert numbers["complaints"] == ["line 2: invalid syntax", "line 10: 'return' outside function"]


@pytest.mark.parametrize("numbers", FRAMEWORKS[1:2], indirect=True)
def test_jit_changes_nothing_on_jax(numbers):
    assert numbers["compiled_textbook"] == [2.0, 0.0]
    assert numbers["compiled_ours"] == [1.0, 1.0]


@pytest.mark.torch
@pytest.mark.slow
def test_compiled_by_torch_the_line_has_another_value_than_before():
    found = run_apart("torch")
    if found["compiled_textbook"] is None:
        pytest.skip("torch.compile needs a C++ compiler, and there is none here")
    assert found["bfloat16_textbook"] == [2.0, 0.0]
    assert found["compiled_textbook"] == [1.0, 1.0]
    assert found["compiled_ours"] == found["bfloat16_ours"] == [1.0, 1.0]
