"""`make bench`: every ready operation against the bare operator, the textbook line and the peers.

    python benchmarks/operations.py [--full] [--frameworks torch peers jax tensorflow quantise] [--sizes 1e3 1e6]
    python benchmarks/operations.py --page-only

Each framework, and each peer, is measured in a process of its own; its rows go to benchmarks/results/. Then
docs/benchmarks.md and its picture are written from what lies there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import machine
import measuring
import page
import peers

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
ENVIRONMENTS = HERE.parent / ".bench"
LOADED = "[m for m in ('torch', 'jax', 'tensorflow', 'keras', 'numpy', 'scipy') if m in sys.modules]"
IMPORT = f"import sys, time; t = time.process_time(); import {{}}; print(time.process_time() - t, {LOADED})"


def import_cost(times: int = 15) -> dict[str, Any]:
    """Seconds of processor time that `import straightthrough` takes in a fresh interpreter, and what else it loads.

    numpy's import, at the same time, is the yardstick: on a busy machine both grow.
    """
    costs: dict[str, list[float]] = {"straightthrough": [], "numpy": []}
    loads = ""
    for _ in range(times):
        for package, seconds in costs.items():
            command = [sys.executable, "-c", IMPORT.format(package)]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition(" ")
            seconds.append(float(shown[0]))
            loads = shown[2] if package == "straightthrough" else loads
    medians = {package: statistics.median(seconds) for package, seconds in costs.items()}
    described = machine.describe()
    facts = {"load": described["load"][0], "at": described["date"].removesuffix(" UTC"), "times": times}
    return {"seconds": medians["straightthrough"], "numpy": medians["numpy"], "loads": loads, **facts}


def rows(python: Path | str, script: str, words: list[str], effort: float) -> list[dict[str, Any]]:
    """The rows of one process, warm pages kept."""
    settings = {
        "GLIBC_TUNABLES": measuring.WARM,
        "OMP_NUM_THREADS": "1",
        "BENCH_EFFORT": str(effort),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
    }
    found = []
    command = [str(python), str(HERE / script), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings}) as process:
        for line in process.stdout or ():
            if line.startswith("{"):
                one = json.loads(line)
                found.append(one)
                shown = one["forms"].get("ours") or list(one["forms"].values())[-1]
                print(
                    f"  {one['operation']}, {one['proxy']}, {one['dtype']}, {one['n']:,}: {shown['ratio']:.2f}",
                    flush=True,
                )
    if process.returncode:
        print(
            f"  {script} {' '.join(words)} ended with {process.returncode}; its rows so far are kept", file=sys.stderr
        )
    return found


def identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in ("framework", "mode", "operation", "proxy", "dtype", "n"))


def save(name: str, found: list[dict[str, Any]]) -> None:
    """Rows measured again replace their old ones; the others stay, each with its own time, if of the same machine."""
    RESULTS.mkdir(exist_ok=True)
    path, described = RESULTS / f"{name}.json", machine.describe()
    old = json.loads(path.read_text()) if path.exists() else {"machine": {}, "rows": []}
    same = all(old["machine"].get(key) == described[key] for key in ("processor", "cores", "system"))
    again = {identity(row) for row in found}
    kept = [row for row in page.dated(old) if identity(row) not in again] if same else []
    notes = {"note": old["machine"]["note"]} if kept and "note" in old["machine"] else {}
    everything = sorted(kept + found, key=lambda row: (-row["n"], row["dtype"] != "float32"))
    path.write_text(json.dumps({"machine": {**described, **notes}, "rows": everything}, indent=1) + "\n")


def measure(chosen: list[str], sizes: list[str], effort: float) -> None:
    for framework in chosen:
        print(f"== {framework}", flush=True)
        if framework == "quantise":
            for own in ("torch", "jax", "tensorflow"):
                print(f" = {own}", flush=True)
                save(f"quantise_{own}", rows(sys.executable, "quantise_rows.py", [own, *sizes], effort))
            continue
        if framework != "peers":
            save(framework, rows(sys.executable, f"{framework}_rows.py", sizes, effort))
            continue
        for peer in peers.PEERS:
            python = peers.python_of(peer, ENVIRONMENTS)
            if python is not None:
                print(f" = {peer}", flush=True)
                save(f"peer_{peer}", rows(python, "peer_rows.py", [peer, *sizes], effort))


def main() -> None:
    parser = argparse.ArgumentParser(description="Every operation against the bare one and its peers.")
    everything = ["torch", "peers", "jax", "tensorflow", "quantise"]
    parser.add_argument("--frameworks", nargs="+", choices=everything, default=everything)
    parser.add_argument("--sizes", nargs="+", default=["16000000", "1000000", "1000"])
    parser.add_argument("--full", action="store_true", help="about three times the rounds, and the time")
    parser.add_argument("--page-only", action="store_true", help="write the page again from the stored results")
    chosen = parser.parse_args()
    if not chosen.page_only:
        print("about 20 minutes on an idle machine, the peers' environments apart; --full takes three times as long")
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "import.json").write_text(json.dumps(import_cost(), indent=1) + "\n")
        measure(chosen.frameworks, chosen.sizes, 2.0 if chosen.full else 0.7)
    print(page.write(RESULTS, HERE.parent / "docs"))


if __name__ == "__main__":
    main()
