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
units of the input. No GPU was at hand. Each row names the load (jobs that were ready to run; above the number of cores
others were at work, and figures are noisy) and the time at which it was measured, UTC.
"""

QUANTISE = """## Fake-quantise of PyTorch, TensorFlow and Keras

8 bits, scale 1, zero at 0, data normal with deviation 50. All forms do this work: the value is x clipped to -128 … 127
and rounded; the slope is 1 where x was in that range and 0 outside. Ours, with `mask = "range_mask(low=-128.0,
high=127.0)"`, is one operation, `ste.with_proxy(lambda x: round(clip(x, -128.0, 127.0)), mask)`, in which `round` and
`clip` are the framework's, or two, `ste.round(ste.clip(x, -128.0, 127.0, proxy=mask))`. Bare is the same operator plus
a gradient of zeros.

Theirs is not the same in all: scale and bounds are arguments, so they also divide and multiply by a scale of 1; Keras
also computes gradients of its two bounds; PyTorch keeps a mask of booleans, lets half a step more through on each side
and turns nan into -128, where ours keeps nan; TensorFlow and Keras round halves up, PyTorch and ours to even;
`tf.quantization.fake_quant_with_min_max_args` takes float32 only. Theirs are for this one computation, ours takes any
operator and any proxy. The rows named round compare a bare rounding of slope 1: Keras' is `keras.ops.custom_gradient`,
ours `ste.round`. Keras runs on the framework of the row.
"""


def load(folder: Path) -> tuple[list[Row], list[dict[str, Any]], dict[str, Any]]:
    found: list[Row] = []
    machines = []
    for path in sorted(folder.glob("*.json")):
        if path.name != "import.json":
            record = json.loads(path.read_text())
            found += dated(record)
            machines.append(record["machine"])
    cost = folder / "import.json"
    return found, machines, json.loads(cost.read_text()) if cost.exists() else {}


def dated(record: dict[str, Any]) -> list[Row]:
    """The rows of a file; those without a load and a time of their own get their file's."""
    machine = record["machine"]
    stamp = {"load": machine["load"][0], "at": "by " + machine["date"].removesuffix(" UTC")} if machine else {}
    return [{**stamp, **row} for row in record["rows"]]


def when(row: Row) -> str:
    """Load and time of day."""
    words = str(row["at"]).split()
    return f"{row['load']:.1f}, {' '.join(word for word in words if '-' not in word)}"


def pick(rows: list[Row], **facts: Any) -> list[Row]:
    return [row for row in rows if all(row.get(key) == value for key, value in facts.items())]


def ratio(row: Row, form: str) -> float:
    return float(row["forms"][form]["ratio"])


def best_peer(rows: list[Row], row: Row) -> tuple[str, float, str] | None:
    """The quickest peer of the same operation, proxy, type and size; its ratio, and when it was measured."""
    facts = {key: row[key] for key in ("operation", "proxy", "dtype", "n")}
    found = [(p["peer"], ratio(p, p["peer"]), when(p)) for p in pick(rows, mode="peer", **facts)]
    return min(found, key=lambda one: one[1]) if found else None


