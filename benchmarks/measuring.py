"""Ratios of forms of one computation, timed in turn in one process, and the peak of their memory.

The clock is the processor time of this process, so that a neighbour who takes the core away is not counted. One who
takes the cache or the memory bus still is: hence ratios of one round, and their median.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Forms = Mapping[str, Callable[..., Any]]
SLICE = 0.002  # seconds: shorter calls are repeated until they fill it
WARM = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=268435456"
"""Pages are kept, as a caching allocator keeps them: above 32 MB a fresh array otherwise costs 6 to 8 copies."""


def paired(forms: Forms, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Median over rounds of time / time of the form named ``bare`` in the same round; stops after ``seconds``."""
    repeats = {name: _repeats(form) for name, form in forms.items()}
    times: dict[str, list[float]] = {name: [] for name in forms}
    begin = time.perf_counter()
    for done in range(rounds):
        for name, form in forms.items():
            times[name].append(_once(form, repeats[name]))
        if done >= 2 and time.perf_counter() - begin > seconds:
            break
    found = {}
    for name, own in times.items():
        ratios = sorted(a / b for a, b in zip(own, times["bare"], strict=True))
        found[name] = {
            "ratio": statistics.median(ratios),
            "low": ratios[len(ratios) // 4],
            "high": ratios[(3 * len(ratios)) // 4 - (len(ratios) % 4 == 0)],
            "seconds": statistics.median(own),
            "rounds": len(own),
        }
    return found


def _once(form: Callable[..., Any], repeats: int) -> float:
    begin = time.process_time()
    for _ in range(repeats):
        form()
    return (time.process_time() - begin) / repeats


def _repeats(form: Callable[..., Any]) -> int:
    form()
    form()
    return max(1, round(SLICE / max(_once(form, 1), 1e-7)))


def resident() -> tuple[int, int]:
    """Bytes in memory now, and their peak since the last `forget_peak`; zeros where the system does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return tuple(int(lines[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))  # type: ignore[return-value]
    except (OSError, KeyError):
        return 0, 0


def peak(form: Callable[..., Any]) -> int:
    """Bytes that a call needs beyond what is there before it, its results included; 0 where it cannot be known."""
    form()
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    before, _ = resident()
    kept = form()
    _, highest = resident()
    del kept
    return max(0, highest - before)


def pin() -> None:
    """One core, if the system allows it: the last one, which is seldom the busiest."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(os.environ.get("BENCH_CORE", max(os.sched_getaffinity(0))))})


def row(**facts: Any) -> None:
    """One result, with the load and the time (UTC) it was measured at: a line of JSON on standard output, at once."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")
    print(json.dumps({**facts, "load": load, "at": at}), flush=True)


def sizes() -> list[int]:
    """From the command line; all three unless given."""
    return [int(float(word)) for word in sys.argv[1:]] or [1_000, 1_000_000, 16_000_000]


def effort(n: int) -> tuple[int, float]:
    """Rounds, and seconds after which there are no more."""
    slow = float(os.environ.get("BENCH_EFFORT", "1"))
    return max(3, round((40 if n <= 1_000 else 15 if n <= 1_000_000 else 7) * slow)), 4.0 * slow
