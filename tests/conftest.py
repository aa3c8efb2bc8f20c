"""What all tests share: quiet frameworks, one thread each, and each framework only where it is installed."""

from __future__ import annotations

import importlib.util
import os

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


def group(item: pytest.Item) -> str | None:
    """The tests that one worker should run, for what they share: the reference's 50 digits of a dtype, a short demo of
    a framework, or the fixtures and compiled functions of a file."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params if callspec else {}
    if item.path.parent.name == "conformance" and parameters.get("dtype") in DTYPES:
        return f"{item.path.parent.name} {parameters['dtype']}"
    if item.path.stem == "test_demo":
        return f"demo {next((name for name in FRAMEWORKS if item.get_closest_marker(name)), '')}"
    return None if item.path.stem in ALONE else item.path.stem


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test marked with a framework is skipped, with the reason, where that framework is not installed; and each test
    gets its group, for ``--dist loadgroup``."""
    for item in items:
        name = group(item)
        if name is not None and item.config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(name))
        for framework in FRAMEWORKS:
            if item.get_closest_marker(framework) and importlib.util.find_spec(framework) is None:
                item.add_marker(pytest.mark.skip(reason=f"{framework} is not installed"))
