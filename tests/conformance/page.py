"""Runs the suite in full and writes `docs/conformance.md` and `docs/limits.md`: `python tests/conformance/page.py`.

`--quick` leaves the slow tests out; `--counts DIR` writes the pages from counts that earlier runs left in a directory;
`--limits` writes the table of limits alone, and runs nothing.
"""

# ruff: noqa: E501 (one row of a table is one line)
from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
LIMITS_PAGE = ROOT / "docs/limits.md"
VARIABLE = "STRAIGHTTHROUGH_CONFORMANCE"
FRAMEWORKS = ("torch", "jax", "tensorflow")
DTYPES = ("float64", "float32", "bfloat16", "float16")
LINES = {
    "1": "Value: bitwise the hard operator's",
    "2": "Gradient: loss gradient × slope",
    "3": "Kinks, limits, second derivatives",
    "4": "One mathematics on all frameworks",
    "5": "Composes with every transformation",
    "6": "No residue in exported graphs",
    "7": "Cost: nothing kept, nothing copied",
}
PACKAGES = ("torch", "jax", "tensorflow", "tensorflow-cpu", "keras", "numpy", "mpmath")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave the slow tests out")
    parser.add_argument("--counts", type=Path, help="use the counts in this directory, run nothing")
    parser.add_argument("--limits", action="store_true", help="write docs/limits.md alone")
    parser.add_argument("--workers", default="2")
    chosen = parser.parse_args()
    LIMITS_PAGE.write_text(limits_page(), encoding="utf-8")
    if chosen.limits:
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as empty:
        directory = chosen.counts or Path(empty)
        if chosen.counts is None:
            failed = run_suite(directory, chosen.quick, chosen.workers)
        counts = read(directory)
    if not counts:
        print("page.py: no counts were left; nothing is written", file=sys.stderr)
        return failed or 1
    quick = chosen.quick or not any(
        transformation.endswith("inductor") and count > 60 for *_, transformation, _, count in per_kind(counts)
    )
    (ROOT / "docs/conformance.md").write_text(page(counts, quick), encoding="utf-8")
    print(f"{sum(counts.values())} checks; docs/conformance.md and docs/limits.md are written")
    return failed


def run_suite(directory: Path, quick: bool, workers: str) -> int:
    command = [sys.executable, "-m", "pytest", str(ROOT / "tests/conformance"), "-n", workers, "-q"]
    command += ["-m", "not slow"] if quick else []
    return subprocess.run(command, env={**os.environ, VARIABLE: str(directory)}, cwd=ROOT).returncode


def read(directory: Path) -> Counter[tuple[str, ...]]:
    """(line, framework, operation, proxy, dtype, transformation, verdict) → how many."""
    counts: Counter[tuple[str, ...]] = Counter()
    for file in sorted(directory.glob("*.json")):
        for *key, count in json.loads(file.read_text(encoding="utf-8")):
            counts[tuple(key)] += count
    return counts


def per_kind(counts):
    kinds: Counter[tuple[str, ...]] = Counter()
    for (line, framework, _, _, _, transformation, verdict), count in counts.items():
        kinds[line, framework, transformation, verdict] += count
    return [(*kind, count) for kind, count in kinds.items()]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def shown(counter: Counter[str]) -> str:
    """``120`` when all passed, ``118, 2 fail`` or ``100, 20 limits`` otherwise; a dash where nothing was tried."""
    if not sum(counter.values()):
        return "–"
    parts = [f"{counter['passed']:,}"]
    parts += [f"**{counter['failed']:,} fail**"] if counter["failed"] else []
    parts += [f"{counter['limit']:,} limits"] if counter["limit"] else []
    return ", ".join(parts)


def grouped(counts, keys) -> dict[tuple[str, ...], Counter[str]]:
    found: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for key, count in counts.items():
        found[keys(*key[:6])][key[6]] += count
    return found


def page(counts, quick: bool) -> str:
    verdicts: Counter[str] = Counter()
    for key, count in counts.items():
        verdicts[key[6]] += count
    by_line = grouped(counts, lambda line, f, o, p, d, t: (line, f))
    by_transformation = grouped(counts, lambda line, f, o, p, d, t: (f, t) if line == "5" else ("", ""))
    by_operation = grouped(counts, lambda line, f, o, p, d, t: (o, f, d))
    by_proxy = grouped(counts, lambda line, f, o, p, d, t: (p, f, d))
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES if installed(name))
    columns = [f"{f} {d}" for f in FRAMEWORKS for d in DTYPES]

    def matrix(cells, names):
        return [[name, *(shown(cells[name, f, d]) for f in FRAMEWORKS for d in DTYPES)] for name in names]

    names = sorted({o for _, _, o, _, _, _, _ in counts})
    proxies = sorted({p for _, _, _, p, _, _, _ in counts})
    kinds = sorted(key for key in by_transformation if key[0])
    return f"""# Conformance

The eight lines of the contract, checked for every operation × proxy × dtype × framework. This page is written by
`make conformance`; the same checks are public: `straightthrough.testing.check_operation` and `check_proxy`.

**{verdicts["passed"]:,} checks passed, {verdicts["failed"]:,} failed, {verdicts["limit"]:,} raised what the
[table of limits](limits.md) says**{" (the quick form: without the tests marked slow)" if quick else ""}.
{datetime.date.today().isoformat()}, Python {platform.python_version()}, {versions}, CPU.

A number is how many checks passed. One check is one quantity (a value, a gradient, a tangent, ...) of one operation with
one proxy in one dtype under one transformation, at up to 35 inputs.

## By line of the contract

{table(["line", *FRAMEWORKS, "no framework"], [[f"{n} {text}", *(shown(by_line[n, f]) for f in (*FRAMEWORKS, "any"))] for n, text in LINES.items()])}

Line 8, errors, is held by `tests/conformance/test_8_*.py`, which count messages and not numbers.

## By transformation (line 5)

{table(["framework", "transformation", "checks"], [[f, f"`{t}`", shown(by_transformation[f, t])] for f, t in kinds])}

## By operation

{table(["operation", *columns], matrix(by_operation, names))}

## By proxy

{table(["proxy", *columns], matrix(by_proxy, proxies))}
"""


def installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def limits_page() -> str:
    from limits import LIMITS, NOTES

    rows = [
        [
            limit.framework,
            f"`{limit.transformation}`",
            f"`{limit.operation}`",
            f"`{limit.proxy}`",
            limit.reason,
            linked(limit.link),
        ]
        for limit in LIMITS
    ]
    notes = [[note.framework, note.what, note.reason, linked(note.link)] for note in NOTES]
    return f"""# Limits

What a framework cannot do. Each row of the first table raises an error, never returns zeros in silence; the suite asserts
it, and fails when a row no longer raises. This page is written from `tests/limits.py` by
`python tests/conformance/page.py --limits`; a test holds it to the table.

{table(["framework", "transformation", "operation", "proxy", "why", "link"], rows)}

## Stated, not raised by us

{table(["framework", "what", "why", "link"], notes)}
"""


def linked(url: str) -> str:
    return f"[upstream]({url})" if url else "–"


if __name__ == "__main__":
    sys.exit(main())
