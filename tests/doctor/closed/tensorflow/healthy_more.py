"""Healthy: more programs that look worse than they are."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import healthy


@healthy(parameters={"ema/book": "frozen"})
def codebook_kept_by_moving_averages():
    """The codebook is not trained but averaged: assigned to inside the call, frozen for the optimiser."""
    keras.utils.set_random_seed(111)

    class Averaged(keras.Model):
        def __init__(self):
            super().__init__(name="ema")
            self.encode = keras.layers.Dense(2, name="encode")
            self.decode = keras.layers.Dense(3, name="decode")
            self.book = self.add_weight(shape=(4, 2), initializer="random_normal", trainable=False, name="book")

        def call(self, x):
            z = self.encode(x)
            far = keras.ops.sum(keras.ops.square(z[:, None] - self.book), -1)
            hot = keras.ops.one_hot(keras.ops.argmin(far, -1), 4)
            mean = tf.math.divide_no_nan(tf.transpose(hot) @ z, tf.reduce_sum(hot, 0)[:, None])
            self.book.assign(0.99 * self.book + 0.01 * tf.stop_gradient(mean))
            code = hot @ tf.convert_to_tensor(self.book)
            return self.decode(z - tf.stop_gradient(z - code))

    x = tf.random.normal([10, 3])
    model = Averaged()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - x))), model, (x,)


@healthy()
def solver_with_an_adaptive_step():
    """A step is taken or halved by a comparison with a tolerance; the state is differentiable either way."""
    params = {"stiffness": tf.Variable(2.0), "start": tf.Variable([1.0, -0.5])}

    def loss(params, goal):
        def step(turn, x, size):
            slope = -params["stiffness"] * x
            proposal = x + size * slope
            error = tf.reduce_max(tf.abs(0.5 * size * size * params["stiffness"] * slope))
            good = tf.stop_gradient(error) < 0.05  # stops: stop_gradient
            return turn + 1, tf.where(good, proposal, x), tf.where(good, size, 0.5 * size)

        start = (0, params["start"] * 1.0, tf.constant(0.4))
        return tf.reduce_sum(tf.square(tf.while_loop(lambda turn, *_: turn < 6, step, start)[1] - goal))

    return loss, params, (tf.constant([0.1, 0.1]),)


@healthy()
def median_and_largest_of_features():
    """A sort, a median and a maximum pass their gradient to the entries they picked."""
    keras.utils.set_random_seed(112)
    params = [tf.Variable(tf.random.normal([4, 5])), tf.Variable(tf.random.normal([3]))]

    def loss(params, x):
        h = x @ params[0]
        summary = tf.stack([keras.ops.median(h, axis=0), tf.sort(h, axis=0)[1], tf.reduce_max(h, 0)], -1)
        return tf.reduce_mean(tf.square(tf.linalg.matvec(summary, params[1]) - 1.0))

    return loss, params, (tf.random.normal([9, 4]),)


@healthy()
def self_training_with_confident_labels():
    """The teacher's own labels: argmax and threshold of stopped probabilities, then cross entropy."""
    keras.utils.set_random_seed(113)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="classes")], name="semi")

    def loss(params, weak, strong):
        guess = tf.stop_gradient(tf.nn.softmax(params(weak)))  # stops: stop_gradient
        label = tf.argmax(guess, -1)
        sure = tf.cast(tf.reduce_max(guess, -1) >= 0.4, tf.float32)
        return tf.reduce_mean(sure * keras.losses.sparse_categorical_crossentropy(label, params(strong), True))

    x = tf.random.normal([12, 4])
    return loss, model, (x, x + 0.3 * tf.random.normal([12, 4]))


@healthy()
def loss_scaled_down_to_almost_nothing():
    """A float64 loss of 1e-20 by a scale that somebody forgot, in a tf.function that is compiled by XLA."""
    keras.utils.set_random_seed(114)
    params = {"a": tf.Variable(tf.random.normal([3], dtype=tf.float64)), "b": tf.Variable(tf.ones([3], tf.float64))}

    @tf.function(jit_compile=True)
    def loss(params, x):
        return tf.constant(1e-20, tf.float64) * tf.reduce_sum(tf.square(tf.tanh(params["a"] * x) - params["b"]))

    return loss, params, (tf.constant([0.5, 1.0, 2.0], tf.float64),)
