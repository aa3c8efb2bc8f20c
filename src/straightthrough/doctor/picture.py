"""The graph of a program as a drawing: the loss gradient as the width of an edge, deaths in red, a link to each line.

One box per source line, the head on top: a person looks for a line, and a loop is one. Larger programs are drawn by
function, then by file.
"""

from __future__ import annotations

import html
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from straightthrough.doctor._paths import Paths, is_floating
from straightthrough.doctor.diagnosis import Diagnosis
from straightthrough.programs import Examination, Node
from straightthrough.programs._keys import short_place
from straightthrough.report import number

MOST_BOXES = 48
_WIDE, _HIGH, _GAP, _LEVEL = 216, 46, 26, 88
_STYLE = """
.box rect { fill: var(--panel, #f6f8fa); stroke: var(--rule, #d8dee4); stroke-width: 1.2; rx: 8px; }
.box text { fill: var(--ink, #1b1f24); font: 12.5px var(--figure-font, sans-serif); }
.box .small { fill: var(--muted, #59636e); font-size: 11px; }
.box.dead rect { stroke: var(--bad, #b3400a); stroke-width: 2.4; fill: var(--bad-panel, #fdf1ea); }
.box.lost rect { stroke: var(--bad, #b3400a); stroke-dasharray: 4 3; }
.box.parameter rect { rx: 20px; }
.edge { fill: none; stroke: var(--note, #0072b2); stroke-linecap: round; opacity: 0.75; }
.edge.none { stroke: var(--bad, #b3400a); stroke-dasharray: 2 5; }
""".strip()


@dataclass
class _Box:
    """Operators that are drawn as one."""

    name: str
    title: str
    operators: list[str] = field(default_factory=list)
    order: int = 0
    gradient: float = 0.0
    anchor: str = ""
    kind: str = ""
    level: int = 0
    x: float = 0.0
    y: float = 0.0


def picture(diagnosis: Diagnosis) -> str | None:
    """An SVG drawing; None if the loss depends on no parameter that a path leads from."""
    examination = diagnosis.examination
    if examination is None or examination.loss is None:
        return None
    drawn = Paths(examination).before_loss
    for name in (_by_line, _by_function, _by_file):
        boxes, edges = _boxes(diagnosis, examination, drawn, name)
        if len(boxes) <= MOST_BOXES:
            break
    _place(boxes, edges)
    return _svg(boxes, edges)


def _by_line(node: Node) -> str:
    return short_place(node.place) if node.place else (short_place(node.inside) if node.inside else node.operator)


def _by_function(node: Node) -> str:
    return f"{node.place.function} in {short_place(node.place).split(':')[0]}" if node.place else "?"


def _by_file(node: Node) -> str:
    return short_place(node.place).split(":")[0]


def _boxes(
    diagnosis: Diagnosis, examination: Examination, drawn: set[int], name: Callable[[Node], str]
) -> tuple[dict[str, _Box], dict[tuple[str, str], float]]:
    owners = {p.node: p.name.rpartition(".")[0] or p.name for p in examination.parameters if p.node is not None}
    dead_lines = {(finding.file, finding.line) for finding in diagnosis.findings}
    boxes: dict[str, _Box] = {}
    of_node: dict[int, str] = {}
    for node in examination.nodes:
        if node.index not in drawn:
            continue
        is_parameter = node.index in owners
        key = f"parameter {owners[node.index]}" if is_parameter else name(node)
        title = owners[node.index] if is_parameter else key
        box = boxes.setdefault(key, _Box(key, title))
        of_node[node.index] = key
        box.order = max(box.order, node.index)
        if is_floating(node):
            box.gradient = max(box.gradient, _finite(node.gradient))
        if is_parameter:
            box.kind = "parameter"
            continue
        if node.operator not in box.operators:
            box.operators.append(node.operator)
        if node.place is not None:
            box.anchor = anchor(node.place.file, node.place.line)
            if (node.place.file, node.place.line) in dead_lines:
                box.kind = "dead"
    return boxes, _edges(examination, drawn, of_node)


def _edges(examination: Examination, drawn: set[int], of_node: dict[int, str]) -> dict[tuple[str, str], float]:
    """(from nearer the loss, to further away): the norm of the loss gradient that crosses; 0 where none does."""
    edges: dict[tuple[str, str], float] = defaultdict(float)
    for node in examination.nodes:
        for edge in node.edges:
            if node.index not in drawn or of_node[node.index] == of_node[edge.source]:
                continue
            source = examination.nodes[edge.source]
            crosses = 0.0 if edge.slope in ("absent", "zero") else _finite(source.gradient)
            key = of_node[node.index], of_node[edge.source]
            edges[key] = max(edges[key], crosses)
    return dict(edges)


