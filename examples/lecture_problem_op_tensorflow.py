"""The lecture's Keras layer `ProblemOp` in TensorFlow, beside ours: same Jacobian [1, 0], not the same value.

Run it: ``python examples/lecture_problem_op_tensorflow.py``. It needs tensorflow.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import tensorflow as tf
from keras import layers

import straightthrough as ste
from straightthrough.keras import StraightThrough

AS_IN_THE_LECTURE = """
class ProblemOp(layers.Layer):
    def call(self, in):
        # Computation of out:
        #   Problem: RHS of definition of result is NOT differentiable
        result = ...

        # Straight-through estimator.
        out = in + tf.stop_gradient(result - in)

    return out
"""


def sign(x):
    """The operator that has no useful derivative."""
    return tf.where(x >= 0, tf.ones_like(x), -tf.ones_like(x))


class ProblemOp(layers.Layer):
    """The lecture's layer, mended: ``in`` is a keyword, ``...`` is no tensor, and the return belongs to ``call``."""

    def call(self, in_):
        # Computation of out:
        #   Problem: RHS of definition of result is NOT differentiable
        result = sign(in_)

        # Straight-through estimator.
        out = in_ + tf.stop_gradient(result - in_)

        return out  # noqa: RET504


def complaints() -> list[str]:
    """What Python says to the lecture's own text, before and after the first repair."""
    found = []
    renamed = (
        AS_IN_THE_LECTURE.replace("(self, in)", "(self, in_)").replace("= in +", "= in_ +").replace("- in)", "- in_)")
    )
    for text in (AS_IN_THE_LECTURE, renamed):
        try:
            compile(text, "lecture", "exec")
        except SyntaxError as error:
            found.append(f"line {error.lineno - 1}: {error.msg}")
    return found


def jacobian(function) -> list[float]:
    """∂out/∂[in, result] where in = 0.3 and result = 1; no gradient at all counts as 0."""
    in_, result = tf.constant(0.3), tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch([in_, result])
        out = function(in_, result)
    row = tape.jacobian(out, [in_, result], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [float(entry) for entry in row]


def operators_in_graph(layer) -> list[str]:
    """The operations of the layer's graph in inference, as a SavedModel holds it."""
    traced = tf.function(lambda x: layer(x, training=False))
    graph = traced.get_concrete_function(tf.TensorSpec([None], tf.float32)).graph
    return [node.type for node in graph.get_operations() if node.type not in {"Placeholder", "Const", "Identity"}]


def main() -> dict:
    numbers = {"complaints": complaints()}
    print("The lecture's own text does not run:", "; then ".join(numbers["complaints"]))
    theirs, ours = ProblemOp(), StraightThrough(sign, proxy="identity")

    print("Jacobian of out with respect to [in, result]:")
    numbers["jacobian_textbook"] = jacobian(lambda in_, result: in_ + tf.stop_gradient(result - in_))
    numbers["jacobian_ours"] = jacobian(lambda in_, result: ste.straight_through(result, proxy=in_))
    print("  the line", numbers["jacobian_textbook"], "  ours", numbers["jacobian_ours"])

    print("What the line gets wrong: it should copy result to out, and does so only nearly.")
    half = [ProblemOp(dtype="bfloat16"), StraightThrough(sign, proxy="identity", dtype="bfloat16")]
    for name, x, pair in (
        ("bfloat16", tf.constant([258.0, 516.0], tf.bfloat16), half),
        ("infinity", tf.constant([float("inf")]), [theirs, ours]),
    ):
        values = [tf.cast(layer(x), tf.float32).numpy().tolist() for layer in pair]
        numbers[f"{name}_textbook"], numbers[f"{name}_ours"] = values
        print(f"  sign({tf.cast(x, tf.float32).numpy().tolist()}): the line {values[0]}, ours {values[1]}")
    x = tf.constant(-0.3)
    zeros = [x + tf.stop_gradient(tf.round(x) - x), ste.round(x)]
    numbers["minus_zero"] = [str(float(zero)) for zero in zeros]
    print("  round(-0.3): the line {}, ours {}".format(*numbers["minus_zero"]))

    numbers["export_textbook"], numbers["export_ours"] = map(operators_in_graph, (theirs, ours))
    print("  in the exported graph of the line:", ", ".join(numbers["export_textbook"]))
    print("  in that of ours:                  ", ", ".join(numbers["export_ours"]))
    return numbers


if __name__ == "__main__":
    main()