def table(head: Iterable[str], body: Iterable[Iterable[Any]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


class Goals:
    """Rows of the table of goals: what, goal, measured, by how much missed."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    def add(self, row: Row, what: str, goal: float, measured: float, why: str = "") -> None:
        met = measured <= goal
        verdict = "met" if met else f"missed by {100 * (measured / goal - 1):.0f} %" + (f": {why}" if why else "")
        self.lines.append([what, f"≤ {goal:g}", f"{measured:.2f}", verdict, when(row)])

    def report(self, row: Row, what: str, measured: float) -> None:
        """A figure without a goal."""
        self.lines.append([what, "reported", f"{measured:.2f}", "", when(row)])


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
WHY_TENSORFLOW = {
    "clipped_identity": "the two-valued sign takes three kernels and the window four, where bare takes two in all",
    "sigmoid": "a step that keeps nan takes three kernels and the gradient six, where bare takes three in all",
    "atan": "a step that keeps nan takes three kernels and the gradient six, where bare takes three in all",
    "fast_sigmoid": "a step that keeps nan takes three kernels and the gradient five, where bare takes three in all",
}
WHY_XLA = {
    "float32": "the slope's arithmetic; bare is eager, without XLA's entry and exit",
    "bfloat16": "XLA takes each kernel of the two-valued sign through float32",
}


def torch_goals(rows: list[Row], goals: Goals) -> None:
    eager = pick(rows, framework="torch", mode="eager", table=None, n=LARGE)
    for row in eager:
        name = f"torch eager, {row['operation']}, {row['proxy']}, {row['dtype']}"
        peer = best_peer(rows, row)
        own, textbook = ratio(row, "ours"), ratio(row, "textbook")
        if (row["operation"], row["proxy"]) == ("round", "identity"):
            goals.add(row, f"{name}: × bare", 0.75, own, WHY_BUS)
            goals.add(row, f"{name}: × textbook", 0.35, own / textbook)
        if row["operation"] in ("sign", "round") and row["proxy"] == "clipped_identity":
            goals.add(row, f"{name}: × bare", 1.7, own, WHY_CHECKS[row["operation"]])
            goals.add(row, f"{name}: × textbook", 0.45, own / textbook)
            if peer:
                goals.add(row, f"{name}: × {peer[0]}", 0.5, own / peer[1])
        if row["operation"] == "heaviside" and peer:
            goal, why = 0.6 if row["dtype"] == "float32" else 0.35, WHY_SPIKING[row["proxy"]]
            goals.add(row, f"{name}: × {peer[0]}", goal, own / peer[1], why)
            twice = ratio(row, "ours, differentiable")
            goals.report(row, f"{name}, twice differentiable: × {peer[0]}", twice / peer[1])
        if row["operation"] == "one_hot_argmax":
            goals.add(row, f"{name}: × bare", 1.5, own, "the argmax and the softmax are the time; little is ours")


def other_goals(rows: list[Row], goals: Goals) -> None:
    for row in pick(rows, framework="jax", table=None, n=LARGE):
        atan = row["proxy"] == "atan" and row["dtype"] == "bfloat16"
        slope = 2.0 if row["dtype"] == "float32" else 3.4 if atan else 2.3
        goal = 1.2 if row["proxy"] == "identity" else slope
        why = "an exponential and a division per element" if row["proxy"] == "sigmoid" else WHY_BUS
        name = f"jax jit, {row['operation']}, {row['proxy']}, {row['dtype']}: × bare"
        goals.add(row, name, goal, ratio(row, "ours"), why)
    for row in pick(rows, framework="tensorflow", table=None, n=LARGE):
        name = f"tensorflow {{}}, {row['operation']}, {row['proxy']}, {row['dtype']}: × bare"
        half = row["dtype"] == "bfloat16"
        if row["proxy"] == "clipped_identity":
            modes = {"eager": 2.7, "graph": 3.2 if half else 2.7, "xla": 1.6}
        elif row["proxy"] in SPIKING and not half:
            modes = {"graph": 1.8, "xla": 1.2}
            eager = ratio(row, "ours, eager") / ratio(row, "textbook, eager")
            goals.add(
                row, name.format("eager").replace("× bare", "× textbook"), 1.0, eager, WHY_TENSORFLOW[row["proxy"]]
            )
        else:
            continue
        for mode, goal in modes.items():
            why = WHY_XLA[row["dtype"]] if mode == "xla" else WHY_TENSORFLOW[row["proxy"]]
            goals.add(row, name.format(mode), goal, ratio(row, f"ours, {mode}"), why)


def quantise_goals(rows: list[Row], goals: Goals) -> None:
    """No goal is set for these: ours by the frameworks' own, at the largest size."""
    for row in pick(rows, table="quantise", n=LARGE):
        for form in ("torch", "tensorflow", "Keras"):
            if form in row["forms"]:
                name = f"{row['framework']} {row['mode']}, {row['operation']}, {row['dtype']}: × {form}"
                goals.report(row, name, ratio(row, "ours") / ratio(row, form))


def cost_goals(rows: list[Row], imported: dict[str, Any], goals: Goals) -> None:
    calls = pick(rows, framework="torch", mode="call")
    for row in calls:
        goals.add(
            row,
            f"torch call, forward, {row['operation']}, {row['proxy']}: × textbook",
            1.2,
            ratio(row, "ours") / ratio(row, "textbook"),
            WHY_CALL.get(row["operation"], ""),
        )
    for row in pick(rows, framework="torch", mode="eager", table=None, n=LARGE):
        memory = row.get("memory", {}).get("ours")
        if memory and row["proxy"] != "softmax":
            goal = 1.0 if row["proxy"] == "identity" else 2.0
            # The system counts pages, and a block or two are in use.
            goals.add(
                row,
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
        goals.add(imported, what, 30.0, 1e3 * imported["seconds"], yardstick)


def torch_table(rows: list[Row], n: int) -> str:
    body = []
    for row in pick(rows, framework="torch", mode="eager", table=None, n=n):
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
                f"{peer[0]} {peer[1]:.2f} ({peer[2]})" if peer else "–",
                f"{memory['textbook']:.2f} / {memory['ours']:.2f}" if memory else "–",
                when(row),
            ]
        )
    head = ["operation, proxy", "dtype", "textbook", "ours", "ours, twice differentiable", "best peer (its load, time)"]
    return table([*head, "peak memory: textbook / ours", "load, time"], body)


def other_table(rows: list[Row], framework: str) -> str:
    found = pick(rows, framework=framework, table=None)
    forms = [form for form in (found[0]["forms"] if found else []) if form != "bare"]
    body = [
        [f"{row['operation']}, {row['proxy']}", row["dtype"], f"{row['n']:,}"]
        + [f"{ratio(row, form):.2f}" if form in row["forms"] else "–" for form in forms]
        + ([" / ".join(f"{row['memory'][form]:.2f}" for form in forms)] if "memory" in row else [])
        + [when(row)]
        for row in found
    ]
    memory = [f"memory: {' / '.join(forms)}"] if found and "memory" in found[0] else []
    return table(["operation, proxy", "dtype", "n", *forms, *memory, "load, time"], body)


def quantise_table(rows: list[Row]) -> str:
    body = []
    for row in pick(rows, table="quantise"):
        forms, memory = row["forms"], row["memory"]
        own = "torch" if "torch" in forms else "tensorflow"
        cells = [f"{ratio(row, f):.2f}" if f in forms else "–" for f in ("textbook", "ours", "ours, clip then round")]
        peers = [f"{ratio(row, f):.2f}" if f in forms else "–" for f in (own, "Keras")]
        needs = (
            " / ".join(f"{memory[f]:.2f}" if f in memory else "–" for f in ("ours", own, "Keras")) if memory else "–"
        )
        where = f"{row['framework']} {row['mode']}, {row['operation']}"
        body.append([where, row["dtype"], f"{row['n']:,}", *cells, *peers, needs, when(row)])
    ours = ["ours, one operation", "ours, clip then round"]
    head = ["framework, operation", "dtype", "n", "textbook", *ours, "the framework's own", "Keras"]
    return table([*head, "peak memory: ours / own / Keras", "load, time"], body)


def picture(rows: list[Row], path: Path) -> bool:
    """Bars of textbook, best peer and ours at the largest size; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = pick(rows, framework="torch", mode="eager", table=None, n=LARGE, dtype="float32")[:7]
    if not found:
        return False
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    columns: list[tuple[str, str, Callable[[Row], float]]] = [
        ("textbook", "#9aa5b1", lambda row: ratio(row, "textbook")),
        ("best peer", "#d98c5f", lambda row: (best_peer(rows, row) or ("", float("nan"), ""))[1]),
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
    quantise_goals(rows, goals)
    cost_goals(rows, imported, goals)
    parts = [INTRO]
    if machines:
        one = machines[0]
        named = ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        parts.append(
            f"Machine: {one['processor']}, {one['cores']} cores, {one['system']}; "
            f"Python {one['python']}, {named}; {max(m['date'] for m in machines)}. "
            "The machine was shared while this ran.\n"
        )
        parts += [f"{note}\n" for note in dict.fromkeys(m.get("note", "") for m in machines) if note]
    (docs / "images").mkdir(exist_ok=True)
    if picture(rows, docs / "images" / "benchmarks.svg"):
        parts.append("![Time over the bare operator](images/benchmarks.svg)\n")
    met = sum(line[3] == "met" for line in goals.lines)
    counted = sum(line[1] != "reported" for line in goals.lines)
    parts.append(f"## Goals\n\n{met} of {counted} are met.\n")
    parts.append(table(["what", "goal", "measured", "", "load, time"], goals.lines))
    for n in (LARGE, MIDDLE, SMALL):
        if pick(rows, framework="torch", mode="eager", table=None, n=n):
            parts.append(f"## PyTorch, eager, n = {n:,}\n\n" + torch_table(rows, n))
    for framework, title in (("jax", "JAX, one jitted program"), ("tensorflow", "TensorFlow, bare in eager mode")):
        if pick(rows, framework=framework, table=None):
            parts.append(f"## {title}\n\n" + other_table(rows, framework))
    if pick(rows, table="quantise"):
        parts += [QUANTISE, quantise_table(rows)]
    path = docs / "benchmarks.md"
    path.write_text("\n".join(parts))
    return path
