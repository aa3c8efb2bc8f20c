"""Peers exclude each other's requirements, so each has an environment of its own; made once, under .bench/."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
# The peers come without their requirements, some of which exclude current releases; what the modules measured here
# import is listed instead.
PEERS = {
    "brevitas": (["numpy", "packaging", "setuptools", "sympy"], ["brevitas", "dependencies", "unfoldNd"]),
    "snntorch": (["numpy", "scipy", "pandas", "matplotlib"], ["snntorch"]),
    "spikingjelly": (["numpy", "scipy", "tqdm", "matplotlib", "loguru"], ["spikingjelly"]),
    "torch": ([], []),
}


def pinned(names: list[str]) -> list[str]:
    """The names with the versions that pyproject.toml pins, where it does."""
    groups = tomllib.loads(PROJECT.read_text())["dependency-groups"].values()
    pins = {pin.partition("==")[0]: pin for group in groups for pin in group if isinstance(pin, str) and ";" not in pin}
    return [pins.get(name, name) for name in names]


def python_of(peer: str, root: Path) -> Path | None:
    """The interpreter of a peer's environment, made if need be; None, with the reason printed, if that fails."""
    folder = root / peer
    python, ready = folder / "bin" / "python", folder / ".ready"
    if ready.exists():
        return python
    print(f"== setting up {peer}, once", file=sys.stderr, flush=True)
    needs, alone = PEERS[peer]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    steps = [[sys.executable, "-m", "venv", str(folder)], [*pip, *pinned(["torch", *needs])]]
    steps += [[*pip, "--no-deps", *pinned(alone)]] if alone else []
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode:
            print(f"   {peer} is left out: {(done.stderr.strip() or 'failed').splitlines()[-1]}", file=sys.stderr)
            return None
    ready.touch()
    return python
