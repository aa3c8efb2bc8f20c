"""Deaths inside the bodies of loops, branches, maps and recomputed blocks."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"threshold": "unreached", "gain": "reached"},
    why_not="counts: the comparison chooses the branch, no value carries it",
)
def python_if_on_a_learned_threshold():
    """Which formula holds is decided by a comparison in Python."""
    params = {"threshold": tf.Variable(0.1), "gain": tf.Variable(2.0)}

    def loss(params, x):
        if x > params["threshold"]:  # dies: cut greater|bool
            return tf.square(x * params["gain"])
        return tf.sin(x * params["gain"])

    return loss, params, (tf.constant(0.7),)


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"sign": "clipped_identity"})
def sign_in_a_cond():
    """A branch of tf.cond inside a tf.function binarises; the other does not run."""
    keras.utils.set_random_seed(1)
    params = [tf.Variable(tf.random.normal([3, 3])), tf.Variable(tf.random.normal([3]))]

    @tf.function
    def loss(params, x, binary):
        h = x @ params[0]

        def hard():
            return tf.sign(h)  # dies: flat sign

        return tf.reduce_mean(tf.square(params[1] * tf.cond(binary, hard, lambda: tf.tanh(h)) - x))

    return loss, params, (tf.random.normal([6, 3]), tf.constant(True))


@sick(parameters={"kernel": "unreached", "gain": "reached"}, fix={"floor": "identity"})
def floor_in_map_fn():
    """Each row of the batch is handled by a function that is mapped; it floors."""
    keras.utils.set_random_seed(2)
    params = {"kernel": tf.Variable(tf.random.normal([3, 2])), "gain": tf.Variable([0.5, 2.0])}

    def loss(params, x):
        def row(one):
            levels = tf.floor(4.0 * tf.linalg.matvec(params["kernel"], one, transpose_a=True))  # dies: flat floor
            return params["gain"] * levels

        return tf.reduce_mean(tf.square(tf.map_fn(row, x) - 1.0))

    return loss, params, (tf.random.normal([5, 3]),)


@sick(
    parameters={"leak": "unreached", "weight": "unreached", "readout": "reached"},
    fix={"greater": "sigmoid"},
)
def spikes_in_a_scan():
    """tf.scan over time, with a membrane and its spike as the state."""
    keras.utils.set_random_seed(3)
    params = {
        "leak": tf.Variable(0.8),
        "weight": tf.Variable(tf.random.normal([4])),
        "readout": tf.Variable(tf.random.normal([4])),
    }

    def loss(params, current):
        def step(carry, now):
            membrane = params["leak"] * carry[0] * (1.0 - carry[1]) + now * params["weight"]
            spike = tf.cast(membrane > 0.5, tf.float32)  # dies: cut greater
            return membrane, spike

        spikes = tf.scan(step, current, initializer=(tf.zeros([4]), tf.zeros([4])))[1]
        return tf.reduce_mean(tf.square(tf.linalg.matvec(spikes, params["readout"]) - 1.0))

    return loss, params, (tf.random.uniform([8, 1], 0.0, 2.0),)


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"rint": "identity"})
def rounding_in_a_recomputed_block():
    """A block whose activations are recomputed in the backward pass rounds them."""
    keras.utils.set_random_seed(4)
    params = [tf.Variable(tf.random.normal([4, 4])), tf.Variable(tf.random.normal([4, 4]))]

    def loss(params, x):
        @tf.recompute_grad
        def block(x):
            return tf.math.rint(3.0 * tf.tanh(x @ params[0])) / 3.0  # dies: flat rint|round

        return tf.reduce_mean(tf.square(block(x) @ params[1] - x))

    return loss, params, (tf.random.normal([6, 4]),)


@sick(parameters={"query": "unreached", "memory": "reached"}, fix={"argmax": "softmax"})
def hard_look_up_in_a_vectorised_map():
    """One query at a time is written, tf.vectorized_map makes a batch of it."""
    keras.utils.set_random_seed(5)
    params = {"query": tf.Variable(tf.random.normal([3, 3])), "memory": tf.Variable(tf.random.normal([5, 3]))}

    def loss(params, x):
        def one(row):
            score = tf.linalg.matvec(params["memory"], tf.linalg.matvec(params["query"], row))
            best = tf.one_hot(tf.argmax(score), 5)  # dies: cut argmax
            return tf.linalg.matvec(params["memory"], best, transpose_a=True)

        return tf.reduce_mean(tf.square(tf.vectorized_map(one, x) - x))

    return loss, params, (tf.random.normal([6, 3]),)


@sick(
    parameters={"patience": "unreached", "rate": "reached"},
    why_not="counts: the number of turns of a loop",
)
def loop_that_stops_by_a_learned_bound():
    """Newton's steps until the error is below a learned bound: the bound is only compared."""
    params = {"patience": tf.Variable(0.05), "rate": tf.Variable(0.3)}

    @tf.function
    def loss(params, goal):
        def busy(x):
            return tf.abs(x - goal) > params["patience"]  # dies: cut greater

        return tf.while_loop(busy, lambda x: x - params["rate"] * (x - goal), (tf.constant(0.0),))[0]

    return loss, params, (tf.constant(1.0),)
