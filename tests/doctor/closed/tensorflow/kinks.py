"""At the edge and beyond it: saturated, tied, infinite."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"0": "unreached", "1": "unreached"},
    why_not="counts: all margins are kept already",
)
def margins_all_satisfied():
    """A hinge of negatives that are all far away: there is nothing left to learn from this batch."""
    keras.utils.set_random_seed(61)
    params = [tf.Variable(tf.eye(3)), tf.Variable(tf.ones([3]))]

    def loss(params, anchor, near, far):
        a, p, n = ((x @ params[0]) * params[1] for x in (anchor, near, far))
        gap = tf.reduce_sum(tf.square(a - p), -1) - tf.reduce_sum(tf.square(a - n), -1)
        return tf.reduce_mean(tf.maximum(gap + 0.2, 0.0))  # dies: saturated maximum|relu|max

    anchor = tf.random.normal([8, 3])
    return loss, params, (anchor, anchor + 0.01, anchor + 9.0)


@sick(
    parameters={"centre": "unreached", "height": "unreached", "base": "reached"},
    why_not="counts: the width is far too small",
)
def bumps_far_from_every_point():
    """Radial bumps so narrow that exp underflows to zero wherever there is data."""
    params = {
        "centre": tf.Variable([0.0, 1.0, 2.0]),
        "height": tf.Variable([1.0, -1.0, 0.5]),
        "base": tf.Variable(0.1),
    }

    def loss(params, x):
        off = tf.square(x[:, None] - params["centre"])
        bump = tf.exp(-1e5 * off)  # dies: saturated exp
        return tf.reduce_mean(tf.square(tf.linalg.matvec(bump, params["height"]) + params["base"] - x))

    return loss, params, (tf.constant([0.4, 0.6, 1.5, 2.7]),)


@sick(
    parameters={
        "critics/one/kernel": "reached",
        "critics/two/kernel": "unreached",
    },
    why_not="counts: the two start as copies of one another",
)
def twin_critics_that_are_the_same():
    """The smaller of two critics with the same start: a tie everywhere, and TensorFlow gives all to the first."""
    keras.utils.set_random_seed(62)

    class Critics(keras.Model):
        def __init__(self):
            super().__init__(name="critics")
            make = {"units": 1, "use_bias": False, "kernel_initializer": "ones"}
            self.one = keras.layers.Dense(**make, name="one")
            self.two = keras.layers.Dense(**make, name="two")

        def call(self, x):
            return tf.minimum(self.one(x), self.two(x))  # dies: tie minimum|min

    x = tf.random.normal([6, 4])
    model = Critics()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@sick(
    parameters={
        "pair/left/kernel": "unreached",
        "pair/right/kernel": "unreached",
        "pair/judge/kernel": "unreached",
        "pair/judge/bias": "reached",
    },
    why_not="counts: two towers start alike and are shown the same",
)
def towers_that_agree_to_the_last_bit():
    """The absolute difference of two towers' embeddings, which is zero in every entry at the start."""
    keras.utils.set_random_seed(63)

    class Pair(keras.Model):
        def __init__(self):
            super().__init__(name="pair")
            self.left = keras.layers.Dense(4, use_bias=False, kernel_initializer="ones", name="left")
            self.right = keras.layers.Dense(4, use_bias=False, kernel_initializer="ones", name="right")
            self.judge = keras.layers.Dense(1, name="judge")

        def call(self, one, two):
            gap = keras.ops.absolute(self.left(one) - self.right(two))  # dies: tie abs|absolute
            return self.judge(gap)

    x = tf.random.normal([7, 3])
    model = Pair()
    model(x, x)
    return (lambda params, one, two: tf.reduce_mean(tf.square(params(one, two) - 1.0))), model, (x, x)


@sick(parameters={"colour": "partly_reached"}, why_not="non_finite")
def gamma_of_a_black_pixel():
    """Gamma correction of pixels of which some are exactly black."""
    params = {"colour": tf.Variable([[0.2, 0.0, 0.7], [0.0, 0.5, 0.9]])}

    def loss(params, photo):
        shown = tf.pow(params["colour"], 1.0 / 2.2)  # dies: non_finite pow
        return tf.reduce_mean(tf.square(shown - photo))

    return loss, params, (tf.fill([2, 3], 0.4),)


@sick(parameters={"turn": "unreached", "lift": "reached"}, why_not="non_finite")
def angle_between_equal_directions():
    """The angle of a vector with itself is arccos of one, where the slope is infinite."""
    params = {"turn": tf.Variable([1.0, 0.0]), "lift": tf.Variable(0.3)}

    def loss(params, direction):
        angle = tf.acos(tf.tensordot(params["turn"], direction, 1))  # dies: non_finite acos
        return tf.square(angle + params["lift"])

    return loss, params, (tf.constant([1.0, 0.0]),)


@sick(
    parameters={"std/encode/kernel": "unreached", "std/encode/bias": "unreached", "std/shift": "reached"},
    why_not="non_finite",
)
def spread_of_a_batch_of_equal_rows():
    """A penalty on the standard deviation of features, for a batch whose rows are all alike."""
    keras.utils.set_random_seed(64)

    class Std(keras.Model):
        def __init__(self):
            super().__init__(name="std")
            self.encode = keras.layers.Dense(3, kernel_initializer="ones", name="encode")
            self.shift = self.add_weight(shape=(), initializer="ones", name="shift")

        def call(self, x):
            return tf.math.reduce_std(self.encode(x), axis=0)  # dies: non_finite reduce_std|std|sqrt

    x = tf.ones([4, 2])
    model = Std()
    model(x)
    return (lambda params, x: tf.reduce_mean(params(x)) + tf.square(tf.convert_to_tensor(params.shift))), model, (x,)


@sick(parameters={"mass": "partly_reached", "push": "partly_reached"}, why_not="non_finite")
def force_between_bodies_and_themselves():
    """Gravity of each on each: the distance of a body from itself is hidden by a where after the division."""
    keras.utils.set_random_seed(65)
    params = {"mass": tf.Variable(tf.constant([0.0, 2.0, 3.0])), "push": tf.Variable(tf.constant([1.0, 2.0, 3.0]))}

    def loss(params, goal):
        reach = params["mass"] * params["mass"]
        inverse = tf.math.reciprocal(reach)  # dies: non_finite reciprocal|divide
        force = tf.where(reach > 0.0, params["push"] * inverse, 0.0)
        return tf.reduce_sum(tf.square(force - goal))

    return loss, params, (tf.ones([3]),)
