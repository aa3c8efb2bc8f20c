"""Writes the pages that come from the registry: proxies.md with a picture of each proxy, and operations.md.

Run it after a change to an operation or a proxy: ``python docs/generate.py``. It needs PyTorch, with which it computes
every number shown. `tests/test_docs.py` fails when a page is not what this would write.
"""

# ruff: noqa: D103

from __future__ import annotations

import importlib
import inspect
import math
import re
from pathlib import Path
from typing import Any

import torch

import straightthrough as ste
from straightthrough import _registry
from straightthrough.proxies._proxy import Family, Proxy
from straightthrough.proxies.picture import curve_data

DOCS = Path(__file__).resolve().parent
STAMP = "<!-- Written by docs/generate.py from the registry: change the docstrings there, then run it. -->\n"
GROUPS = {
    "clips": "Piecewise constant slopes",
    "bumps": "Bumps of bounded support",
    "sigmoids": "Smooth slopes",
    "selections": "Selections",
}
PICTURE_WIDTH = '{ style="min-width: 13rem" }'
WIDE = "---\nhide: [toc]\n---\n"
NAN, INFINITY = math.nan, math.inf


def title(module: Any) -> str:
    """A module's first sentence without its colon."""
    return first_paragraph(module).rstrip(".:")


def first_paragraph(value: Any) -> str:
    return " ".join(inspect.getdoc(value).split("\n\n")[0].split())


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def number(value: float) -> str:
    """As short as it is clear: 1, -0, 0.5, nan, ∞."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.4g}"


PROXIES_INTRO = """\
A proxy is the function whose derivative stands in for that of a hard operator. Give an operation its name,
`ste.sign(x, proxy="triangle")`, or its name with numbers, `proxy="triangle(width=0.5)"`; or make it,
`ste.proxies.triangle(width=0.5)`, where a parameter may also be an array. A function of your own is a proxy too.

*Mass* is the area under the slope: 1 fits a step (heaviside, comparisons), 2 fits a sign. Another mass is not wrong:
it rescales the gradient that passes; `ste.proxies.scaled("triangle", 2.0)` changes it. *Kinks* are the places where the
slope jumps, with the slope exactly there: the same on every framework. Every curve is drawn with its default
parameters for x from -3 to 3, the operator it fits dashed behind the value, the largest value above the axis.

Which one to take is the subject of [fix](guide/fix.md#which-proxy).
"""

OPERATIONS_INTRO = """\
The ready operations, with what each gives at the special values: every entry was computed by running it, and is the
same on PyTorch, TensorFlow and JAX. Two numbers are the results for 0 and -0, or for ∞ and -∞. Comparisons are with 0,
`clip` is to [-1, 1], `ternary` has its threshold of 0.5, `top_k_mask` keeps one of two.

The default proxy is used unless a call says otherwise: `ste.sign(x, proxy="tanh")`. The result has the dtype of x;
integers are refused, because they carry no gradient.
"""


# --- proxies ----------------------------------------------------------------------------------------------------------


def kinks(proxy: Proxy) -> str:
    return ", ".join(f"{number(place)}: {number(slope)}" for place, slope in proxy.kinks.items()) or "none"


def mass(proxy: Proxy) -> str:
    return number(proxy.mass()) if not math.isnan(proxy.mass()) else "–"


def proxy_row(family: Family) -> str:
    proxy = family()
    shown = ", ".join(f"{name}={value:g}" for name, value in proxy.parameters.items() if name != "scale")
    link = f"[`{family.name}({shown})`](reference/proxies.md#{family.__module__}.{family.name})"
    picture = (
        f"![Value and slope of {family.name}](images/proxies/{family.name}.svg){PICTURE_WIDTH}"
        if family.elementwise
        else ""
    )
    row = [picture, f"{link}<br>{cell(first_paragraph(family))}<br>*{cell(family.source)}*", kinks(proxy), mass(proxy)]
    return "| " + " | ".join(row) + " |"


def two_meanings() -> str:
    """The warning that the package's docstring holds, as a list."""
    text = next(part for part in inspect.getdoc(ste.proxies).split("\n\n") if part.startswith("Two names mean"))
    head, _, rest = " ".join(text.split()).replace("``", "`").partition(". ")
    notes = re.split(r"(?<=[.]) (?=\*)", rest)
    return f"{head}:\n\n" + "\n".join(f"- {note}" for note in notes) + "\n"


def proxies_page() -> str:
    lines = [WIDE + STAMP, "# Proxies\n", PROXIES_INTRO]
    for group, heading in GROUPS.items():
        module = importlib.import_module(f"straightthrough.proxies.{group}")
        rows = [proxy_row(family) for family in _registry.families.values() if family.__module__ == module.__name__]
        head = "| value (blue), slope (orange) | proxy | kinks: slope there | mass |\n| --- | --- | --- | --- |"
        lines += [f"## {heading}\n", head, *rows, ""]
    lines += [
        "## Other names\n",
        "Each is accepted wherever a name is.\n",
        "| name | ours | note |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| `{alias}` | `{canonical}` | {cell(note)} |"
        for alias, (canonical, note) in sorted(_registry.aliases.items())
    ]
    lines += ["", "## Names that mean two functions\n", two_meanings()]
    return "\n".join(lines)


WIDTH, HEIGHT, PAD = 132, 84, 12
BLUE, ORANGE, GREY = "#2f6fd6", "#d9611e", "#8a8a8a"


def panel(xs: list[float], ys: list[float], colour: str, behind: list[float] | None, left: float) -> list[str]:
    """One curve in its own box: axes through 0, the largest value written beside the axis."""
    low, high = min([0.0, *ys, *(behind or [])]), max([0.0, *ys, *(behind or [])])
    span = (high - low) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        across = left + PAD + (x - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - 2 * PAD)
        return round(across, 1), round(HEIGHT - PAD - (y - low) / span * (HEIGHT - 2 * PAD), 1)

    def path(values: list[float], stroke: str, more: str) -> str:
        points = [at(x, y) for x, y in zip(xs, values, strict=True)]
        flat = lambda a, b, c: a[1] == b[1] == c[1]  # noqa: E731
        kept = [b for a, b, c in zip(points, points[1:], points[2:], strict=False) if not flat(a, b, c)]
        text = " ".join(f"{x:g},{y:g}" for x, y in [points[0], *kept, points[-1]])
        return f'<polyline points="{text}" fill="none" stroke="{stroke}" {more}/>'

    (x0, y0), (x1, _), (_, top) = at(xs[0], 0.0), at(xs[-1], 0.0), at(0.0, high)
    (middle, bottom) = at(0.0, low)
    lines = [
        f'<path d="M{x0:g} {y0:g}H{x1:g}M{middle:g} {bottom:g}V{top:g}" stroke="{GREY}" stroke-width=".6"/>',
        f'<text x="{middle + 3:g}" y="{top - 3:g}" fill="{GREY}" font-size="9">{number(round(max(ys), 3))}</text>',
    ]
    if behind:
        lines.append(path(behind, GREY, 'stroke-width="1" stroke-dasharray="3 2"'))
    return [*lines, path(ys, colour, 'stroke-width="1.8" stroke-linejoin="round"')]


def picture(family: Family) -> str:
    """Value, beside the hard operator of the same mass, and slope, over -3 <= x <= 3."""
    data = curve_data(family, points=241)
    hard = {1.0: "heaviside", 2.0: "sign"}.get(round(family().mass(), 9) if family.mass_rule else NAN)
    behind = getattr(ste, hard)(torch.tensor(data["x"])).tolist() if hard else None
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {2 * WIDTH} {HEIGHT}" font-family="sans-serif">',
            f"<title>{family.name}: value and slope, x from -3 to 3</title>",
            *panel(data["x"], data["value"], BLUE, behind, 0),
            *panel(data["x"], data["slope"], ORANGE, None, WIDTH),
            "</svg>\n",
        ]
    )


