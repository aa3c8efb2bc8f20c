"""TensorFlow: eager, tf.function and XLA, against the bare eager operator, the textbook line and TensorFlow's own."""

from __future__ import annotations

import math
from typing import Any

import measuring
import tensorflow as tf

import straightthrough as ste

CASES: list[tuple[Any, ...]] = [
    ("round", "identity", tf.round, lambda x: x),
    ("sign", "clipped_identity", tf.sign, lambda x: tf.clip_by_value(x, -1.0, 1.0)),
    ("heaviside", "sigmoid", lambda x: tf.cast(x > 0, x.dtype), lambda x: tf.sigmoid(4 * x)),
    ("heaviside", "atan", lambda x: tf.cast(x > 0, x.dtype), lambda x: tf.atan(math.pi * x) / math.pi),
    ("heaviside", "fast_sigmoid", lambda x: tf.cast(x > 0, x.dtype), lambda x: x / (1 + 25 * tf.abs(x))),
    (
        "one_hot_argmax",
        "softmax",
        lambda x: tf.one_hot(tf.argmax(x, -1), x.shape[-1], dtype=x.dtype),
        lambda x: tf.nn.softmax(x, -1),
    ),
]


def forms(case: tuple[Any, ...], x: Any, gradient: Any) -> measuring.Forms:
    name, proxy, operator, stand_in = case

    def both(function: Any) -> Any:
        def run(x: Any, gradient: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x)
            return y, tape.gradient(y, x, output_gradients=gradient)

        return run

    def textbook(x: Any) -> Any:
        p = stand_in(x)
        return p + tf.stop_gradient(operator(x) - p)

    found: dict[str, Any] = {"bare": lambda: (operator(x), tf.zeros_like(x))}
    candidates = {"textbook": textbook, "ours": lambda x: getattr(ste, name)(x, proxy=proxy)}
    if name == "round":
        candidates["tf.grad_pass_through"] = tf.grad_pass_through(tf.round)
    for form, function in candidates.items():
        run = both(function)
        graph, xla = tf.function(run), tf.function(run, jit_compile=True)
        found[f"{form}, eager"] = lambda run=run: run(x, gradient)
        found[f"{form}, graph"] = lambda run=graph: run(x, gradient)
        found[f"{form}, xla"] = lambda run=xla: run(x, gradient)
    return found


def main() -> None:
    measuring.pin()
    tf.get_logger().setLevel("ERROR")  # AutoGraph cannot find the source of lambdas that share a line, nor need it
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for n in measuring.sizes():
        for dtype in ("float32", "bfloat16"):
            for case in CASES:
                shape = (-1, min(1_000, n // 10)) if case[1] == "softmax" else (-1,)
                x = tf.reshape(tf.cast(tf.random.normal((n,), seed=0), dtype), shape)
                gradient = tf.reshape(tf.cast(tf.random.normal((n,), seed=1), dtype), shape)
                found = forms(case, x, gradient)
                times = measuring.paired(found, *measuring.effort(n))
                facts = {"operation": case[0], "proxy": case[1], "dtype": dtype, "n": n}
                measuring.row(framework="tensorflow", mode="all", **facts, forms=times)


if __name__ == "__main__":
    main()
