"""The three frameworks as tests need them: make an array, read it, differentiate, compile. Nothing of ours."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cached_property
from typing import Any

import numpy as np
import pytest


def _counted(compiler: Any, function: Any) -> tuple[Any, list[None]]:
    traces: list[None] = []

    def counting(*arguments: Any) -> Any:
        traces.append(None)
        return function(*arguments)

    return compiler(counting), traces


class Torch:
    name = "torch"

    @cached_property
    def torch(self) -> Any:
        return importlib.import_module("torch")

    def array(self, values: Any, dtype: str = "float32") -> Any:
        return self.torch.from_numpy(np.array(values)).to(getattr(self.torch, dtype))

    def numpy(self, x: Any) -> np.ndarray:
        x = x.detach()
        return (x.to(self.torch.float32) if x.dtype in (self.torch.bfloat16, self.torch.float16) else x).numpy()

    def gradients(self, function: Any, *arrays: Any, cotangent: Any = None) -> tuple[np.ndarray, ...]:
        """Of sum(function(*arrays) · cotangent); zeros where there is no path."""
        leaves = [array.detach().clone().requires_grad_() for array in arrays]
        y = function(*leaves)
        y = y if cotangent is None else y * cotangent
        if y.requires_grad:
            y.sum().backward()
        return tuple(np.zeros(leaf.shape, "float32") if leaf.grad is None else self.numpy(leaf.grad) for leaf in leaves)

    def compiled(self, function: Any) -> Any:
        self.torch.compiler.reset()
        return self.torch.compile(function, backend="eager", fullgraph=True)

    def counted(self, function: Any) -> tuple[Any, list[None]]:
        """The compiled function, and a list that grows by one at each compilation."""
        self.torch.compiler.reset()
        traces: list[None] = []

        def backend(graph: Any, _: Any) -> Any:
            traces.append(None)
            return graph.forward

        return self.torch.compile(function, backend=backend, fullgraph=True), traces

    def generator(self, seed: int) -> Any:
        return self.torch.Generator().manual_seed(seed)


class TensorFlow:
    name = "tensorflow"

    @cached_property
    def tf(self) -> Any:
        return importlib.import_module("tensorflow")

    def array(self, values: Any, dtype: str = "float32") -> Any:
        return self.tf.cast(self.tf.constant(np.asarray(values)), dtype)

    def numpy(self, x: Any) -> np.ndarray:
        return (self.tf.cast(x, "float32") if x.dtype in (self.tf.bfloat16, self.tf.float16) else x).numpy()

    def gradients(self, function: Any, *arrays: Any, cotangent: Any = None) -> tuple[np.ndarray, ...]:
        """Of sum(function(*arrays) · cotangent); zeros where there is no path."""
        with self.tf.GradientTape() as tape:
            tape.watch(arrays)
            y = function(*arrays)
            y = y if cotangent is None else y * cotangent
        found = tape.gradient(y, list(arrays), unconnected_gradients=self.tf.UnconnectedGradients.ZERO)
        return tuple(self.numpy(gradient) for gradient in found)

    def compiled(self, function: Any) -> Any:
        return self.tf.function(function)

    def counted(self, function: Any) -> tuple[Any, list[None]]:
        """The compiled function, and a list that grows by one at each trace."""
        return _counted(self.tf.function, function)

    def generator(self, seed: int) -> Any:
        return self.tf.random.Generator.from_seed(seed)


class Jax:
    name = "jax"

    @cached_property
    def jax(self) -> Any:
        return importlib.import_module("jax")

    def array(self, values: Any, dtype: str = "float32") -> Any:
        return self.jax.numpy.asarray(np.asarray(values), dtype=dtype)

    def numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x.astype("float32") if x.dtype.name in ("bfloat16", "float16") else x)

    def gradients(self, function: Any, *arrays: Any, cotangent: Any = None) -> tuple[np.ndarray, ...]:
        """Of sum(function(*arrays) · cotangent); zeros where there is no path."""

        def total(*arrays: Any) -> Any:
            y = function(*arrays)
            return (y if cotangent is None else y * cotangent).sum()

        found = self.jax.grad(total, argnums=tuple(range(len(arrays))))(*arrays)
        return tuple(self.numpy(gradient) for gradient in found)

    def compiled(self, function: Any) -> Any:
        return self.jax.jit(function)

    def counted(self, function: Any) -> tuple[Any, list[None]]:
        """The compiled function, and a list that grows by one at each trace."""
        return _counted(self.jax.jit, function)

    def generator(self, seed: int) -> Any:
        return self.jax.random.key(seed)


TORCH, TENSORFLOW, JAX = Torch(), TensorFlow(), Jax()
FRAMEWORKS = (TORCH, TENSORFLOW, JAX)


def _parameter(framework: Any) -> Any:
    missing = importlib.util.find_spec(framework.name) is None
    skip = pytest.mark.skipif(missing, reason=f"{framework.name} is not installed")
    return pytest.param(framework, id=framework.name, marks=[getattr(pytest.mark, framework.name), skip])


each_framework = pytest.mark.parametrize("native", [_parameter(framework) for framework in FRAMEWORKS])
"""Decorator: the test runs once per framework, skipped where one is not installed; it is imported on first use."""

each_pair = pytest.mark.parametrize(
    ("native", "other"),
    [
        pytest.param(one, two, id=f"{one.name}-{two.name}", marks=[*_parameter(one).marks, *_parameter(two).marks])
        for one in FRAMEWORKS
        for two in FRAMEWORKS
        if one is not two
    ],
)
"""Decorator: the test runs once per ordered pair of two frameworks."""
