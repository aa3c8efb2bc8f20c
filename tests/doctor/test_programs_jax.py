"""The JAX half of the examination is right: every declared cause is proven with JAX's own gradient alone.

A program's gradient is zero, nan or alive where its author says so; a parameter said to be on a path moves the loss
when it is moved far; and, for the programs in their file's ``REPAIRS``, the text of the death replaced by something
soft wakes what it killed.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")

import jax.numpy as jnp  # noqa: E402

from doctor.catalogue import cases  # noqa: E402

pytestmark = pytest.mark.jax

HERE = Path(__file__).parent
KINDS = {"flat", "cut", "tie", "saturated", "non_finite"}
STATUSES = {"reached", "partly_reached", "unreached", "unused", "frozen"}
REASONS = {"starved", "invariant", "zero_initialised", "stopped_on_purpose"}


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


MODULES = [
    f"doctor.{half}.jax.{path.stem}"
    for half in ("programs", "closed")
    for path in sorted((HERE / half / "jax").glob("*.py"))
]
for module in MODULES:
    importlib.import_module(module)
CASES = [case for module in MODULES for case in cases.get(module, [])]
SICK = [case for case in CASES if case.sick]


def identify(case):
    return case.build.__module__.split(".")[1] + "." + case.name


def leaves(params):
    """The arrays by name, and the way back."""
    if isinstance(params, nnx.Module):
        graph, own, rest = nnx.split(params, nnx.Param, ...)
        flat = {".".join(map(str, path)): variable[...] for path, variable in nnx.to_flat_state(own)}

        def back(flat):
            pairs = nnx.to_flat_state(own)
            state = nnx.from_flat_state([(path, v.replace(flat[".".join(map(str, path))])) for path, v in pairs])
            return nnx.merge(graph, state, rest, copy=True)

        return flat, back
    pairs, tree = jax.tree_util.tree_flatten_with_path(params)
    names = [
        ".".join(str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", None)))) for k in path) for path, _ in pairs
    ]
    return dict(zip(names, (leaf for _, leaf in pairs), strict=True)), lambda flat: tree.unflatten(
        [flat[n] for n in names]
    )


def gradients(program, eager=False):
    loss, params, batch = program
    flat, back = leaves(params)
    moving = {name: leaf for name, leaf in flat.items() if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)}

    def of(moving):
        return loss(back({**flat, **moving}), *batch)

    value, slopes = (jax.value_and_grad(of) if eager else jax.jit(jax.value_and_grad(of)))(moving)
    assert jnp.shape(value) == ()
    found = {name: np.zeros(np.shape(leaf)) for name, leaf in flat.items()}
    found.update({name: np.asarray(slope, np.float64) for name, slope in slopes.items()})
    return float(value), found, of, moving


def leaves_jax(case):
    return any({"item", "bool"} & set(death.operators) for death in case.deaths)


@functools.cache
def _measured(i):
    return gradients(CASES[i].build(), eager=leaves_jax(CASES[i]))


def measured(case):
    return _measured(next(i for i, other in enumerate(CASES) if other is case))


def declared(case, name):
    said = case.parameters[name] if case.parameters is not None else "reached"
    return (said, None) if isinstance(said, str) else said


def ulps(of, moving):
    """The gradient again, all parameters moved by about one ulp: a real gradient stays, noise does not."""
    moved = {
        name: leaf * (1 + 3e-7 * np.random.default_rng(i).choice([-1, 1], np.shape(leaf)).astype(np.float32))
        for i, (name, leaf) in enumerate(sorted(moving.items()))
    }
    return {name: np.asarray(slope, np.float64) for name, slope in jax.grad(of)(moved).items()}


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_gradients_are_as_declared(case):
    value, slopes, of, moving = measured(case)
    if case.parameters is not None:
        assert set(case.parameters) == set(slopes)
    broken = {kind for death in case.deaths for kind in death.kinds} == {"non_finite"}
    assert np.isfinite(value) or broken
    for name, slope in slopes.items():
        status, reason = declared(case, name)
        assert status in STATUSES
        assert reason is None or reason in REASONS
        if reason == "invariant":
            assert np.abs(slope).max() <= 1e-5 * max(np.abs(s).max() for s in slopes.values()), name
        elif status == "reached":
            assert np.isfinite(slope).all(), name
            assert slope.any(), name
            if np.abs(slope).max() < 1e-6:
                again = ulps(of, moving)[name]
                assert (slope * again).sum() > 0.999 * np.linalg.norm(slope) * np.linalg.norm(again), name
        elif status == "partly_reached":
            dead = (slope == 0) | ~np.isfinite(slope)
            assert dead.any(), name
            assert not dead.all(), name
        elif broken and status == "unreached" and reason is None:
            assert not np.isfinite(slope).any(), name
        elif slope.any():  # a compiler may leave rounding noise where plain evaluation is exact
            assert not gradients(case.build(), eager=True)[1][name].any(), name


@pytest.mark.parametrize("case", SICK, ids=identify)
def test_what_is_unreached_lies_on_a_path_and_what_is_unused_does_not(case):
    value, _, of, moving = measured(case)
    of = of if leaves_jax(case) else jax.jit(of)
    for name, leaf in moving.items():
        status, reason = declared(case, name)
        if status not in ("unreached", "unused") or reason is not None or not np.isfinite(value):
            continue
        here = float(of(moving))
        noise = np.random.default_rng(0).normal(size=np.shape(leaf)).astype(np.float32)
        far = (float(of({**moving, name: leaf + scale * noise})) for scale in (1.0, -1.0, 30.0, -30.0, 1e4, -1e4))
        if status == "unused":
            assert all(there == here for there in far), name
        else:
            assert any(there != here for there in far), name


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_marks_are_well_formed(case):
    assert bool(case.deaths) == case.sick
    for death in case.deaths:
        assert set(death.kinds) <= KINDS
        assert not set(death.operators) & KINDS
    if case.sick:
        assert (case.fix is None) == bool(case.why_not)
        assert all(declared(case, name)[0] in STATUSES for name in case.parameters)
        written = {operator for death in case.deaths for operator in death.operators}
        assert set(case.fix or ()) <= written


def repairs():
    for module in MODULES:
        for name, changes in getattr(importlib.import_module(module), "REPAIRS", {}).items():
            (case,) = (case for case in cases[module] if case.build.__name__ == name)
            yield pytest.param(case, changes, id=identify(case))


@pytest.mark.parametrize(("case", "changes"), list(repairs()))
def test_the_death_taken_out_wakes_what_it_killed(case, changes):
    space = {"jax": jax, **vars(inspect.getmodule(case.build))}
    left = set(changes)
    for function in (*case.elsewhere, case.build):
        text = inspect.getsource(inspect.unwrap(function))
        text = text[text.index("\ndef ") + 1 if not text.startswith("def ") else 0 :]
        for old in [old for old in changes if old in text]:
            text = text.replace(old, changes[old])
            left.discard(old)
        exec(compile(text, inspect.getsourcefile(function), "exec"), space)
    assert not left, "text not found"
    _, slopes, _, _ = gradients(space[case.build.__name__]())
    for name, slope in slopes.items():
        status, reason = declared(case, name)
        if status in ("unreached", "partly_reached", "reached") and reason in (None, "starved"):
            assert np.isfinite(slope).all(), name
            assert slope.any(), name
            assert slope.all() or status != "partly_reached", name
