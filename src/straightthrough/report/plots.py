"""The four plots of a report: loss curves, accuracies, the flow of the gradient, a proxy's value and slope."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from straightthrough._errors import ArgumentError
from straightthrough.report.colours import BAD, INK, MUTED, colours_for, is_broken, is_float
from straightthrough.report.figures import label_lines, new_figure, settle, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 5.8  # inches: a page shows it up to a third larger, a telephone a quarter smaller, both with readable text


def loss_curves(
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    colours: Mapping[str, str] | None = None,
    xlabel: str = "step",
    ylabel: str = "loss",
) -> Figure:
    """Loss over steps, a line per name and a band where its spread is known.

    Args:
        curves: name -> {"mean": [...]} and, if known, "low" and "high" (the band) and "x" (the steps; else 1, 2, ...).
        colours: from `colours_for` over all names of the report; else over these.
        xlabel, ylabel: the axes' names.

    Returns:
        A matplotlib Figure; the axis is logarithmic where the losses span more than a factor of 30.

    Raises:
        ArgumentError: no curves, or lists of different lengths.
        MissingDependencyError: matplotlib is missing.
    """
    _some("loss_curves", "curves", curves)
    colours = {**colours_for(curves), **(colours or {})}
    with styled():
        figure = new_figure(_WIDTH, 3.1)
        axes = figure.add_subplot()
        drawn = {name: _curve(name, curve) for name, curve in curves.items()}
        for name, (x, mean, low, high) in drawn.items():
            if low and high:
                axes.fill_between(x, low, high, color=colours[name], alpha=0.18, linewidth=0)
            axes.plot(x, mean, color=colours[name], linewidth=2.0, linestyle="--" if is_float(name) else "-")
        values = [v for curve in drawn.values() for part in curve[1:] for v in part if math.isfinite(v)]
        if values and min(values) > 0 and max(values) / min(values) > 30:
            axes.set_yscale("log")
        elif values and min(values) >= 0:
            axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.margins(x=0)
        _whole_steps(axes)
        ends = [(*_last_finite(x, mean), name) for name, (x, mean, _, _) in drawn.items()]
        label_lines(axes, [(y, name if ok else f"{name} (nan)", colours[name]) for y, ok, name in ends], gap=0.085)
        return settle(figure)


def _curve(
    name: str, curve: Mapping[str, Sequence[float]]
) -> tuple[list[float], list[float], list[float], list[float]]:
    if "mean" not in curve or not len(curve["mean"]):
        raise ArgumentError(f"loss_curves: curves[{name!r}] must have a list 'mean' that is not empty")
    mean, low, high = ([float(v) for v in curve.get(key, ())] for key in ("mean", "low", "high"))
    x = [float(v) for v in curve.get("x", range(1, len(mean) + 1))]
    if len(x) != len(mean) or any(part and len(part) != len(mean) for part in (low, high)):
        raise ArgumentError(f"loss_curves: curves[{name!r}] must have lists of one length, got {len(mean)} means")
    return x, mean, low, high


def _last_finite(x: Sequence[float], y: Sequence[float]) -> tuple[float, bool]:
    finite = [value for value in y if math.isfinite(value)]
    return (finite[-1] if finite else 0.0), bool(finite) and math.isfinite(y[-1])


def _whole_steps(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def accuracy_bars(
    accuracies: Mapping[str, Sequence[float]],
    colours: Mapping[str, str] | None = None,
    chance: float | None = None,
    xlabel: str = "test accuracy",
) -> Figure:
    """Accuracy per name, best first: a bar for the mean and a point for each seed.

    Args:
        accuracies: name -> one value in [0, 1] per seed. A name that begins with "broken" or "float" is a baseline and
            drawn as one: hatched, or without fill.
        colours: as for `loss_curves`.
        chance: the accuracy of guessing, drawn as a line.
        xlabel: the axis' name.

    Raises:
        ArgumentError: no names, or a name without values.
    """
    _some("accuracy_bars", "accuracies", accuracies)
    for name, seeds in accuracies.items():
        _some("accuracy_bars", f"accuracies[{name!r}]", seeds)
    colours = {**colours_for(accuracies), **(colours or {})}
    means = {name: math.fsum(seeds) / len(seeds) for name, seeds in accuracies.items()}
    order = sorted(means, key=lambda name: (means[name] if math.isfinite(means[name]) else -1.0, name))
    with styled():
        figure = new_figure(_WIDTH, 0.75 + 0.36 * len(order))
        axes = figure.add_subplot()
        for row, name in enumerate(order):
            _bar(axes, row, name, accuracies[name], means[name], colours[name])
        axes.set_yticks(range(len(order)), order)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.6, len(order) - 0.4)
        axes.xaxis.set_major_formatter(_percent)
        axes.set_xlabel(xlabel)
        if chance is not None:
            axes.axvline(chance, color=INK, linewidth=1, linestyle=(0, (3, 2)), zorder=1.5)
            axes.annotate(
                "chance", (chance, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
                textcoords="offset points", ha="center", va="bottom", fontsize=8,
            )  # fmt: skip
        return settle(figure)


def _percent(value: float, _: object = None) -> str:
    return f"{value * 100:.0f} %"


def _bar(axes: Axes, row: int, name: str, seeds: Sequence[float], mean: float, colour: str) -> None:
    height = 0.56
    if is_float(name):
        axes.barh(row, mean, height, facecolor="none", edgecolor=colour, linewidth=1.4, linestyle="--")
    elif is_broken(name):
        axes.barh(row, mean, height, facecolor=colour, alpha=0.25, linewidth=0)
        axes.barh(row, mean, height, facecolor="none", hatch="/////", edgecolor=colour, linewidth=1.0)
    else:
        axes.barh(row, mean, height, color=colour, alpha=0.45, linewidth=0)
    axes.plot([mean, mean], [row - height / 2, row + height / 2], color=colour, linewidth=2.2, solid_capstyle="butt")
    # Seeds side by side, or equal ones would hide each other.
    offsets = [(k - (len(seeds) - 1) / 2) * min(0.11, 0.4 / len(seeds)) for k in range(len(seeds))]
    rows = [row + offset for offset in offsets]
    axes.scatter(seeds, rows, s=15, color=colour, edgecolors="white", linewidths=0.6, zorder=3, clip_on=False)
    axes.annotate(
        f"{mean * 100:.1f} %" if math.isfinite(mean) else "nan",
        (1.02, row),
        xycoords=("axes fraction", "data"),
        va="center",
        fontweight="bold",
        color=BAD if is_broken(name) else INK,
        annotation_clip=False,
    )


def gradient_flow(flows: Mapping[str, Sequence[tuple[str, float]]], colours: Mapping[str, str] | None = None) -> Figure:
    """The norm of the gradient at each layer, from the loss back to the input.

    The axis is logarithmic; what is exactly zero has a place of its own beneath it, marked "0", and what is not finite
    one above it: a dead layer is seen as dead, not as small.

    Args:
        flows: name -> [(layer, norm), ...], head (nearest to the loss) first.
        colours: as for `loss_curves`.

    Raises:
        ArgumentError: no flows, or a negative norm.
    """
    _some("gradient_flow", "flows", flows)
    colours = {**colours_for(flows), **(colours or {})}
    layers = list(dict.fromkeys(layer for flow in flows.values() for layer, _ in flow))
    _some("gradient_flow", "flows", layers)
    norms = [norm for flow in flows.values() for _, norm in flow]
    if any(norm < 0 for norm in norms):
        raise ArgumentError(f"gradient_flow: norms must be 0 or more, got {min(norms)}")
    logs = [math.log10(norm) for norm in norms if 0 < norm < math.inf]
    bottom, top = (math.floor(min(logs) - 0.2), math.ceil(max(logs) + 0.2)) if logs else (-3, 0)
    unit = max((top - bottom) / 7.0, 0.4)  # the height of the bands for 0 and for nan
    zero, odd = bottom - unit, top + unit
    has_odd = any(not math.isfinite(norm) for norm in norms)

    def height(norm: float) -> float:
        return odd if not math.isfinite(norm) else zero if norm == 0 else math.log10(norm)

    with styled():
        figure = new_figure(_WIDTH, 3.2)
        axes = figure.add_subplot()
        axes.axhspan(zero - unit * 0.6, zero + unit * 0.6, color=BAD, alpha=0.10, linewidth=0)
        if has_odd:
            axes.axhspan(odd - unit * 0.6, odd + unit * 0.6, color=BAD, alpha=0.10, linewidth=0)
        labels = []
        for name, flow in flows.items():
            points = [(layers.index(layer), height(norm)) for layer, norm in flow]
            _flow_line(axes, points, [0 < norm < math.inf for _, norm in flow], colours[name], is_float(name))
            if points:
                labels.append((points[-1][1], name, colours[name]))
        _flow_axes(axes, layers, bottom, top, zero, odd if has_odd else None)
        axes.set_ylim(zero - unit * 0.6, odd + unit * 0.6 if has_odd else top)
        label_lines(axes, labels, gap=0.085)
        return settle(figure)


def _flow_line(axes: Axes, points: list[tuple[int, float]], alive: list[bool], colour: str, dashed: bool) -> None:
    for (a, b), (c, d), one, two in zip(points, points[1:], alive, alive[1:], strict=False):
        sound = one and two
        style: Any = (0, (4, 2)) if dashed else "-" if sound else (0, (1, 1.5))
        axes.plot([a, c], [b, d], color=colour, linewidth=2.0 if sound else 1.4, linestyle=style, zorder=2)
    for (x, y), sound in zip(points, alive, strict=True):
        marker, size = ("o", 30) if sound else ("X", 62)
        axes.scatter(
            [x], [y], marker=marker, s=size, color=colour, edgecolors="white", linewidths=0.7, zorder=3, clip_on=False
        )


def _flow_axes(axes: Axes, layers: list[str], bottom: int, top: int, zero: float, odd: float | None) -> None:
    step = max(1, math.ceil((top - bottom) / 5))
    ticks = [(float(power), _power(power)) for power in range(bottom, top + 1, step)]
    ticks.insert(0, (zero, "0"))
    if odd is not None:
        ticks.append((odd, "inf, nan"))
    axes.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.get_yticklabels()[0].set(color=BAD, fontweight="bold")
    long = max(len(layer) for layer in layers) > 9 or len(layers) > 7
    axes.set_xticks(range(len(layers)), layers, rotation=35 if long else 0, ha="right" if long else "center")
    axes.grid(axis="x", visible=False)
    axes.set_xlim(-0.25, len(layers) - 0.75 if len(layers) > 1 else 0.25)
    axes.set_ylabel("norm of the gradient")
    axes.set_xlabel("layer, from the loss (left) to the input (right)")
    axes.spines["bottom"].set_visible(False)


def _power(power: int) -> str:
    if -2 <= power <= 3:
        return f"{10.0**power:g}"
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def value_and_slope(
    operator: Mapping[str, Any], proxies: Sequence[Mapping[str, Any]], colours: Mapping[str, str] | None = None
) -> Figure:
    """Small pictures, one per proxy: its value over the hard operator, and its slope, filled, beneath.

    Args:
        operator: {"name": ..., "x": [...], "value": [...]}.
        proxies: [{"name": ..., "x": [...], "value": [...], "slope": [...]}, ...].
        colours: as for `loss_curves`.

    Returns:
        A matplotlib Figure, up to three pictures in a row, all with the same axes.

    Raises:
        ArgumentError: no proxies, or lists of different lengths.
    """
    _some("value_and_slope", "proxies", proxies)
    for curve in proxies:
        if len({len(curve[key]) for key in ("x", "value", "slope")}) != 1:
            raise ArgumentError(f"value_and_slope: the lists of {curve['name']!r} must have one length")
    names = [str(curve["name"]) for curve in proxies]
    colours = {**colours_for(names), **(colours or {})}
    across = 2 if len(proxies) == 4 else min(3, len(proxies))
    down = math.ceil(len(proxies) / across)
    with styled():
        figure = new_figure(_WIDTH if across > 1 else 3.4, 2.3 * down + 0.1)
        grid = figure.add_gridspec(2 * down, across, height_ratios=[1.5, 1.0] * down)
        slope_range = _range([curve["slope"] for curve in proxies])
        value_range = _range([operator["value"], *(curve["value"] for curve in proxies)])
        for place, (curve, name) in enumerate(zip(proxies, names, strict=True)):
            row, column = divmod(place, across)
            above = figure.add_subplot(grid[2 * row, column])
            beneath = figure.add_subplot(grid[2 * row + 1, column], sharex=above)
            _value_picture(above, operator, curve, colours[name], value_range)
            _slope_picture(beneath, curve, colours[name], slope_range)
            above.set_title(name, loc="left", fontweight="bold", color=colours[name], fontsize=9)
            above.tick_params(labelbottom=False, bottom=False)
            for axes, label in ((above, "value"), (beneath, "slope")):
                axes.tick_params(labelleft=column == 0, length=0)
                if column == 0:
                    axes.set_ylabel(label)
            if place == 0:
                _name_operator(above, operator)
        return settle(figure)


def _range(lists: Sequence[Sequence[float]]) -> tuple[float, float]:
    values = [float(v) for part in lists for v in part if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(*values, 0.0), max(*values, 0.0)
    room = (high - low or 1.0) * 0.12
    return (low - room if low < 0 else -room / 2), high + room


def _value_picture(
    axes: Axes, operator: Mapping[str, Any], curve: Mapping[str, Any], colour: str, limits: tuple[float, float]
) -> None:
    x, y = _with_jumps(operator["x"], operator["value"])
    axes.plot(x, y, color=INK, linewidth=1.3, zorder=2)
    axes.plot(curve["x"], curve["value"], color=colour, linewidth=2.4, alpha=0.9, zorder=3)
    axes.set_ylim(*limits)
    axes.margins(x=0)


def _slope_picture(axes: Axes, curve: Mapping[str, Any], colour: str, limits: tuple[float, float]) -> None:
    x, y = _with_jumps(curve["x"], curve["slope"])
    axes.fill_between(x, y, color=colour, alpha=0.28, linewidth=0)
    axes.plot(x, y, color=colour, linewidth=1.4)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_ylim(*limits)
    axes.margins(x=0)


def _with_jumps(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """The same curve with each jump drawn upright, not as a slanted line from one sample to the next."""
    xs, ys = [float(x[0])], [float(y[0])]
    finite = [v for v in y if math.isfinite(v)]
    jump = 0.05 * (max(finite) - min(finite)) if finite else math.inf
    for (a, b), (c, d) in zip(zip(x, y, strict=True), zip(x[1:], y[1:], strict=True), strict=False):
        if jump > 0 and abs(d - b) > jump:
            middle = (a + c) / 2
            xs += [middle, middle]
            ys += [float(b), float(d)]
        xs.append(float(c))
        ys.append(float(d))
    return xs, ys


def _name_operator(axes: Axes, operator: Mapping[str, Any]) -> None:
    axes.annotate(
        str(operator["name"]), (0.03, 0.96), xycoords="axes fraction", va="top", color=INK, fontsize=8,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "none", "edgecolor": "none"},
    )  # fmt: skip


def _some(function: str, argument: str, given: Any) -> None:
    if not len(given):
        raise ArgumentError(f"{function}: {argument} must not be empty")
