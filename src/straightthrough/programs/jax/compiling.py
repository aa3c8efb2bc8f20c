"""One program, compiled fast rather than for speed: it runs once or twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

_QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def compiled(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """The function compiled for these arguments."""
    lowered = jax.jit(function).lower(*arguments)
    try:
        return lowered.compile(compiler_options=_QUICK)  # type: ignore[arg-type]
    except Exception:  # an accelerator's compiler may not know these options
        return lowered.compile()
