"""Derivatives that are infinite or not a number."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(parameters={"scale": "unreached", "shift": "reached"}, why_not="non_finite")
def distance_of_a_point_to_itself():
    """A matrix of distances has zeros on its diagonal, and the root of zero has an infinite slope."""
    keras.utils.set_random_seed(1)
    params = {"scale": tf.Variable(1.5), "shift": tf.Variable(0.1)}

    def loss(params, points):
        scaled = params["scale"] * points
        square = tf.reduce_sum(tf.square(scaled[:, None] - scaled[None, :]), -1)
        distance = tf.sqrt(square)  # dies: non_finite sqrt
        return tf.reduce_mean(distance) + tf.square(params["shift"])

    return loss, params, (tf.random.normal([5, 2]),)


@sick(parameters={"0": "partly_reached"}, why_not="non_finite")
def log_behind_a_where():
    """The where hides the value of log(0), not its derivative."""
    params = [tf.Variable([0.5, 0.0, 1.5, 0.0])]

    def loss(params, weight):
        p = params[0]
        entropy = tf.where(p > 0.0, p * tf.math.log(p), 0.0)  # dies: non_finite log
        return tf.reduce_sum(weight * entropy)

    return loss, params, (tf.constant([1.0, 2.0, 3.0, 4.0]),)


@sick(parameters={"counts": "partly_reached", "value": "reached"}, why_not="non_finite")
def share_of_an_empty_row():
    """Each row is divided by its sum; the row of zeros is caught by a where, its slope is not."""
    keras.utils.set_random_seed(2)
    start = tf.constant([[1.0, 2.0], [0.0, 0.0], [1.0, 0.5]])
    params = {"counts": tf.Variable(start), "value": tf.Variable(tf.random.normal([3, 2]))}

    def loss(params, target):
        total = tf.reduce_sum(params["counts"], -1, keepdims=True)
        share = tf.where(total > 0.0, params["counts"] / total, 0.0)  # dies: non_finite divide|truediv|realdiv
        return tf.reduce_mean(tf.square(tf.reduce_sum(share * params["value"], -1) - target))

    return loss, params, (tf.random.normal([3]),)


@sick(
    parameters={"projection": "unreached", "value": "unreached"},
    why_not="non_finite",
)
def attention_row_all_masked():
    """A sequence of length zero: its row is minus infinity throughout, and the softmax is 0/0."""
    keras.utils.set_random_seed(3)
    params = {"projection": tf.Variable(tf.random.normal([3, 3])), "value": tf.Variable(tf.random.normal([3, 2]))}

    def loss(params, x, length):
        score = tf.einsum("btd,de,bse->bts", x, params["projection"], x)
        padding = tf.where(tf.sequence_mask(length, 4), 0.0, -float("inf"))
        weight = tf.nn.softmax(score + padding[:, None, :], axis=-1)  # dies: non_finite softmax
        return tf.reduce_mean(tf.square(weight @ (x @ params["value"])))

    return loss, params, (tf.random.normal([2, 4, 3]), tf.constant([3, 0]))


@sick(parameters={"east": "unreached", "north": "unreached", "gain": "reached"}, why_not="non_finite")
def heading_of_a_ship_at_rest():
    """The angle of a vector of length zero."""
    params = {"east": tf.Variable(0.0), "north": tf.Variable(0.0), "gain": tf.Variable(2.0)}

    def loss(params, target):
        heading = tf.math.atan2(params["north"], params["east"])  # dies: non_finite atan2
        return tf.square(heading - target) + tf.square(params["gain"])

    return loss, params, (tf.constant(1.0),)
