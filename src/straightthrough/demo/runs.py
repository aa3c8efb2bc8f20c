"""Finished runs: one per variant and seed, kept as soon as it is done, so that an interrupted demo goes on.

A run's figures stand in `runs.jsonl`, its weights and test logits in a file of its own; what decides a run's result
stands in its record, so that runs of other settings in the same folder are never taken for these.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from straightthrough.demo import network
from straightthrough.demo.network import Data, Framework, Trained, Variant
from straightthrough.demo.settings import Settings
from straightthrough.report import Store, write_bytes


@dataclass(frozen=True)
class Run:
    """One finished run.

    Attributes:
        variant, seed: which run it is.
        accuracy: share of test images classified rightly.
        losses: mean training loss of each epoch.
        moved: norm of the change of each layer's kernel, from the input to the head.
        widths: of a matched proxy, per hidden layer; else empty.
        seconds: how long it took.
        file: its weights and test logits.
    """

    variant: str
    seed: int
    accuracy: float
    losses: list[float]
    moved: list[float]
    widths: list[float]
    seconds: float
    file: Path

    def load(self) -> Trained:
        """Its weights and logits."""
        import numpy as np

        with np.load(self.file) as arrays:
            count = sum(name.startswith("kernel") for name in arrays.files)
            weights = [(arrays[f"kernel{k}"], arrays[f"bias{k}"]) for k in range(count)]
            return Trained(weights, arrays["logits"], self.losses)


class Runs:
    """The runs of one demo in its folder; open while it runs, so that two demos never write one folder.

    Raises:
        DataError: another process writes this folder, or it cannot be written.
    """

    def __init__(self, settings: Settings, framework: Framework, data: Data):
        self.settings, self.framework, self.data = settings, framework, data
        self.folder = settings.folder
        self.identity = _identity(settings, framework, data)
        text = json.dumps(self.identity, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        self._store = Store(self.folder / "runs.jsonl", kind="demo")
        self.done: dict[tuple[str, int], Run] = {}

    def __enter__(self) -> Self:
        self._store.__enter__()
        for record in self._store.records:
            run = self._from_record(record)
            if run is not None:
                self.done[run.variant, run.seed] = run
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()

    @property
    def of_other_settings(self) -> int:
        """How many runs in this folder belong to other settings; they stay there."""
        return sum(record.get("settings") != self.identity for record in self._store.records)

    @property
    def kept(self) -> int:
        """How many of the asked runs are finished."""
        asked = {(variant.name, seed) for variant in network.VARIANTS for seed in self.settings.all_seeds}
        return len(asked & set(self.done))

    @property
    def asked(self) -> int:
        """How many runs there will be."""
        return len(network.VARIANTS) * self.settings.seeds

    def get(self, variant: Variant, seed: int, on_epoch: Callable[[], None]) -> Run:
        """The run of this variant and seed: a finished one, or trained now and kept."""
        if (variant.name, seed) not in self.done:
            self.done[variant.name, seed] = self._train(variant, seed, on_epoch)
        return self.done[variant.name, seed]

    def first_weights(self, seed: int) -> network.Weights:
        """Where the training of this seed starts, whatever the variant."""
        return network.first_weights(network.sizes(self.data), seed)

    def model(self, variant: Variant, weights: network.Weights, seed: int) -> Any:
        """The network of this variant with these weights; a matched proxy fits the first weights of the seed."""
        return self.framework.model(weights, self.activations(variant, seed))

    def activations(self, variant: Variant, seed: int) -> list[Callable[[Any], Any]]:
        """The hidden activations of this variant."""
        probe = self.data.x_train[: network.PROBE]
        return network.activations(self.framework, variant, self.first_weights(seed), probe)

    def _train(self, variant: Variant, seed: int, on_epoch: Callable[[], None]) -> Run:
        import numpy as np

        start = time.perf_counter()
        before = self.first_weights(seed)
        activations = self.activations(variant, seed)
        model = self.framework.model(before, activations)
        batches = network.batches(len(self.data.x_train), self.settings.passes, seed)
        losses = self.framework.train(model, self.data, batches, on_epoch)
        after, logits = self.framework.weights(model), self.framework.logits(model, self.data.x_test)
        run = Run(
            variant=variant.name,
            seed=seed,
            accuracy=float(np.mean(logits.argmax(axis=1) == self.data.y_test)),
            losses=losses,
            moved=[float(np.linalg.norm(new - old)) for (new, _), (old, _) in zip(after, before, strict=True)],
            widths=[_width(activation) for activation in activations] if variant.kind == "matched" else [],
            seconds=time.perf_counter() - start,
            file=self.folder / "runs" / f"{self.digest}-{_slug(variant.name)}-{seed}.npz",
        )
        self._keep(run, Trained(after, logits, losses))
        return run

    def _keep(self, run: Run, trained: Trained) -> None:
        import numpy as np

        arrays = {"logits": trained.logits}
        for place, (kernel, bias) in enumerate(trained.weights):
            arrays |= {f"kernel{place}": kernel, f"bias{place}": bias}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        content = buffer.getvalue()
        write_bytes(run.file, content)
        # Last: a record says that the file is whole.
        sum_of_file = hashlib.sha256(content).hexdigest()
        figures = {**vars(run), "file": run.file.name, "sha256": sum_of_file}
        self._store.append({"settings": self.identity, "run": figures})

    def _from_record(self, record: dict[str, Any]) -> Run | None:
        """The run, or None where it belongs to other settings, or its file is gone or damaged: then it runs again."""
        if record.get("settings") != self.identity:
            return None
        figures = dict(record["run"])
        path, wanted = self.folder / "runs" / figures.pop("file"), figures.pop("sha256")
        try:
            content = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != wanted or not zipfile.is_zipfile(path):
            return None
        return Run(**figures, file=path)


def _identity(settings: Settings, framework: Framework, data: Data) -> dict[str, Any]:
    """What decides the result of a run, but its variant and seed."""
    from straightthrough import __version__

    arrays = hashlib.sha256()
    for array in data[:4]:
        arrays.update(array.tobytes())
    return {
        "straightthrough": __version__,
        "framework": framework.version(),
        "data": data.note,
        "data_sha256": arrays.hexdigest()[:16],
        "epochs": settings.passes,
        "batch": network.BATCH,
        "learning_rate": network.LEARNING_RATE,
        "layers": list(network.sizes(data)),
    }


def _width(activation: Any) -> float:
    return float(activation.proxy.parameters["std"])


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "_" else "-" for letter in name).strip("-")


def mean_and_spread(values: list[float]) -> tuple[float, float | None]:
    """The mean, and the standard deviation of a sample where there are two values or more."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
