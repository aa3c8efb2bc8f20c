"""That the PyTorch programs of the examination are sick as they say, and for the reason they say.

Torch's own gradient is the only judge. Three proofs for each program: the status of each parameter; that everything
dead revives once the marked lines are rewritten, and nothing else; and that each of the marks is needed for it.
"""

from __future__ import annotations

import importlib
import inspect
import types
from pathlib import Path
from typing import Any

import pytest

from doctor import catalogue
from doctor.catalogue import Case, cases

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

HERE = Path(__file__).parent
HALVES = ("programs", "closed")
REPAIRS: dict[str, dict[str, list[Any]]] = {}


def _collect() -> list[Any]:
    found = []
    for half in HALVES:
        for file in sorted((HERE / half / "torch").glob("*.py")):
            module = importlib.import_module(f"doctor.{half}.torch.{file.stem}")
            if file.stem == "repairs":
                REPAIRS[half] = module.REPAIRS
            found += [pytest.param(half, case, id=f"{half}-{case.name}") for case in cases.get(module.__name__, [])]
    return found


PROGRAMS = _collect()
SICK = [program for program in PROGRAMS if program.values[1].sick]


def named(params: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(params, torch.nn.Module):
        return dict(params.named_parameters())
    if isinstance(params, torch.Tensor):
        return {prefix: params}
    pairs = params.items() if isinstance(params, dict) else enumerate(params)
    return {
        name: leaf
        for key, value in pairs
        for name, leaf in named(value, f"{prefix}.{key}" if prefix else str(key)).items()
    }


def gradients(program: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The loss, the parameters by name, the gradient of each (None where there is none)."""
    loss, params, batch = program
    leaves = named(params)
    torch.manual_seed(7)
    value = loss(params, *batch)
    found = dict.fromkeys(leaves)
    if value.grad_fn is not None:
        try:
            value.backward(retain_graph=True)
            found = {name: leaf.grad for name, leaf in leaves.items()}
        except RuntimeError as error:  # heaviside and floor_divide have no backward pass
            if "is not implemented" not in str(error):
                raise
            for name, leaf in leaves.items():
                try:
                    (found[name],) = torch.autograd.grad(value, leaf, retain_graph=True, allow_unused=True)
                except RuntimeError:
                    found[name] = None
    return value.detach(), leaves, found


def dead(gradient: Any) -> bool:
    return gradient is None or not bool((gradient.isfinite() & (gradient != 0)).any())


def healthy_part(gradient: Any) -> float:
    if gradient is None:
        return 0.0
    return float((gradient.isfinite() & (gradient != 0)).double().mean())


@pytest.mark.parametrize(("half", "case"), PROGRAMS)
def test_statuses_are_as_declared(half: str, case: Case) -> None:
    value, leaves, found = gradients(case.build())
    assert value.ndim == 0
    declared = case.parameters or dict.fromkeys(leaves, "reached")
    assert declared.keys() == leaves.keys()
    kinds = {kind for death in case.deaths for kind in death.kinds}
    assert value.isfinite() or kinds == {"non_finite"}
    for name, status in declared.items():
        status, reason = (status, None) if isinstance(status, str) else status
        gradient = found[name]
        if status == "reached":
            assert not dead(gradient), name
            assert bool(gradient.isfinite().all()), name
        elif status == "partly_reached":
            assert 0 < healthy_part(gradient) < 1, name
        elif status == "unused":
            assert gradient is None, name
        elif status == "frozen":
            assert not leaves[name].requires_grad, name
        elif reason == "invariant":
            largest = max(float(g.abs().max()) for g in found.values() if g is not None)
            assert gradient is not None, name
            assert float(gradient.abs().max()) < 1e-6 * largest, name
        else:
            assert status == "unreached", name
            assert dead(gradient), name


@pytest.mark.parametrize(("half", "case"), PROGRAMS)
def test_declaration_is_complete(half: str, case: Case) -> None:
    assert bool(case.deaths) == case.sick
    if not case.sick:
        return
    assert (case.fix is None) == bool(case.why_not)
    known = {operator for death in case.deaths for operator in death.operators}
    for key in case.fix or {}:
        assert key.split("@")[0] in known, key
    for death in case.deaths:
        assert set(death.kinds) <= {"flat", "cut", "tie", "saturated", "non_finite"}
    assert {"unreached", "partly_reached"} & set((case.parameters or {}).values())


@pytest.mark.parametrize(("half", "case"), [p for p in PROGRAMS if not p.values[1].sick])
def test_invariance_is_one(half: str, case: Case) -> None:
    """A parameter declared invariant moves and the loss stays."""
    declared = case.parameters or {}
    moved = [name for name, status in declared.items() if status == ("unreached", "invariant")]
    for name in moved:
        loss, params, batch = case.build()
        torch.manual_seed(7)
        before = loss(params, *batch)
        with torch.no_grad():
            named(params)[name].add_(0.3)
        torch.manual_seed(7)
        assert float((loss(params, *batch) - before).detach().abs()) < 1e-6, name


def rewritten(case: Case, repairs: list[Any], left_out: tuple[int, ...] = ()) -> Any:
    """The program with the marked lines rewritten, all or all but some."""
    texts: dict[str, list[str]] = {}
    ranges: dict[str, list[range]] = {}
    for function in (case.build, *case.elsewhere):
        file = inspect.getsourcefile(function) or ""
        texts.setdefault(file, Path(file).read_text().splitlines())
        lines, first = inspect.getsourcelines(function)
        ranges.setdefault(file, []).append(range(first - 1, first - 1 + len(lines)))
    assert len(repairs) == len(case.deaths)
    for number, (death, pairs) in enumerate(zip(case.deaths, repairs, strict=True)):
        for place, (old, new) in enumerate(pairs):
            if number in left_out:
                continue
            if place == 0:
                assert old in texts[death.file][death.line - 1], (old, texts[death.file][death.line - 1])
                texts[death.file][death.line - 1] = texts[death.file][death.line - 1].replace(old, new)
                continue
            written = False
            for file, where in ranges.items():
                for line in (line for part in where for line in part):
                    if old in texts[file][line]:
                        texts[file][line] = texts[file][line].replace(old, new)
                        written = True
            assert written, old
    registered = {name: list(of_module) for name, of_module in catalogue.cases.items()}
    try:
        modules = {}
        home = inspect.getsourcefile(case.build)
        for file in sorted(texts, key=lambda file: file == home):  # the program itself last
            module = types.ModuleType("rewritten")
            code = compile("\n".join(texts[file]), file, "exec", dont_inherit=True)
            exec(code, module.__dict__)
            modules[file] = module
        namespace = modules[home].__dict__
        for name, value in list(namespace.items()):
            if isinstance(value, types.ModuleType) and getattr(value, "__file__", None) in modules:
                namespace[name] = modules[value.__file__]
        return namespace[case.build.__name__]()
    finally:
        catalogue.cases.clear()
        catalogue.cases.update(registered)


def ill_part(gradient: Any) -> float:
    return 0.0 if gradient is None else float((~gradient.isfinite()).double().mean())


def still_dead(case: Case, program: Any) -> set[str]:
    """The parameters declared dead, or dead in part, that have not got better."""
    _, _, before = gradients(case.build())
    _, _, after = gradients(program)
    ill = [name for name, status in (case.parameters or {}).items() if status in ("unreached", "partly_reached")]
    return {
        name
        for name in ill
        if ill_part(after[name]) > 0
        or (healthy_part(after[name]) <= healthy_part(before[name]) and ill_part(before[name]) == 0)
        or dead(after[name])
    }


@pytest.mark.parametrize(("half", "case"), SICK)
def test_the_marked_lines_are_the_cause(half: str, case: Case) -> None:
    repairs = REPAIRS[half][case.name]
    assert not still_dead(case, rewritten(case, repairs))


def revives(case: Case, repairs: list[Any], left_out: tuple[int, ...]) -> bool:
    try:
        return not still_dead(case, rewritten(case, repairs, left_out))
    except (TypeError, IndexError, AttributeError, RuntimeError):
        return False  # half of a repair does not run


@pytest.mark.parametrize(("half", "case"), [p for p in SICK if len(p.values[1].deaths) > 1])
def test_each_mark_is_needed(half: str, case: Case) -> None:
    """In a chain nothing revives as long as one death is left; in parallel each repair alone revives its own path."""
    repairs = REPAIRS[half][case.name]
    everything = range(len(repairs))
    in_chain = [not revives(case, repairs, (number,)) for number in everything]
    alone = [revives(case, repairs, tuple(n for n in everything if n != number)) for number in everything]
    assert all(chained or sufficient for chained, sufficient in zip(in_chain, alone, strict=True))


TRACES = {"cut": "none", "flat": "zero", "saturated": "zero", "tie": "zero", "non_finite": "not finite"}


def trace(gradient: Any) -> str:
    if gradient is None:
        return "none"
    return "zero" if bool(gradient.isfinite().all()) else "not finite"


@pytest.mark.parametrize(("half", "case"), SICK)
def test_each_kind_leaves_its_trace(half: str, case: Case) -> None:
    """A cut leaves no gradient, a flat operator zeros, and so on: the dead show one of the declared kinds."""
    _, _, found = gradients(case.build())
    traces = {trace(found[name]) for name, status in (case.parameters or {}).items() if status == "unreached"}
    wanted = {TRACES[kind] for death in case.deaths for kind in death.kinds}
    assert not traces or traces & wanted
    if wanted == {"none"}:
        assert traces <= wanted


def test_there_are_enough() -> None:
    for half in HALVES:
        of_half = [program.values[1] for program in PROGRAMS if program.values[0] == half]
        assert sum(case.sick for case in of_half) >= 22
        assert sum(not case.sick for case in of_half) >= 11
        assert REPAIRS[half].keys() == {case.name for case in of_half if case.sick}
