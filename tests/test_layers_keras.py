"""The Keras layer on the backends that have gradients; each backend in processes of its own (`keras_program.py`)."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("keras")

HERE = pathlib.Path(__file__).parent
BACKENDS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("tensorflow", "torch", "jax")]
# What a bare sign, a Dense layer and a served function are made of.
SIGN_AND_DENSE = {"BiasAdd", "Const", "Identity", "MatMul", "NoOp", "Placeholder", "ReadVariableOp"}
SIGN_AND_DENSE |= {"AddV2", "Sign", "StatefulPartitionedCall"}


def run(backend: str, *command: str | pathlib.Path) -> dict:
    """The JSON object that a program prints last, run on one backend."""
    paths = os.pathsep.join([str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_on_its_backend(backend, tmp_path):
    checks = run(backend, HERE / "keras_program.py", "check", tmp_path)
    failures = {name: text for name, text in checks.items() if text != "ok"}
    assert not failures, "\n".join(failures.values())
    assert len(checks) >= 9
    loaded = run(backend, HERE / "keras_program.py", "load", tmp_path)
    assert loaded["same"], "a fresh process gives other outputs"
    # Since 3.9 Keras imports nothing outside its own packages: when this fails, the docs can promise more.
    assert loaded["without import"] is True
    if backend == "tensorflow":
        assert loaded["exported"], "the SavedModel gives other outputs"
        assert loaded["inference"], "the SavedModel gives other outputs"
        assert not loaded["library loaded"]
        assert set(loaded["operators inference"]) <= SIGN_AND_DENSE
        # Keras' own `export` leaves `training` open, so a gradient stays possible: an identity, no arithmetic.
        assert set(loaded["operators exported"]) - SIGN_AND_DENSE == {"IdentityN"}


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_example_learns(backend):
    program = "import json, runpy; print(json.dumps(runpy.run_path('examples/layers_keras.py')['main']()))"
    result = run(backend, "-c", f"import os; os.chdir({str(HERE.parent)!r}); {program}")
    assert result["same"]
    assert result["last"] < 0.6 * result["first"]
    assert result["accuracy"] > 0.75
    assert result["width"] != 1.0


@pytest.fixture
def layer_class():
    if not any(importlib.util.find_spec(name) for name in ("tensorflow", "torch", "jax")):
        pytest.skip("no Keras backend with gradients is installed")
    from straightthrough.keras import StraightThrough

    return StraightThrough


@pytest.mark.tensorflow
@pytest.mark.parametrize("backend", ["numpy", "openvino"])
def test_a_backend_without_gradients_is_refused(layer_class, backend, monkeypatch):
    import keras

    import straightthrough as ste

    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    with pytest.raises(ste.UnsupportedError) as raised:
        layer_class("sign")
    assert str(raised.value) == (
        f"StraightThrough: the Keras backend {backend} computes no gradients; set KERAS_BACKEND to tensorflow, torch "
        "or jax before keras is imported"
    )


@pytest.mark.tensorflow
def test_what_cannot_be_saved_says_so(layer_class):
    import functools

    import scipy.stats

    import straightthrough as ste

    partial = functools.partial(pow, 2.0)
    with pytest.raises(ste.ArgumentError, match=r"StraightThrough: operator must be .* for saving, got functools"):
        layer_class(partial).get_config()
    noise = ste.proxies.from_noise(scipy.stats.gamma(2.0))
    with pytest.raises(ste.UnsupportedError, match="has no closed form that a file could name"):
        layer_class("heaviside", noise).get_config()


@pytest.mark.tensorflow
def test_bad_arguments_are_refused_when_the_layer_is_made(layer_class):
    import straightthrough as ste

    with pytest.raises(ste.UnknownNameError, match=r"no operation is named 'sing'; did you mean 'sign'\?"):
        layer_class("sing")
    with pytest.raises(ste.ArgumentError, match="ternary has no argument 'treshold'; it takes threshold"):
        layer_class("ternary", treshold=0.5)