# --- operations -------------------------------------------------------------------------------------------------------

COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
SELECTIONS = {"one_hot_argmax": {}, "one_hot_argmin": {}, "top_k_mask": {"k": 1}}
TIES = {"round": (0.5, 1.5, 2.5), "ternary": (-0.5, 0.5)}


def computed(operation: Any, *values: float) -> str:
    """What an operation gives, each input with its result, by running it."""
    x = torch.tensor(values, dtype=torch.float64)
    if operation.name in SELECTIONS:
        return f"[{', '.join(map(number, operation(x, **SELECTIONS[operation.name]).tolist()))}]"
    more = (torch.zeros_like(x),) if operation.name in COMPARISONS else (-1.0, 1.0) if operation.name == "clip" else ()
    return ", ".join(number(result) for result in operation(x, *more).tolist())


def ties(operation: Any) -> str:
    if operation.name in SELECTIONS:
        return f"[1, 1] → {computed(operation, 1.0, 1.0)}"
    if operation.name in TIES:
        return ", ".join(f"{number(x)} → {computed(operation, x)}" for x in TIES[operation.name])
    return "–"


def operation_row(operation: Any) -> str:
    called = (
        f"{operation.name}({', '.join(name for name in inspect.signature(operation).parameters if name != 'proxy')})"
    )
    link = (
        f"[`{called}`](reference/{operation.__module__.rpartition('.')[2]}.md#{operation.__module__}.{operation.name})"
    )
    if operation.name in SELECTIONS:
        at_zero, at_nan = f"[-0, 0] → {computed(operation, -0.0, 0.0)}", f"[1, nan] → {computed(operation, 1.0, NAN)}"
        at_infinity = f"[-∞, ∞] → {computed(operation, -INFINITY, INFINITY)}"
    else:
        at_zero, at_nan = computed(operation, 0.0, -0.0), computed(operation, NAN)
        at_infinity = computed(operation, INFINITY, -INFINITY)
    row = [link, at_zero, at_nan, at_infinity, ties(operation), f"`{operation.proxy}`", cell(operation.reason)]
    return "| " + " | ".join(row) + " |"


def operations_page() -> str:
    lines = [WIDE + STAMP, "# Operations\n", OPERATIONS_INTRO]
    for module in ("rounding", "thresholds", "selection"):
        head = "| operation | at 0, -0 | at nan | at ∞, -∞ | ties | default proxy | because |\n" + "| --- " * 7 + "|"
        rows = [
            operation_row(operation)
            for operation in _registry.operations.values()
            if operation.__module__ == f"straightthrough.{module}"
        ]
        lines += [
            f"## {title(importlib.import_module(f'straightthrough.{module}')).partition(':')[0]}\n",
            head,
            *rows,
            "",
        ]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Everything that this writes: path under docs/ → text."""
    drawn = [family for family in _registry.families.values() if family.elementwise]
    pictures = {f"images/proxies/{family.name}.svg": picture(family) for family in drawn}
    return {"proxies.md": proxies_page(), "operations.md": operations_page(), **pictures}


def main() -> None:
    for path, text in pages().items():
        (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / path).write_text(text, encoding="utf-8")
        print(f"docs/{path}")


if __name__ == "__main__":
    main()
