"""Fake-quantise, the frameworks' and Keras', against ours doing the same work, in one process; and a bare rounding.

    python quantise_rows.py torch|tensorflow|jax N ...

The work: 8 bits, scale 1, zero at 0. The value is round(clip(x, -128, 127)), the slope is 1 where x was in the range
and 0 outside. Their scale and bounds are arguments, so they also divide and multiply by a 1 that they cannot know to be
one; Keras computes the gradients of its two bounds besides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

FRAMEWORK = sys.argv.pop(1) if len(sys.argv) > 1 else "torch"
os.environ["KERAS_BACKEND"] = FRAMEWORK

import keras  # noqa: E402
import measuring  # noqa: E402

import straightthrough as ste  # noqa: E402

Function = Callable[[Any], Any]
LOW, HIGH = -128.0, 127.0
MASK = f"range_mask(low={LOW}, high={HIGH})"
SPREAD = 50.0  # of the data: about one element in a hundred lies outside the range


def _keras(x: Any) -> Any:
    return keras.quantizers.fake_quant_with_min_max_vars(x, LOW, HIGH, num_bits=8)


@keras.ops.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
def _keras_line(x: Any) -> Any:
    """What a Keras user writes for a rounding with slope 1."""

    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        return arguments[0] if upstream is None else upstream

    return keras.ops.round(x), gradient


def functions(clip: Function, rounded: Function, stop: Function, own: dict[str, Function]) -> dict[str, dict[str, Any]]:
    """For each operation its forms: functions of x; that named bare is the operator alone."""

    def hard(x: Any) -> Any:
        return rounded(clip(x))

    def textbook(x: Any) -> Any:
        p = clip(x)
        return p + stop(rounded(p) - p)

    quantise = {
        "bare": hard,
        "textbook": textbook,
        "ours": ste.with_proxy(hard, MASK),
        "ours, clip then round": lambda x: ste.round(ste.clip(x, LOW, HIGH, proxy=MASK)),
        **own,
        "Keras": _keras,
    }
    rounding = {
        "bare": rounded,
        "textbook": lambda x: x + stop(rounded(x) - x),
        "ours": ste.round,
        "Keras": _keras_line,
    }
    return {"fake_quantise": quantise, "round": rounding}


def torch_rows() -> None:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    own = {"torch": lambda x: torch.fake_quantize_per_tensor_affine(x, 1.0, 0, int(LOW), int(HIGH))}
    kinds = functions(lambda x: torch.clamp(x, LOW, HIGH), torch.round, lambda x: x.detach(), own)
    for n in measuring.sizes():
        for dtype in ("float32", "bfloat16"):
            kind = getattr(torch, dtype)
            x, gradient = (SPREAD * torch.randn(n)).to(kind).requires_grad_(), torch.randn(n).to(kind)

            def both(function: Function, x: Any = x, gradient: Any = gradient) -> Any:
                y = function(x)
                return y, torch.autograd.grad(y, x, gradient)

            def bare(function: Function, x: Any = x) -> Any:
                plain = x.detach()
                return function(plain), torch.zeros_like(plain)

            for operation, forms in kinds.items():
                found = {form: _bound(bare if form == "bare" else both, run) for form, run in forms.items()}
                size = n * kind.itemsize
                memory = {form: measuring.peak(run) / size for form, run in found.items()} if n > 1e7 else {}
                report(operation, "eager", dtype, n, found, memory)


def _bound(run: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: run(*arguments)


def tensorflow_rows() -> None:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # each form is its own tf.function: retracing is meant
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    own = {"tensorflow": lambda x: tf.quantization.fake_quant_with_min_max_args(x, LOW, HIGH, 8)}
    kinds = functions(lambda x: tf.clip_by_value(x, LOW, HIGH), tf.round, tf.stop_gradient, own)

    def both(function: Function) -> Any:
        def run(x: Any, gradient: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x)
            return y, tape.gradient(y, x, output_gradients=gradient)

        return run

    def bare(function: Function) -> Any:
        return lambda x, gradient: (function(x), tf.zeros_like(x))

    for n in measuring.sizes():
        for dtype in ("float32", "bfloat16"):
            x = tf.cast(SPREAD * tf.random.normal((n,), seed=0), dtype)
            gradient = tf.cast(tf.random.normal((n,), seed=1), dtype)
            for operation, forms in kinds.items():
                runs = {form: bare(run) if form == "bare" else both(run) for form, run in forms.items()}
                for mode in ("eager", "graph", "xla"):
                    made = {form: tf.function(run, jit_compile=mode == "xla") for form, run in runs.items()}
                    # The operator without a gradient is eager throughout, as in the tables of the operations.
                    made = runs if mode == "eager" else {**made, "bare": runs["bare"]}
                    found = {form: _bound(run, x, gradient) for form, run in made.items()}
                    report(operation, mode, dtype, n, found)


def jax_rows() -> None:
    import jax
    import jax.numpy as jnp

    kinds = functions(lambda x: jnp.clip(x, LOW, HIGH), jnp.round, jax.lax.stop_gradient, {})

    def both(function: Function) -> Any:
        def run(x: Any, gradient: Any) -> Any:
            y, pull = jax.vjp(function, x)
            return y, pull(gradient)[0]

        return jax.jit(run)

    def bare(function: Function) -> Any:
        return jax.jit(lambda x, gradient: (function(x), jnp.zeros_like(x)))

    def finished(run: Callable[..., Any], *arguments: Any) -> Any:
        return jax.block_until_ready(run(*arguments))  # type: ignore[no-untyped-call, unused-ignore]

    for n in measuring.sizes():
        for dtype in ("float32", "bfloat16"):
            x = (SPREAD * jax.random.normal(jax.random.key(0), (n,))).astype(dtype)
            gradient = jax.random.normal(jax.random.key(1), (n,)).astype(dtype)
            for operation, forms in kinds.items():
                found = {}
                for form, run in forms.items():
                    compiled = (bare if form == "bare" else both)(run)
                    found[form] = _bound(finished, compiled, x, gradient)
                report(operation, "jit", dtype, n, found)


def report(
    operation: str, mode: str, dtype: str, n: int, found: measuring.Forms, memory: dict[str, float] | None = None
) -> None:
    """The row, without the forms that the framework refuses; these are named on standard error."""
    works = {}
    for form, run in found.items():
        try:
            run()
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"  {FRAMEWORK} {mode}, {dtype}: {form} is refused: {reason[:120]}", file=sys.stderr)
        else:
            works[form] = run
    times = measuring.paired(works, *measuring.effort(n))
    facts = {"operation": operation, "proxy": MASK if operation == "fake_quantise" else "identity", "dtype": dtype}
    measuring.row(framework=FRAMEWORK, mode=mode, table="quantise", **facts, n=n, forms=times, memory=memory or {})


if __name__ == "__main__":
    measuring.pin()
    {"torch": torch_rows, "tensorflow": tensorflow_rows, "jax": jax_rows}[FRAMEWORK]()
