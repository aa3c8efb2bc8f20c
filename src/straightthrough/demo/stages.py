"""The parts of the story as plain functions: what is measured, and the tables that show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from straightthrough.demo import network
from straightthrough.demo.network import FIX, VARIANTS, Step, Variant
from straightthrough.demo.runs import Run, Runs, mean_and_spread
from straightthrough.report import Cell, Column, Table, number
from straightthrough.ship import Shipped, ship

BROKEN, FLOAT = VARIANTS[0], VARIANTS[1]
FIXED = next(variant for variant in VARIANTS if variant.proxy == FIX)
Results = dict[str, list[Run]]
"""Variant name -> its runs, one per seed."""


def flow(runs: Runs, variant: Variant) -> list[Step]:
    """What arrives at each step of the untrained network on the way back, the head first."""
    seed = runs.settings.seed
    model = runs.model(variant, runs.first_weights(seed), seed)
    x, y = runs.data.x_train[: network.PROBE], runs.data.y_train[: network.PROBE]
    return runs.framework.flow(model, x, y)


def flow_table(title: str, steps: list[Step]) -> Table:
    """The flow as a table: exact zeros and missing gradients are marked."""
    rows = [
        [step.name, _norm(step.loss_gradient), _norm(step.weight_gradient) if step.has_weights else Cell(None, text="")]
        for step in steps
    ]
    columns: list[Column | str] = [
        "step, head first",
        Column("loss gradient", align="right"),
        Column("weights' gradient", align="right"),
    ]
    return Table(title, columns, rows, f"norms over {network.PROBE} training images, before any training")


def _norm(value: float | None) -> Cell:
    if value is None:
        return Cell(None, mark="bad", text="none")
    return Cell(value, mark="bad" if value == 0 else None)


def moved_table(results: Results) -> Table:
    """How far training moved each layer, broken and fixed."""
    broken, fixed = (results[variant.name][0].moved for variant in (BROKEN, FIXED))
    names = [f"hidden {k}" for k in range(1, len(broken))] + ["output"]
    rows = [[name, _norm(a), Cell(b)] for name, a, b in list(zip(names, broken, fixed, strict=True))[::-1]]
    columns: list[Column | str] = ["layer, head first", Column("broken", align="right"), Column("fixed", align="right")]
    return Table("How far training moved the weights", columns, rows, "norm of the change of each kernel, first seed")


def moved_line(results: Results) -> str:
    """The broken network's part of `moved_table`, as a sentence."""
    moved = results[BROKEN.name][0].moved[::-1]
    names = ["output"] + [f"hidden {k}" for k in range(len(moved) - 1, 0, -1)]
    return ", ".join(f"{name} {number(distance)}" for name, distance in zip(names, moved, strict=True))


def fix_lines(hard: str) -> list[str]:
    """The one line that repairs the network, before and after."""
    return [
        "  import straightthrough as ste",
        "",
        f"- activation = {hard}",
        f'+ activation = ste.with_proxy({hard}, proxy="{FIX}")',
    ]


def accuracy(runs: list[Run]) -> tuple[float, float | None]:
    """Mean and spread of the test accuracy over the seeds."""
    return mean_and_spread([run.accuracy for run in runs])


def loss(runs: list[Run]) -> tuple[float, float | None]:
    """Mean and spread of the last epoch's training loss."""
    return mean_and_spread([run.losses[-1] for run in runs])


def ranked(results: Results) -> list[str]:
    """The names of the variants, most accurate first, as measured."""
    return sorted(results, key=lambda name: -accuracy(results[name])[0])


def results_table(results: Results, seeds: int) -> Table:
    """Accuracy and loss of every variant, most accurate first."""
    rows = []
    for name in ranked(results):
        mark: Any = "bad" if name == BROKEN.name else None
        rows.append([name, Cell(*accuracy(results[name]), mark=mark), Cell(*loss(results[name]))])
    columns: list[Column | str] = [
        "hidden activation",
        Column("test accuracy", format=".1%"),
        Column("training loss", format=".3f"),
    ]
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed: no spread is known"
    caption = f"{spread}; loss: mean over the last epoch. Broken: random hidden features; float: tanh, no operator"
    return Table("The same network, trained", columns, rows, caption)


@dataclass(frozen=True)
class Delivery:
    """The shipped model, and whose it is.

    Attributes:
        name, run: the variant and the run that were shipped.
        shipped: what `ship` found.
        as_trained: the fresh process' logits are bitwise those that were computed when the training ended.
        accuracy: of the fresh process' logits on the test images.
    """

    name: str
    run: Run
    shipped: Shipped
    as_trained: bool
    accuracy: float


def best(results: Results) -> Variant:
    """The most accurate variant that has a hard operator and a proxy."""
    names = [name for name in ranked(results) if name not in (BROKEN.name, FLOAT.name)]
    return next(variant for variant in VARIANTS if variant.name == names[0])


def deliver(runs: Runs, results: Results, path: Path) -> Delivery:
    """Ships the most accurate variant's first run, with the test images as its example."""
    import numpy as np

    variant = best(results)
    run = results[variant.name][0]
    trained = run.load()
    model = runs.model(variant, trained.weights, run.seed)
    shipped = ship(model, runs.framework.array(runs.data.x_test), path)
    logits = shipped.outputs[0]
    right = float(np.mean(logits.argmax(axis=1) == runs.data.y_test))
    return Delivery(variant.name, run, shipped, logits.tobytes() == trained.logits.tobytes(), right)


def curve(runs: Runs, variant: Variant, grid: Any) -> dict[str, Any]:
    """Value and slope of a variant's proxy, computed by the framework itself."""
    import numpy as np

    activation: Any = runs.activations(variant, runs.settings.seed)[0]
    x = runs.framework.array(grid)
    value, slope = (np.asarray(part(x)).tolist() for part in (activation.proxy.value, activation.proxy.slope))
    return {"name": variant.name, "x": grid.tolist(), "value": value, "slope": slope}


def train_all(
    runs: Runs, variants: list[Variant], begin: Callable[[str, bool], None], epoch: Callable[[], None]
) -> Results:
    """The runs of these variants, one per seed: what is finished is taken, what is missing is trained."""
    results: Results = {}
    for variant in variants:
        results[variant.name] = []
        for seed in runs.settings.all_seeds:
            begin(f"{variant.name}, seed {seed}", (variant.name, seed) in runs.done)
            results[variant.name].append(runs.get(variant, seed, epoch))
    return results
