"""docs/benchmarks.md and its picture, from benchmarks/results/."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

LARGE, MIDDLE, SMALL = 16_000_000, 1_000_000, 1_000
SPIKING = ("sigmoid", "atan", "fast_sigmoid")
Row = dict[str, Any]

INTRO = """# Benchmarks

Written by `make bench` from `benchmarks/results/`. A figure is the median, over rounds, of the time of a form divided
by the time of the **bare** operator in the same round: forward and backward, one pinned core, one thread, pages kept.
Bare is the framework's own operator plus a gradient of zeros (for `sign` its three-valued sign, which does less than
ours). The **textbook** line is `p + (op(x) - p).detach()`. Peers run in environments of their own, each against bare in
its own process. The clock is processor time. Peak memory is what a call needs beyond its input, results included, in
units of the input. No GPU was at hand.
"""


def load(folder: Path) -> tuple[list[Row], list[dict[str, Any]], dict[str, Any]]:
    found: list[Row] = []
    machines = []
    for path in sorted(folder.glob("*.json")):
        if path.name != "import.json":
            record = json.loads(path.read_text())
            found += record["rows"]
            machines.append(record["machine"])
    cost = folder / "import.json"
    return found, machines, json.loads(cost.read_text()) if cost.exists() else {}


def pick(rows: list[Row], **facts: Any) -> list[Row]:
    return [row for row in rows if all(row.get(key) == value for key, value in facts.items())]


def ratio(row: Row, form: str) -> float:
    return float(row["forms"][form]["ratio"])


def best_peer(rows: list[Row], row: Row) -> tuple[str, float] | None:
    """The quickest peer of the same operation, proxy, type and size."""
    facts = {key: row[key] for key in ("operation", "proxy", "dtype", "n")}
    found = [(p["peer"], ratio(p, p["peer"])) for p in pick(rows, mode="peer", **facts)]
    return min(found, key=lambda pair: pair[1]) if found else None


def table(head: Iterable[str], body: Iterable[Iterable[Any]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


class Goals:
    """Rows of the table of goals: what, goal, measured, by how much missed."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    def add(self, what: str, goal: float, measured: float, why: str = "") -> None:
        met = measured <= goal
        verdict = "met" if met else f"missed by {100 * (measured / goal - 1):.0f} %" + (f": {why}" if why else "")
        self.lines.append([what, f"≤ {goal:g}", f"{measured:.2f}", verdict])


WHY_BUS = "two passes is the least; the memory bus was shared"
WHY_CHECKS = {
    "sign": "the two-valued sign takes three kernels; a check for nan reads x again, from the cache",
    "round": "a check for nan reads x again, from the cache",
}
WHY_SPIKING = {
    "sigmoid": "an exponential per element is most of the time, theirs and ours",
    "atan": "half types go through float32 blocks",
    "fast_sigmoid": "half types go through float32 blocks",
}
WHY_CALL = {
    "round": "the checks, and a derivative rule in Python",
    "sign": "the two-valued sign takes three kernels where torch.sign, which is 0 at 0 and at nan, takes one",
    "one_hot_argmax": "checks of axis and shape, and the proxy's parameters",
}
WHY_MEMORY = {
    "stochastic_round": "a draw in float32 and the fraction are held at once",
    "ternary": "two masks are held at once",
    "heaviside": "blocks in float32 beside the half type",
    **dict.fromkeys(
        ("greater", "greater_equal", "less", "less_equal"), "x - y is an array of its own, and its gradient"
    ),
    "equal": "the difference, its magnitude and their derivatives are arrays of their own",
    "not_equal": "as equal",
}
WHY_TENSORFLOW = "choices by mask are separate kernels, and so is each step of a slope"


