"""Healthy: hard operators whose gradient is taken care of."""

from __future__ import annotations

import keras
import tensorflow as tf

import straightthrough as ste
from doctor.catalogue import healthy


@healthy()
def straight_through_by_hand():
    """The textbook line: x + stop_gradient(round(x) - x)."""
    keras.utils.set_random_seed(1)
    params = {"weight": tf.Variable(tf.random.normal([4, 3])), "head": tf.Variable(tf.random.normal([3]))}

    def loss(params, x):
        h = x @ params["weight"]
        code = h + tf.stop_gradient(tf.round(h) - h)
        return tf.reduce_mean(tf.square(tf.linalg.matvec(code, params["head"]) - 1.0))

    return loss, params, (tf.random.normal([6, 4]),)


@healthy()
def straight_through_by_two_stops():
    """Hard value stopped, soft value added and taken away: one_hot - stop(soft) + soft."""
    keras.utils.set_random_seed(2)
    params = [tf.Variable(tf.random.normal([5, 4])), tf.Variable(tf.random.normal([4, 2]))]

    def loss(params, target):
        soft = tf.nn.softmax(params[0])
        hard = tf.one_hot(tf.argmax(soft, -1), 4)
        choice = tf.stop_gradient(hard) - tf.stop_gradient(soft) + soft
        return tf.reduce_mean(tf.square(choice @ params[1] - target))

    return loss, params, (tf.random.normal([5, 2]),)


@healthy()
def codebook_with_its_copied_gradient():
    """VQ as published: the copy for the encoder, the codebook loss, the commitment."""
    keras.utils.set_random_seed(3)

    class Vq(keras.Model):
        def __init__(self):
            super().__init__(name="vq")
            self.encoder = keras.layers.Dense(2, name="encoder")
            self.codebook = self.add_weight(shape=(16, 2), initializer="random_normal", name="codebook")
            self.decoder = keras.layers.Dense(5, name="decoder")

        def call(self, x):
            z = self.encoder(x)
            nearest = tf.argmin(tf.reduce_sum(tf.square(z[:, None] - self.codebook), -1), axis=1)
            code = tf.gather(self.codebook, nearest)
            own = tf.reduce_mean(tf.square(tf.stop_gradient(z) - code))  # stops: stop_gradient
            commitment = tf.reduce_mean(tf.square(z - tf.stop_gradient(code)))  # stops: stop_gradient
            return self.decoder(z + tf.stop_gradient(code - z)), own + 0.25 * commitment

    x = tf.random.normal([12, 5])
    model = Vq()
    model(x)

    def loss(params, x):
        rebuilt, extra = params(x)
        return tf.reduce_mean(tf.square(rebuilt - x)) + extra

    return loss, model, (x,)


@healthy()
def surrogate_of_a_spike():
    """A spike with a fast-sigmoid derivative in a custom gradient, in a loop."""
    keras.utils.set_random_seed(4)

    @tf.custom_gradient
    def spike(v):
        return tf.cast(v > 0.0, v.dtype), lambda upstream: upstream / tf.square(1.0 + 10.0 * tf.abs(v))

    params = {"inward": tf.Variable(tf.random.normal([3, 4])), "outward": tf.Variable(tf.random.normal([4]))}

    def loss(params, current):
        v, total = tf.zeros([4]), tf.zeros([4])
        for now in tf.unstack(current):
            v = 0.9 * v + tf.linalg.matvec(params["inward"], now, transpose_a=True)
            s = spike(v - 1.0)
            v, total = v - s, total + s
        return tf.square(tf.tensordot(total, params["outward"], 1) - 3.0)

    return loss, params, (tf.random.normal([6, 3]),)


@healthy()
def ready_operations():
    """Our own sign and round, each with its proxy."""
    keras.utils.set_random_seed(5)
    params = {"first": tf.Variable(tf.random.normal([3, 4]) * 0.2), "second": tf.Variable(tf.random.normal([4, 2]))}

    def loss(params, x):
        hidden = ste.sign(x @ params["first"], proxy="clipped_identity")
        return tf.reduce_mean(tf.square(ste.round(hidden @ params["second"], proxy="identity") - 0.4))

    return loss, params, (tf.random.normal([10, 3]),)


@healthy()
def router_with_a_live_probability():
    """Switch routing: the index is hard, and the output is multiplied by the winner's probability."""
    keras.utils.set_random_seed(6)
    params = {"router": tf.Variable(tf.random.normal([4, 3])), "experts": tf.Variable(tf.random.normal([3, 4, 2]))}

    def loss(params, x):
        probability = tf.nn.softmax(x @ params["router"])
        best, index = tf.math.top_k(probability, 1)
        expert = tf.gather(params["experts"], index[:, 0])
        return tf.reduce_mean(tf.square(best * tf.einsum("bi,bio->bo", x, expert) - 1.0))

    return loss, params, (tf.random.normal([20, 4]),)