def _finite(gradient: float | None) -> float:
    return gradient if gradient is not None and math.isfinite(gradient) else 0.0


def _place(boxes: dict[str, _Box], edges: dict[tuple[str, str], float]) -> None:
    """Levels by the longest way from the loss; within a level, each box near the mean of those above it."""
    above: dict[str, list[_Box]] = defaultdict(list)
    for user, source in edges:
        above[source].append(boxes[user])
    levels: dict[int, list[_Box]] = defaultdict(list)
    for box in sorted(boxes.values(), key=lambda box: -box.order):
        # Only what runs later counts: a loop would otherwise stand above itself.
        later = [user for user in above[box.name] if user.order > box.order]
        box.level = 1 + max((user.level for user in later), default=-1)
        levels[box.level].append(box)
    widest = max(map(len, levels.values()))
    for level in sorted(levels):
        row = levels[level]
        row.sort(key=lambda box: _mean([user.x for user in above[box.name] if user.level < level]))
        indent = (widest - len(row)) * (_WIDE + _GAP) / 2
        for position, box in enumerate(row):
            box.x = 10 + indent + position * (_WIDE + _GAP)
            box.y = 10 + level * _LEVEL


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _svg(boxes: dict[str, _Box], edges: dict[tuple[str, str], float]) -> str:
    width = max(box.x for box in boxes.values()) + _WIDE + 10
    height = max(box.y for box in boxes.values()) + _HIGH + 10
    sizes = [math.log10(norm) for norm in edges.values() if norm > 0]
    low, high = min(sizes, default=0.0), max(sizes, default=0.0)
    lines = [_edge(boxes[user], boxes[source], norm, low, high) for (user, source), norm in edges.items()]
    shapes = [_shape(box) for box in boxes.values()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}"><style>{_STYLE}</style>{"".join(lines)}{"".join(shapes)}</svg>'
    )


def _edge(user: _Box, source: _Box, norm: float, low: float, high: float) -> str:
    x1, y1 = user.x + _WIDE / 2, user.y + _HIGH
    x2, y2 = source.x + _WIDE / 2, source.y
    if y2 <= y1:  # a loop runs back up: beside the boxes
        x1, y1, x2, y2 = user.x + _WIDE, user.y + _HIGH / 2, source.x + _WIDE, source.y + _HIGH / 2
        path = f"M{x1:.0f},{y1:.0f} C{x1 + 40:.0f},{y1:.0f} {x2 + 40:.0f},{y2:.0f} {x2:.0f},{y2:.0f}"
    else:
        middle = (y1 + y2) / 2
        path = f"M{x1:.0f},{y1:.0f} C{x1:.0f},{middle:.0f} {x2:.0f},{middle:.0f} {x2:.0f},{y2:.0f}"
    thickness = 1.5 if norm == 0 or high == low else 1.5 + 7 * (math.log10(norm) - low) / (high - low)
    said = f"loss gradient {number(norm)}" if norm else "no loss gradient"
    kind = "edge" if norm else "edge none"
    return f'<path class="{kind}" d="{path}" stroke-width="{thickness:.1f}"><title>{said}</title></path>'


def _shape(box: _Box) -> str:
    kind = " ".join(filter(None, ["box", box.kind, "lost" if box.gradient == 0 and box.kind != "dead" else ""]))
    title, below = html.escape(_cut(box.title, 30)), html.escape(_cut(", ".join(box.operators), 34))
    arrives = number(box.gradient) if box.gradient else "✗ 0"
    text = (
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{_WIDE}" height="{_HIGH}"/>'
        f'<text x="{box.x + 12:.0f}" y="{box.y + 19:.0f}">{title}</text>'
        f'<text class="small" x="{box.x + 12:.0f}" y="{box.y + 36:.0f}">{below or "parameter"}</text>'
        f'<text class="small" text-anchor="end" x="{box.x + _WIDE - 10:.0f}" y="{box.y + 36:.0f}">{arrives}</text>'
        f"<title>{html.escape(box.title)}: loss gradient {arrives}</title>"
    )
    if box.anchor:
        text = f'<a href="#{box.anchor}">{text}</a>'
    return f'<g class="{kind}">{text}</g>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def anchor(file: str, line: int) -> str:
    """The name under which a page shows this line."""
    return f"line-{file.rsplit('/', 1)[-1].replace('.', '-')}-{line}"