def torch_goals(rows: list[Row], goals: Goals) -> None:
    eager = pick(rows, framework="torch", mode="eager", n=LARGE)
    for row in eager:
        name = f"torch eager, {row['operation']}, {row['proxy']}, {row['dtype']}"
        peer = best_peer(rows, row)
        own, textbook = ratio(row, "ours"), ratio(row, "textbook")
        if (row["operation"], row["proxy"]) == ("round", "identity"):
            goals.add(f"{name}: × bare", 0.75, own, WHY_BUS)
            goals.add(f"{name}: × textbook", 0.35, own / textbook)
        if row["operation"] in ("sign", "round") and row["proxy"] == "clipped_identity":
            goals.add(f"{name}: × bare", 1.7, own, WHY_CHECKS[row["operation"]])
            goals.add(f"{name}: × textbook", 0.45, own / textbook)
            if peer:
                goals.add(f"{name}: × {peer[0]}", 0.5, own / peer[1])
        if row["operation"] == "heaviside" and peer:
            goal, why = 0.6 if row["dtype"] == "float32" else 0.35, WHY_SPIKING[row["proxy"]]
            goals.add(f"{name}: × {peer[0]}", goal, own / peer[1], why)
            twice = ratio(row, "ours, differentiable")
            goals.lines.append([f"{name}, twice differentiable: × {peer[0]}", "reported", f"{twice / peer[1]:.2f}", ""])
        if row["operation"] == "one_hot_argmax":
            goals.add(f"{name}: × bare", 1.5, own, "the argmax and the softmax are the time; little is ours")


def other_goals(rows: list[Row], goals: Goals) -> None:
    for row in pick(rows, framework="jax", n=LARGE):
        atan = row["proxy"] == "atan" and row["dtype"] == "bfloat16"
        slope = 2.0 if row["dtype"] == "float32" else 3.4 if atan else 2.3
        goal = 1.2 if row["proxy"] == "identity" else slope
        why = "XLA's choice between bfloat16 numbers goes through float32" if row["dtype"] == "bfloat16" else WHY_BUS
        name = f"jax jit, {row['operation']}, {row['proxy']}, {row['dtype']}: × bare"
        goals.add(name, goal, ratio(row, "ours"), why)
    sizes = sorted({row["n"] for row in pick(rows, framework="tensorflow")})
    for row in pick(rows, framework="tensorflow", n=sizes[-1] if sizes else 0):
        name = f"tensorflow {{}}, {row['operation']}, {row['proxy']}, {row['dtype']}: × bare"
        half = row["dtype"] == "bfloat16"
        if row["proxy"] == "clipped_identity":
            modes = {"eager": 2.7, "graph": 3.2 if half else 2.7, "xla": 1.6}
        elif row["proxy"] in SPIKING and not half:
            modes = {"graph": 1.8, "xla": 1.2}
            eager = ratio(row, "ours, eager") / ratio(row, "textbook, eager")
            goals.add(name.format("eager").replace("× bare", "× textbook"), 1.0, eager, WHY_TENSORFLOW)
        else:
            continue
        for mode, goal in modes.items():
            goals.add(name.format(mode), goal, ratio(row, f"ours, {mode}"), WHY_TENSORFLOW)


def cost_goals(rows: list[Row], imported: dict[str, Any], goals: Goals) -> None:
    calls = pick(rows, framework="torch", mode="call")
    for row in calls:
        goals.add(
            f"torch call, forward, {row['operation']}, {row['proxy']}: × textbook",
            1.2,
            ratio(row, "ours") / ratio(row, "textbook"),
            WHY_CALL.get(row["operation"], ""),
        )
    for row in pick(rows, framework="torch", mode="eager", n=LARGE):
        memory = row.get("memory", {}).get("ours")
        if memory and row["proxy"] != "softmax":
            goal = 1.0 if row["proxy"] == "identity" else 2.0
            # The system counts pages, and a block or two are in use.
            goals.add(
                f"torch peak memory, {row['operation']}, {row['proxy']}, {row['dtype']}, inputs",
                goal + 0.05,
                memory,
                WHY_MEMORY.get(row["operation"], ""),
            )
    if imported:
        what = f"import straightthrough, ms of processor time (frameworks and numpy loaded: {imported['loads']})"
        yardstick = (
            f"numpy's import took {1e3 * imported['numpy']:.0f} ms at the same time; it takes 47 on a quiet machine"
        )
        goals.add(what, 30.0, 1e3 * imported["seconds"], yardstick)


