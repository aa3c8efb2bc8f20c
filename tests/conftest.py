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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test marked with a framework is skipped, with the reason, where that framework is not installed."""
    for item in items:
        for framework in FRAMEWORKS:
            if item.get_closest_marker(framework) and importlib.util.find_spec(framework) is None:
                item.add_marker(pytest.mark.skip(reason=f"{framework} is not installed"))
