"""`ship`: export, look at what is in the file, load it in a fresh process, compare."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from straightthrough import _backends
from straightthrough._errors import ArgumentError, DataError, MissingDependencyError, UnsupportedError, short, wrong
from straightthrough.ship.shipped import Shipped

Array = Any

# The loader finds `path` and `inputs` (numpy arrays) and leaves `outputs`. Any import of straightthrough fails.
_BEFORE = """
import sys
class _Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "straightthrough":
            raise ImportError("a shipped model must load without straightthrough")
sys.meta_path.insert(0, _Blocked())
import numpy as np
_, path, given, taken = sys.argv
with np.load(given) as arrays:
    inputs = [arrays[name] for name in arrays.files]
"""
_AFTER = """
assert not any(name.partition(".")[0] == "straightthrough" for name in sys.modules)
with open(taken, "wb") as file:
    np.savez(file, *[np.asarray(output) for output in outputs])
"""


class Exported(NamedTuple):
    """What a framework's file hands back: the graph's operations, counted, and the training model's outputs."""

    operations: dict[str, int]
    outputs: list[Any]  # numpy arrays


class Exporter(Protocol):
    """What each framework's file holds."""

    FORMAT: str
    SUFFIX: str
    EXECUTION: str

    def version(self) -> str: ...

    def loader(self) -> str: ...

    def export(self, model: Any, example: tuple[Array, ...], path: Path) -> Exported: ...


def ship(model: Any, example: Any, path: str | os.PathLike[str]) -> Shipped:
    """Writes a trained model with its hard operators only, and checks the file in a fresh process.

    The file is in the framework's own format: a `torch.export` program, a TensorFlow SavedModel, or the serialized
    StableHLO of `jax.export` with the parameters inside. It is loaded again where straightthrough cannot be imported,
    and its outputs are compared bitwise with those of the model, proxies in place, run the same way (eager in PyTorch,
    compiled in TensorFlow and JAX, because a compiler may round differently).

    Args:
        model: an `nn.Module`, a `tf.Module`, a `keras.Model`, an `nnx.Module`, or a function of arrays. It is exported
            as it is: put it into its inference mode first.
        example: an array, or a tuple of arrays: the model's arguments. The file takes inputs of these shapes.
        path: of the file (of the folder, for a SavedModel); the format's ending is added where it is missing.

    Returns:
        A `Shipped`: prints as a table. Look at its `equal`: a difference is reported, not raised.

    Raises:
        ArgumentError: model is not callable, or example holds no array.
        FrameworkError: example holds something that is no array, or arrays of two frameworks.
        UnsupportedError: something that only serves training is left in the graph, such as the line
            ``x + stop_gradient(op(x) - x)`` written by hand.
        DataError: the file cannot be written, or does not load in a fresh process.
        MissingDependencyError: numpy is not installed (PyTorch comes without it).

    Example:
        >>> import tempfile, torch, straightthrough as ste
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Tanh())
        >>> shipped = ste.ship(model, torch.ones(3, 4), tempfile.mkdtemp() + "/model.pt2")
        >>> shipped.equal, shipped.operations
        (True, {'aten.linear': 1, 'aten.tanh': 1})
    """
    if not callable(model):
        raise ArgumentError(wrong("ship", "model", "callable", short(model)))
    xp, arguments = _admitted(example)
    _require_numpy()
    exporter = _exporter(xp.NAME)
    target = Path(path)
    if exporter.SUFFIX and target.suffix != exporter.SUFFIX:
        target = target.with_name(target.name + exporter.SUFFIX)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        exported = exporter.export(model, arguments, target)
    except OSError as error:
        raise DataError(f"ship: cannot write {target} ({error}); check the folder and the free space") from error
    fresh = _in_a_fresh_process(exporter.loader(), target, arguments)
    equal, compared, largest = _compared(exported.outputs, fresh)
    return Shipped(
        path=target,
        framework=exporter.version(),
        format=exporter.FORMAT,
        size=_size(target),
        operations=exported.operations,
        equal=equal,
        compared=compared,
        largest_difference=largest,
        execution=exporter.EXECUTION,
        loader=exporter.loader().strip(),
        outputs=fresh,
    )


def refuse_residue(residue: list[str]) -> None:
    """Nothing is written while something that only serves training is in the graph.

    Raises:
        UnsupportedError: residue is not empty.
    """
    if residue:
        remedy = (
            "use straightthrough.with_proxy or straight_through in place of a line such as "
            "x + stop_gradient(op(x) - x), and ship a function that was not compiled before"
        )
        got = f"{', '.join(sorted(set(residue)))} in its graph"
        raise UnsupportedError(wrong("ship", "model", "one of hard operators only", got, remedy))


def _admitted(example: Any) -> tuple[Any, tuple[Array, ...]]:
    arguments = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    if not arguments:
        raise ArgumentError(wrong("ship", "example", "an array or a tuple of arrays", "none"))
    xp, first = _backends.admit("ship", "example", arguments[0])
    return xp, (first, *(_backends.admit_like(xp, "ship", "example", other) for other in arguments[1:]))


def _require_numpy() -> None:
    # PyTorch comes without it, and the comparison needs it: said before anything is written.
    import importlib.util

    if importlib.util.find_spec("numpy") is None:
        raise MissingDependencyError("ship: numpy is needed to compare the outputs; pip install numpy")


def _exporter(framework: str) -> Exporter:
    import importlib
    import typing

    return typing.cast(Exporter, importlib.import_module(f"straightthrough.ship.{framework}"))


def _in_a_fresh_process(loader: str, path: Path, arguments: tuple[Array, ...]) -> list[Any]:
    import numpy as np

    program = _BEFORE + loader + _AFTER
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
        np.savez(given, *[_numpy(array) for array in arguments])
        # -P: a file in the working directory must not pass for a framework.
        command = [sys.executable, "-P", "-c", program, str(path), str(given), str(taken)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise DataError(f"ship: {path} does not load in a fresh process: {said[-1] if said else done.returncode}")
        with np.load(taken) as outputs:
            return [outputs[name] for name in outputs.files]


def _numpy(array: Array) -> Any:
    import numpy as np

    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


def _compared(wanted: list[Any], got: list[Any]) -> tuple[bool, int, float]:
    """Bitwise equality, how many numbers, the largest difference."""
    import numpy as np

    count = sum(array.size for array in wanted)
    if [(a.shape, a.dtype) for a in wanted] != [(a.shape, a.dtype) for a in got]:
        return False, count, float("nan")
    if all(a.tobytes() == b.tobytes() for a, b in zip(wanted, got, strict=True)):
        return True, count, 0.0
    with np.errstate(all="ignore"):
        gaps = [np.max(np.abs(a - b)) for a, b in zip(wanted, got, strict=True) if a.size and a.dtype.kind == "f"]
    return False, count, float(max(gaps, default=float("nan")))


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