def torch_table(rows: list[Row], n: int) -> str:
    body = []
    for row in pick(rows, framework="torch", mode="eager", n=n):
        peer = best_peer(rows, row)
        twice = f"{ratio(row, 'ours, differentiable'):.2f}" if "ours, differentiable" in row["forms"] else "–"
        spread = f"{row['forms']['ours']['low']:.2f}–{row['forms']['ours']['high']:.2f}"
        memory = row.get("memory") or {}
        body.append(
            [
                f"{row['operation']}, {row['proxy']}",
                row["dtype"],
                f"{ratio(row, 'textbook'):.2f}",
                f"**{ratio(row, 'ours'):.2f}** ({spread})",
                twice,
                f"{peer[0]} {peer[1]:.2f}" if peer else "–",
                f"{memory['textbook']:.2f} / {memory['ours']:.2f}" if memory else "–",
            ]
        )
    head = ["operation, proxy", "dtype", "textbook", "ours", "ours, twice differentiable", "best peer"]
    return table([*head, "peak memory: textbook / ours"], body)


def other_table(rows: list[Row], framework: str) -> str:
    found = pick(rows, framework=framework)
    forms = [form for form in (found[0]["forms"] if found else []) if form != "bare"]
    body = [
        [f"{row['operation']}, {row['proxy']}", row["dtype"], f"{row['n']:,}"]
        + [f"{ratio(row, form):.2f}" if form in row["forms"] else "–" for form in forms]
        + ([" / ".join(f"{row['memory'][form]:.2f}" for form in forms)] if "memory" in row else [])
        for row in found
    ]
    memory = [f"memory: {' / '.join(forms)}"] if found and "memory" in found[0] else []
    return table(["operation, proxy", "dtype", "n", *forms, *memory], body)


def picture(rows: list[Row], path: Path) -> bool:
    """Bars of textbook, best peer and ours at the largest size; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = pick(rows, framework="torch", mode="eager", n=LARGE, dtype="float32")[:7]
    if not found:
        return False
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    columns: list[tuple[str, str, Callable[[Row], float]]] = [
        ("textbook", "#9aa5b1", lambda row: ratio(row, "textbook")),
        ("best peer", "#d98c5f", lambda row: (best_peer(rows, row) or ("", float("nan")))[1]),
        ("ours", "#2f6db3", lambda row: ratio(row, "ours")),
    ]
    for place, (label, colour, value) in enumerate(columns):
        heights = [value(row) for row in found]
        axes.barh([i + 0.27 * (1 - place) for i in range(len(found))], heights, 0.25, color=colour, label=label)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_yticks(range(len(found)), [f"{row['operation']}, {row['proxy']}" for row in found])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("time / bare operator, forward and backward, float32, n = 1.6e7, torch eager on one core")
    axes.legend(frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
    return True


def write(results: Path, docs: Path) -> Path:
    """The page; returns its path."""
    rows, machines, imported = load(results)
    goals = Goals()
    torch_goals(rows, goals)
    other_goals(rows, goals)
    cost_goals(rows, imported, goals)
    parts = [INTRO]
    if machines:
        one = machines[0]
        named = ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        loads = ", ".join(f"{m['load'][0]:g}" for m in machines)
        parts.append(
            f"Machine: {one['processor']}, {one['cores']} cores, {one['system']}; "
            f"Python {one['python']}, {named}; {one['date']}. "
            f"Load when the parts were done: {loads} (above the number of cores means that others were at work, "
            "and that figures are noisy).\n"
        )
        parts += [f"{note}\n" for note in dict.fromkeys(m.get("note", "") for m in machines) if note]
    (docs / "images").mkdir(exist_ok=True)
    if picture(rows, docs / "images" / "benchmarks.svg"):
        parts.append("![Time over the bare operator](images/benchmarks.svg)\n")
    met = sum(line[3] == "met" for line in goals.lines)
    counted = sum(line[1] != "reported" for line in goals.lines)
    parts.append(f"## Goals\n\n{met} of {counted} are met.\n")
    parts.append(table(["what", "goal", "measured", ""], goals.lines))
    for n in (LARGE, MIDDLE, SMALL):
        if pick(rows, framework="torch", mode="eager", n=n):
            parts.append(f"## PyTorch, eager, n = {n:,}\n\n" + torch_table(rows, n))
    for framework, title in (("jax", "JAX, one jitted program"), ("tensorflow", "TensorFlow, bare in eager mode")):
        if pick(rows, framework=framework):
            parts.append(f"## {title}\n\n" + other_table(rows, framework))
    path = docs / "benchmarks.md"
    path.write_text("\n".join(parts))
    return path
