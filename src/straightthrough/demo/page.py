"""The demo's report: one HTML file, its plots as PNG, and the results as JSON."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from straightthrough import __version__, report
from straightthrough.demo import network, stages
from straightthrough.demo.network import VARIANTS, Step
from straightthrough.demo.runs import Run, Runs, mean_and_spread
from straightthrough.report import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(
    runs: Runs, flows: dict[str, list[Step]], results: stages.Results, delivery: stages.Delivery | None
) -> Path:
    """Writes report.html, the PNGs and results.json into the demo's folder; returns the page's path.

    Raises:
        DataError: the folder cannot be written.
        MissingDependencyError: matplotlib is not installed.
    """
    assert delivery is not None
    figures = _figures(runs, flows, results)
    for name, figure in figures.items():
        report.save_png(figure, runs.folder / f"{name}.png")
    report.write_json(runs.folder / "results.json", _plain(runs, flows, results, delivery))
    page = Page("A gradient through a hard operator", _subtitle(runs), _footer(runs))
    _headline(page, results, delivery)
    _break(page, runs, flows, results)
    _fix(page, runs, flows)
    _train(page, runs, results, figures)
    _flow(page, figures)
    _ship(page, delivery)
    _reproduce(page, runs)
    return page.write(runs.folder / "report.html").resolve()


def _subtitle(runs: Runs) -> str:
    return f"{runs.data.note}. {runs.framework.version()}, {runs.settings.seeds} seeds, {runs.settings.passes} epochs."


def _footer(runs: Runs) -> str:
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"straightthrough {__version__}, {runs.framework.version()}, {machine}."


def _figures(runs: Runs, flows: dict[str, list[Step]], results: stages.Results) -> dict[str, Figure]:
    import numpy as np

    colours = report.colours_for(variant.name for variant in VARIANTS)
    curves: dict[str, dict[str, list[float]]] = {}
    for name, of_variant in results.items():
        by_epoch = [mean_and_spread(list(losses)) for losses in zip(*(run.losses for run in of_variant), strict=True)]
        curves[name] = {"mean": [mean for mean, _ in by_epoch]}
        if len(of_variant) > 1:
            curves[name]["low"] = [max(mean - (spread or 0.0), 1e-6) for mean, spread in by_epoch]
            curves[name]["high"] = [mean + (spread or 0.0) for mean, spread in by_epoch]
    grid = np.linspace(-2.0, 2.0, 401, dtype=np.float32)
    operator = {"name": "sign", "x": grid.tolist(), "value": np.sign(grid).tolist()}
    proxies = [stages.curve(runs, variant, grid) for variant in VARIANTS if variant.kind in ("proxy", "matched")]
    norms = {name: [(step.name, step.loss_gradient or 0.0) for step in steps] for name, steps in flows.items()}
    accuracies = {name: [run.accuracy for run in of_variant] for name, of_variant in results.items()}
    return {
        "accuracy": report.accuracy_bars(accuracies, colours, chance=1 / network.CLASSES),
        "loss": report.loss_curves(curves, colours, xlabel="epoch", ylabel="training loss"),
        "flow": report.gradient_flow(norms, colours),
        "proxies": report.value_and_slope(operator, proxies, colours),
    }


def _headline(page: Page, results: stages.Results, delivery: stages.Delivery) -> None:
    broken, full, best = (
        f"{stages.accuracy(results[name])[0]:.1%}" for name in (stages.BROKEN.name, stages.FLOAT.name, delivery.name)
    )
    equal = delivery.shipped.equal and delivery.as_trained
    page.numbers(
        [
            (broken, "broken: the hidden layers never move", "bad"),
            (best, f"fixed in one line, with {delivery.name}", "good"),
            (full, "float network, for comparison"),
            (
                "equal" if equal else "not equal",
                "shipped logits and training logits, bit for bit",
                "good" if equal else "bad",
            ),
        ]
    )


def _break(page: Page, runs: Runs, flows: dict[str, list[Step]], results: stages.Results) -> None:
    units = "–".join(str(n) for n in network.sizes(runs.data))
    hard = runs.framework.HARD
    page.section("Break")
    page.paragraph(
        f"A network of layers {units} classifies the images. Each hidden layer ends in `{hard}`, so that what it "
        f"passes on is binary. The slope of `{hard}` is 0 wherever it has one: the gradient that arrives at "
        "the last operator never gets past it."
    )
    page.table(stages.flow_table("The gradient dies at the first hard operator", flows[stages.BROKEN.name]))
    broken, full = (stages.accuracy(results[v.name])[0] for v in (stages.BROKEN, stages.FLOAT))
    page.note(
        f"Training moves the last layer only and reaches {broken:.1%}: as much as random hidden features are worth. "
        f"The same network with tanh in place of the operator reaches {full:.1%}, "
        f"{(full - broken) * 100:.0f} points more.",
        "bad",
    )


def _fix(page: Page, runs: Runs, flows: dict[str, list[Step]]) -> None:
    page.section("Fix")
    page.paragraph(
        "One line gives the operator a proxy: the value stays that of the operator, exactly, and the derivative "
        f"becomes that of the proxy `{network.FIX}`. Weights and images are the same as above."
    )
    page.code("\n".join(stages.fix_lines(runs.framework.HARD)))
    page.table(stages.flow_table("The same network, the same weights, fixed", flows[stages.FIXED.name]))


def _train(page: Page, runs: Runs, results: stages.Results, figures: dict[str, Figure]) -> None:
    page.section("Train")
    page.paragraph("The same network, from the same first weights, over the same batches; only the proxy differs.")
    page.table(stages.results_table(results, runs.settings.seeds))
    page.figure(
        figures["accuracy"],
        "Bars of test accuracy: "
        + ", ".join(f"{n} {stages.accuracy(results[n])[0]:.1%}" for n in stages.ranked(results)),
        "Test accuracy, a point for each seed. With few seeds, gaps of a point or less show nothing.",
    )
    page.figure(
        figures["loss"],
        "Training loss over epochs, a line for each hidden activation.",
        "Training loss over epochs; the band is one standard deviation over the seeds.",
    )
    page.table(stages.moved_table(results))


def _flow(page: Page, figures: dict[str, Figure]) -> None:
    page.section("Proxies")
    page.paragraph(
        "What separates the proxies is their slope: it multiplies the loss gradient at every operator. Below, each "
        "proxy lies over the operator, with its slope beneath, and then what is left of the loss gradient on its way "
        "to the input."
    )
    page.figure(
        figures["proxies"],
        "Value and slope of each proxy, beside the sign operator.",
        "Each proxy's value over the operator (black), and its slope. A matched proxy has the width of half a standard "
        "deviation of what its operator receives; shown: the first hidden layer's. Sigmoid and gaussian rise by 1, "
        "half of what sign does: a constant factor on the gradient.",
    )
    page.figure(
        figures["flow"],
        "Norm of the loss gradient at each step, from the loss to the input, for each hidden activation.",
        "Norm of the loss gradient behind each step of the untrained network. Without a proxy it is exactly 0 before "
        "the first operator that it meets.",
    )


def _ship(page: Page, delivery: stages.Delivery) -> None:
    shipped = delivery.shipped
    page.section("Ship")
    page.paragraph(
        f"The network trained with {delivery.name} (seed {delivery.run.seed}), saved as {shipped.format}. The file "
        "holds the hard operator only, and runs where this library is not installed."
    )
    page.table(shipped.table())
    page.code(shipped.loader, "All that the other side needs (`path` is the file, `inputs` the images):")
    right = f"{delivery.accuracy:.1%} of the test images are classified rightly"
    if shipped.equal and delivery.as_trained:
        page.note(f"In the fresh process {right}; its logits are bit for bit those of the training run.", "good")
    else:
        page.note(f"In the fresh process {right}, but its logits are not bit for bit those of the training run.", "bad")


def _reproduce(page: Page, runs: Runs) -> None:
    page.section("Again")
    page.code(runs.settings.command(), "The command of this report; figures of every run are in `results.json`:")


def _plain(
    runs: Runs, flows: dict[str, list[Step]], results: stages.Results, delivery: stages.Delivery
) -> dict[str, Any]:
    table = stages.results_table(results, runs.settings.seeds).to_dicts()
    return {
        "format": "straightthrough demo",
        "version": 1,
        "command": runs.settings.command(),
        "settings": runs.identity,
        "flow": {name: [step._asdict() for step in steps] for name, steps in flows.items()},
        "fix": stages.fix_lines(runs.framework.HARD),
        "summary": table,
        "runs": [_figures_of(run) for of_variant in results.values() for run in of_variant],
        "ship": {
            **delivery.shipped.to_dict(),
            "variant": delivery.name,
            "seed": delivery.run.seed,
            "accuracy": delivery.accuracy,
            "equal_to_training_run": delivery.as_trained,
        },
    }


def _figures_of(run: Run) -> dict[str, Any]:
    return {**vars(run), "file": f"runs/{run.file.name}"}
