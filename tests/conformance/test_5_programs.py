"""Contract line 5, whole programs: several processes or devices, saving and loading, pickle and copies."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import straightthrough as ste
from conformance.product import OPERATIONS, PROXIES, Cell

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"


def run(program: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / program), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_pickle_and_copy_to_themselves(ledger, name):
    operation = getattr(ste, name)
    cell = Cell("any", name, operation.proxy.name, "any")
    ledger.note(cell, "pickle", pickle.loads(pickle.dumps(operation)) is operation, "another object")
    ledger.note(cell, "deepcopy", copy.deepcopy(operation) is operation, "another object")


@pytest.mark.parametrize("name", PROXIES)
def test_proxies_pickle_and_copy_to_equals(ledger, name):
    proxy = ste.proxies.get(name)
    cell = Cell("any", "proxy", name, "any")
    ledger.note(cell, "pickle", pickle.loads(pickle.dumps(proxy)) == proxy, "not equal")
    ledger.note(cell, "deepcopy", copy.deepcopy(proxy) == proxy, "not equal")


@pytest.mark.torch
def test_first_use_inside_a_compiler_or_an_export(ledger):
    """In a fresh process nothing has been looked up yet, and a compiler may not import."""
    for kind in ("compile", "export"):
        ledger.note(
            Cell("torch", "sign", "atan", "float32"),
            f"first use, {kind}",
            "right" in run("torch_first_use.py", kind),
            "wrong",
        )


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_torch_on_two_processes(ledger, kind, tmp_path):
    """DDP and FSDP2 over gloo: the gradients of one process on the whole batch."""
    out = run("torch_two_processes.py", kind, str(tmp_path / "store"))
    ledger.note(Cell("torch", "sign", "clipped_identity", "float32"), kind, "gradients agree" in out, out[-300:])


@pytest.mark.jax
def test_jax_on_two_devices(ledger):
    """jit over a sharded array, and shard_map: values bitwise, gradients equal to those of one device."""
    out = run("jax_two_devices.py", XLA_FLAGS="--xla_force_host_platform_device_count=2")
    for kind in ("sharded jit", "shard_map"):
        ledger.note(Cell("jax", "sign", "clipped_identity", "float32"), kind, f"{kind}: agree" in out, out[-300:])


@pytest.mark.tensorflow
@pytest.mark.slow
def test_tensorflow_distributed_saved_and_in_mixed_precision(ledger, tmp_path):
    """MirroredStrategy on two logical devices; SavedModel with its gradient; Keras' mixed_bfloat16 policy."""
    out = run("tensorflow_programs.py", str(tmp_path / "model"))
    for kind in ("mirrored", "saved_model", "mixed_precision"):
        ledger.note(
            Cell("tensorflow", "sign", "clipped_identity", "float32"), kind, f"{kind}: agree" in out, out[-300:]
        )
