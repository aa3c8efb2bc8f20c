"""JAX: forward and backward in one jitted program, against the bare operator and the textbook line."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import measuring

import straightthrough as ste

stop = jax.lax.stop_gradient


def _one_hot(x: Any) -> Any:
    return jax.nn.one_hot(jnp.argmax(x, -1), x.shape[-1], dtype=x.dtype)


CASES: list[tuple[Any, ...]] = [
    ("round", "identity", jnp.round, lambda x: x),
    ("sign", "clipped_identity", jnp.sign, lambda x: jnp.clip(x, -1, 1)),
    ("round", "clipped_identity", jnp.round, lambda x: jnp.clip(x, -1, 1)),
    ("heaviside", "sigmoid", lambda x: (x > 0).astype(x.dtype), lambda x: jax.nn.sigmoid(4 * x)),
    ("heaviside", "atan", lambda x: (x > 0).astype(x.dtype), lambda x: jnp.arctan(math.pi * x) / math.pi),
    ("heaviside", "fast_sigmoid", lambda x: (x > 0).astype(x.dtype), lambda x: x / (1 + 25 * jnp.abs(x))),
    ("one_hot_argmax", "softmax", _one_hot, lambda x: jax.nn.softmax(x, -1)),
]


def programs(case: tuple[Any, ...], x: Any, gradient: Any) -> dict[str, Any]:
    """Compiled (x, gradient) -> (value, gradient of x)."""
    name, proxy, operator, stand_in = case

    def textbook(x: Any) -> Any:
        p = stand_in(x)
        return p + stop(operator(x) - p)

    def both(function: Any) -> Any:
        def run(x: Any, gradient: Any) -> Any:
            y, pull = jax.vjp(function, x)
            return y, pull(gradient)[0]

        return jax.jit(run).lower(x, gradient).compile()

    bare = jax.jit(lambda x, gradient: (operator(x), jnp.zeros_like(x))).lower(x, gradient).compile()
    return {"bare": bare, "textbook": both(textbook), "ours": both(lambda x: getattr(ste, name)(x, proxy=proxy))}


def _finished(results: Any) -> Any:
    jax.block_until_ready(results)  # type: ignore[no-untyped-call]
    return results


def memory(program: Any, x: Any) -> float:
    """The compiler's own figure: results and temporaries, in units of the input."""
    sizes = program.memory_analysis()
    return float((sizes.output_size_in_bytes + sizes.temp_size_in_bytes) / x.nbytes)


def main() -> None:
    measuring.pin()
    for n in measuring.sizes():
        for dtype in ("float32", "bfloat16"):
            for case in CASES:
                shape = (-1, min(1_000, n // 10)) if case[1] == "softmax" else (-1,)
                x = jax.random.normal(jax.random.key(0), (n,)).astype(dtype).reshape(shape)
                gradient = jax.random.normal(jax.random.key(1), (n,)).astype(dtype).reshape(shape)
                compiled = programs(case, x, gradient)
                found = {
                    form: (lambda run=run, x=x, g=gradient: _finished(run(x, g))) for form, run in compiled.items()
                }
                times = measuring.paired(found, *measuring.effort(n))
                needs = {form: memory(run, x) for form, run in compiled.items()}
                facts = {"operation": case[0], "proxy": case[1], "dtype": dtype, "n": n}
                measuring.row(framework="jax", mode="jit", **facts, forms=times, memory=needs)


if __name__ == "__main__":
    main()
