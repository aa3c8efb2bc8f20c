"""What all tests share: quiet frameworks, one thread each, and each framework only where it is installed."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import pytest

# Two workers share a small machine; their thread pools would fight. A child process inherits this.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

FRAMEWORKS = ("torch", "jax", "tensorflow")
DTYPES = ("float64", "float32", "bfloat16", "float16")
ALONE = ("test_layers_keras", "test_docs", "test_docstrings", "test_lecture")
"""Files whose dear tests share nothing, most of them processes of their own."""


def group(nodeid: str) -> str:
    """The tests that one worker should run, for what they share: the reference's 50 digits of a dtype, a short demo of
    a framework, or the fixtures and compiled functions of a file."""
    path, _, test = nodeid.partition("::")
    file, parameters = Path(path), re.split(r"[\[\]-]", test)[1:]
    if file.stem in ALONE:
        return nodeid
    if file.stem == "test_demo":
        return f"demo {next((name for name in FRAMEWORKS if name in parameters), 'torch')}"
    dtype = next((name for name in DTYPES if name in parameters), None)
    return f"conformance {dtype}" if file.parent.name == "conformance" and dtype else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Groups by name, not by ``--dist loadgroup``: its mark has no effect with pytest 9.2 and pytest-xdist 3.8."""
    if config.getvalue("dist") != "load":
        return None  # asked for by name

    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test marked with a framework is skipped, with the reason, where that framework is not installed."""
    for item in items:
        for framework in FRAMEWORKS:
            if item.get_closest_marker(framework) and importlib.util.find_spec(framework) is None:
                item.add_marker(pytest.mark.skip(reason=f"{framework} is not installed"))
