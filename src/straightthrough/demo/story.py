"""The story of `ste demo`, told from break to ship."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from straightthrough import datasets
from straightthrough.demo import network, stages
from straightthrough.demo.network import VARIANTS, Step, Variant
from straightthrough.demo.page import write_report
from straightthrough.demo.runs import Runs
from straightthrough.demo.screen import Screen
from straightthrough.demo.settings import TRAIN_IMAGES, Settings


@dataclass
class Story:
    """What was measured, part by part.

    Attributes:
        runs: the runs, their settings, data and framework.
        flows: variant name -> what arrives at each step of the untrained network.
        results: variant name -> its runs.
        delivery: the shipped model.
    """

    runs: Runs
    flows: dict[str, list[Step]] = field(default_factory=dict)
    results: stages.Results = field(default_factory=dict)
    delivery: stages.Delivery | None = None


def tell(settings: Settings, screen: Screen) -> int:
    """Tells the whole story; returns the exit status: 0, or 130 where it was interrupted.

    Raises:
        SteError: data or framework are missing, or the folder cannot be written.
    """
    data = network.prepared(datasets.load(settings.data, settings.data_dir, train=TRAIN_IMAGES))
    framework = network.load_framework(settings.framework)
    runs = Runs(settings, framework, data)
    try:
        with runs:
            _tell(Story(runs), screen)
    except KeyboardInterrupt:
        screen.say(f"\nInterrupted: {runs.kept} of {runs.asked} runs are finished and kept in {settings.folder}")
        screen.say("To go on:")
        screen.say(f"    {settings.command()}")
        return 130
    return 0


def _tell(story: Story, screen: Screen) -> None:
    _introduce(story.runs, screen)
    _break(story, screen)
    _fix(story, screen)
    _train(story, screen)
    _ship(story, screen)
    pages = write_report(story.runs, story.flows, story.results, story.delivery)
    screen.heading("5  Report")
    screen.say(f"Tables, plots and results.json: {pages.parent}")
    screen.say(f"{pages}")


def _introduce(runs: Runs, screen: Screen) -> None:
    units = "-".join(str(n) for n in network.sizes(runs.data))
    screen.say(f"straightthrough demo on {runs.framework.version()}", style="bold")
    screen.say(f"data     {runs.data.note}")
    screen.say(f"network  {units}, {runs.framework.HARD} after each hidden layer")
    seeds = f"{runs.settings.seeds} seeds from {runs.settings.seed}, {runs.settings.passes} epochs each"
    screen.say(f"training {runs.asked} runs: {len(VARIANTS)} variants, {seeds}")
    if runs.kept:
        screen.say(f"resumed  {runs.kept} of {runs.asked} runs were finished before and are taken from {runs.folder}")
    if runs.of_other_settings:
        others = f"{runs.of_other_settings} runs of other settings in {runs.folder} are kept apart"
        screen.say(f"note     {others} and not used; report and results.json are of these settings")


def _runs_of(story: Story, screen: Screen, variants: list[Variant]) -> None:
    """Trains what is missing, and says each variant's accuracy when its seeds are done."""
    epochs = story.runs.settings.passes
    with screen.progress(len(variants) * story.runs.settings.seeds, epochs) as meter:

        def begin(run: str, finished: bool) -> None:
            meter.begin(run)
            if finished:
                meter.skip()

        for variant in variants:
            story.results |= stages.train_all(story.runs, [variant], begin, meter.epoch)
            of_variant = story.results[variant.name]
            shown = ", ".join(f"{run.accuracy:.1%}" for run in of_variant)
            seconds = sum(run.seconds for run in of_variant)
            screen.say(f"  trained {variant.name:<18} test accuracy {shown}   ({seconds:.1f} s)")


def _break(story: Story, screen: Screen) -> None:
    screen.heading(f"1  Break: {story.runs.framework.HARD} has slope 0")
    story.flows[stages.BROKEN.name] = stages.flow(story.runs, stages.BROKEN)
    screen.table(stages.flow_table("The gradient dies at the first hard operator", story.flows[stages.BROKEN.name]))
    _runs_of(story, screen, [stages.BROKEN, stages.FLOAT])
    broken, full = (stages.accuracy(story.results[v.name])[0] for v in (stages.BROKEN, stages.FLOAT))
    screen.say(f"  How far training moved the broken network's weights: {stages.moved_line(story.results)}.")
    screen.say(
        f"  Only the last layer trains: {broken:.1%} on random hidden features; the float network reaches {full:.1%}, "
        f"{(full - broken) * 100:.0f} points more."
    )


def _fix(story: Story, screen: Screen) -> None:
    screen.heading("2  Fix: one line")
    screen.say("")
    screen.code(stages.fix_lines(story.runs.framework.HARD))
    story.flows[stages.FIXED.name] = stages.flow(story.runs, stages.FIXED)
    screen.table(stages.flow_table("The same network, the same weights, fixed", story.flows[stages.FIXED.name]))


def _train(story: Story, screen: Screen) -> None:
    screen.heading("3  Train: the same network with each proxy")
    _runs_of(story, screen, [variant for variant in VARIANTS if variant.name not in story.results])
    screen.table(stages.moved_table(story.results))
    screen.table(stages.results_table(story.results, story.runs.settings.seeds))
    for variant in VARIANTS:
        if variant.name not in story.flows:
            story.flows[variant.name] = stages.flow(story.runs, variant)


def _ship(story: Story, screen: Screen) -> None:
    screen.heading("4  Ship: the hard operator only")
    path = Path(story.runs.folder) / "model"
    story.delivery = delivery = stages.deliver(story.runs, story.results, path)
    screen.table(delivery.shipped.table())
    as_trained = "bitwise those of" if delivery.as_trained else "NOT bitwise those of"
    screen.say(
        f"  {delivery.name}, seed {delivery.run.seed}: {delivery.accuracy:.1%} on the test images; the logits are "
        f"{as_trained} the training run."
    )
