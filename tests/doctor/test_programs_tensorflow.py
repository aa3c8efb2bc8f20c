"""The TensorFlow programs of the examination do what they say: proven with the framework's own gradient only."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

import keras
import numpy as np
import tensorflow as tf

from doctor.catalogue import cases

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:.*IndexedSlices.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

HERE = Path(__file__).parent
STATUSES = {"reached", "partly_reached", "unreached", "unused", "frozen"}


def programs(half):
    found = []
    for file in sorted((HERE / half / "tensorflow").glob("*.py")):
        name = f"doctor.{half}.tensorflow.{file.stem}"
        importlib.import_module(name)
        found += [pytest.param(case, id=f"{half}-{case.name}") for case in cases.get(name, ())]
    return found


CASES = programs("programs") + programs("closed")


def repairs(half):
    return importlib.import_module(f"doctor.{half}.tensorflow._repairs").REPAIRS


REPAIRED = [
    pytest.param(parameter.values[0], changes, id=parameter.id)
    for half in ("programs", "closed")
    for name, changes in repairs(half).items()
    for parameter in [next(p for p in CASES if p.id == f"{half}-{name}")]
]


def named(params):
    """Each parameter of a model, or of a tree of variables and tensors, by its name."""
    if isinstance(params, keras.Model | keras.layers.Layer):
        return {variable.path: variable for variable in params.weights}
    if isinstance(params, tf.Module):
        return {variable.name.split(":")[0]: variable for variable in params.variables}
    if isinstance(params, dict):
        pairs = params.items()
    elif isinstance(params, list | tuple):
        pairs = enumerate(params)
    else:
        return {"": params}
    found = {}
    for key, value in pairs:
        for rest, leaf in named(value).items():
            found[f"{key}.{rest}" if rest else str(key)] = leaf
    return found


def gradients(build):
    """The loss and, by name, each parameter's gradient as an array, or None."""
    loss, params, batch = build()
    leaves = named(params)
    raw = {name: leaf.value if isinstance(leaf, keras.Variable) else leaf for name, leaf in leaves.items()}
    with tf.GradientTape(persistent=True) as tape:
        for value in raw.values():
            tape.watch(value)
        result = loss(params, *batch)
    try:
        every = tape.gradient(result, raw)
    except LookupError:  # an operator on the way has no gradient registered at all: ask for one after the other
        every = {}
        for name, value in raw.items():
            with contextlib.suppress(LookupError):
                every[name] = tape.gradient(result, value)
    found = dict.fromkeys(raw)
    for name, gradient in every.items():
        found[name] = None if gradient is None else tf.convert_to_tensor(gradient).numpy().astype("float64")
    return np.asarray(result), found, leaves


def observed(gradient):
    if gradient is None or not np.any(gradient):
        return "unreached"
    if not np.all(np.isfinite(gradient)):
        return "partly_reached" if np.any(np.isfinite(gradient)) else "unreached"
    return "reached"


def agrees(gradient, status):
    """Whether the gradient is one that a parameter of this status has."""
    if isinstance(status, tuple):
        assert status[1] in {"starved", "invariant", "zero_initialised", "stopped_on_purpose"}
        status = status[0]
    assert status in STATUSES
    if status == "frozen":
        return True
    if status in ("unused", "unreached") and gradient is not None and np.all(np.abs(gradient) < 1e-6):
        return True  # zero, or the noise of rounding
    if status in ("unused", "unreached"):
        return observed(gradient) == "unreached" and not (status == "unused" and gradient is not None)
    if status == "partly_reached":
        nothing = gradient is not None and (gradient == 0) | ~np.isfinite(gradient)
        return gradient is not None and bool(np.any(nothing)) and not bool(np.all(nothing))
    return observed(gradient) == "reached"


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_as_declared(case):
    result, found, leaves = gradients(case.build)
    dies = case.deaths
    assert result.shape == ()
    assert np.isfinite(result) or any("non_finite" in death.kinds for death in dies)
    assert bool(dies) == case.sick
    declared = dict(case.parameters or {})
    assert set(declared) <= set(found)
    if case.sick:
        assert set(declared) == set(found)
        assert (case.fix is None) == bool(case.why_not)
    for name, leaf in leaves.items():
        trainable = getattr(leaf, "trainable", True)
        declared.setdefault(name, "reached" if trainable else "frozen")
        assert trainable or declared[name] == "frozen", name
    for name, status in declared.items():
        assert agrees(found[name], status), (name, status, found[name])
    if case.sick and not any("non_finite" in death.kinds for death in dies):
        assert all(gradient is None or np.all(np.isfinite(gradient)) for gradient in found.values())


@pytest.mark.parametrize(("case", "changes"), REPAIRED)
def test_the_marked_lines_are_the_cause(case, changes, tmp_path):
    """With the marked lines repaired, and nothing else, all learn; each of them matters."""
    file = Path(importlib.import_module(case.build.__module__).__file__)
    lines = file.read_text().splitlines()
    marked = sorted({death.line for death in case.deaths})
    assert all(Path(death.file) == file for death in case.deaths)

    def repaired(changes, name):
        new, used = list(lines), set()
        for line in marked:
            for old, better in changes:
                if old in new[line - 1]:
                    new[line - 1] = new[line - 1].replace(old, better)
                    used.add((old, better))
        assert used == set(changes)
        (tmp_path / f"{name}.py").write_text("\n".join(new) + "\n")
        spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases.pop(name)
        return gradients(getattr(module, case.build.__name__))[1]

    dead = [name for name, status in case.parameters.items() if status in ("unreached", "partly_reached")]
    whole = found = repaired(changes, "repaired")
    for name in dead:
        assert found[name] is not None, name
        assert np.all(np.isfinite(found[name])), name
        assert np.max(np.abs(found[name])) > 1e-6, name
    if len(changes) > 1:
        for left in changes:
            rest = [change for change in changes if change != left]
            found = repaired(rest, "nearly")
            different = [found[name] is None or np.max(np.abs(found[name] - whole[name])) > 1e-6 for name in dead]
            assert any(different), left


def test_there_are_enough():
    for half in ("programs", "closed"):
        of_half = [
            case for name, found in cases.items() if name.startswith(f"doctor.{half}.tensorflow") for case in found
        ]
        assert sum(case.sick for case in of_half) >= 22
        assert sum(not case.sick for case in of_half) >= 11
