"""Rounding, casting, counting and codebooks."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick
from doctor.programs.tensorflow.library import snap_to_grid


@sick(parameters={"weight": "unreached", "scale": "reached"}, fix={"round": "identity"})
def fake_quantised_weight():
    """Divide, clamp, round, multiply: the scale still hears of the loss, the weight does not."""
    keras.utils.set_random_seed(1)
    params = {"weight": tf.Variable(tf.random.normal([4, 4])), "scale": tf.Variable(0.25)}

    def loss(params, x):
        levels = tf.clip_by_value(params["weight"] / params["scale"], -8.0, 7.0)
        quantised = tf.round(levels) * params["scale"]  # dies: flat round
        return tf.reduce_mean(tf.square(x @ quantised - x))

    return loss, params, (tf.random.normal([10, 4]),)


@sick(
    parameters={
        "code/encoder/kernel": "unreached",
        "code/encoder/bias": "unreached",
        "code/decoder/kernel": "reached",
        "code/decoder/bias": "reached",
    },
    fix={"round": "identity", "cast": "identity"},
)
def bytes_in_the_bottleneck():
    """An autoencoder's code is stored as int8: rounded and cast on one line."""
    keras.utils.set_random_seed(2)

    class Code(keras.Model):
        def __init__(self):
            super().__init__(name="code")
            self.encoder = keras.layers.Dense(3, activation="tanh", name="encoder")
            self.decoder = keras.layers.Dense(6, name="decoder")

        def call(self, x):
            code = 127.0 * self.encoder(x)
            stored = tf.cast(tf.round(code), tf.int8)  # dies: flat round # dies: cut cast
            return self.decoder(tf.cast(stored, tf.float32) / 127.0)

    x = tf.random.normal([10, 6])
    model = Code()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - x))), model, (x,)


@sick(parameters={"0": "unreached"}, fix={"ceil": "identity"})
def power_of_two_weights():
    """Shift-and-add hardware: each weight is a sign and an exponent, both hard."""
    keras.utils.set_random_seed(3)
    params = [tf.Variable(tf.random.normal([3, 3]))]

    def loss(params, x):
        weight = params[0]
        exponent = tf.math.ceil(tf.math.log(tf.abs(weight)) / tf.math.log(2.0))  # dies: flat ceil
        sign = tf.sign(weight)  # dies: flat sign
        return tf.reduce_mean(tf.square(x @ (sign * tf.pow(2.0, exponent)) - 1.0))

    return loss, params, (tf.random.normal([7, 3]),)


@sick(
    parameters={"shift": "unreached", "slope": "unreached"},
    why_not="counts: a histogram counts how many fall in each bin",
)
def histogram_matching():
    """An affine map should give the samples a wanted histogram; the bins are counted."""
    keras.utils.set_random_seed(4)
    params = {"shift": tf.Variable(0.3), "slope": tf.Variable(1.5)}

    def loss(params, x, wanted):
        y = params["slope"] * x + params["shift"]
        counts = tf.histogram_fixed_width(y, [-3.0, 3.0], nbins=6)  # dies: cut histogram_fixed_width|histogram
        return tf.reduce_mean(tf.square(tf.cast(counts, tf.float32) / 64.0 - wanted))

    return loss, params, (tf.random.normal([64]), tf.fill([6], 1.0 / 6.0))


@sick(
    parameters={"features": "unreached", "table": "reached"},
    why_not="counts: a bin number has no neighbour to lean to",
)
def age_groups_by_bucketize():
    """A learned feature is put in buckets and each bucket has a row of its own."""
    keras.utils.set_random_seed(5)
    params = {"features": tf.Variable(tf.random.normal([4])), "table": tf.Variable(tf.random.normal([4, 2]))}
    group = keras.layers.Discretization(bin_boundaries=[-1.0, 0.0, 1.0], name="group")

    def loss(params, x, y):
        feature = tf.linalg.matvec(x, params["features"])
        row = group(feature)  # dies: cut bucketize|digitize|discretization|searchsorted
        return tf.reduce_mean(tf.square(tf.nn.embedding_lookup(params["table"], row) - y))

    return loss, params, (tf.random.normal([32, 4]), tf.random.normal([32, 2]))


@sick(
    parameters={
        "vq/encoder/kernel": "unreached",
        "vq/encoder/bias": "unreached",
        "vq/codebook": "reached",
        "vq/decoder/kernel": "reached",
        "vq/decoder/bias": "reached",
    },
    fix={"argmin": "softmax"},
)
def nearest_code_without_a_way_round():
    """A codebook by argmin of the distances; the line that copies the gradient past it is missing."""
    keras.utils.set_random_seed(6)

    class Vq(keras.Model):
        def __init__(self):
            super().__init__(name="vq")
            self.encoder = keras.layers.Dense(2, name="encoder")
            self.codebook = self.add_weight(shape=(4, 2), initializer="random_normal", name="codebook")
            self.decoder = keras.layers.Dense(5, name="decoder")

        def call(self, x):
            latent = self.encoder(x)
            distance = tf.reduce_sum(tf.square(latent[:, None] - self.codebook), -1)
            nearest = tf.argmin(distance, axis=1)  # dies: cut argmin
            return self.decoder(tf.gather(self.codebook, nearest))

    x = tf.random.normal([20, 5])
    model = Vq()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - x))), model, (x,)


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"round": "identity"}, elsewhere=(snap_to_grid,))
def grid_in_a_helper_module():
    """The rounding is in the user's library; a tf.function calls it."""
    keras.utils.set_random_seed(7)
    params = [tf.Variable(tf.random.normal([3, 2])), tf.Variable(tf.ones([2]))]

    @tf.function
    def loss(params, x):
        return tf.reduce_mean(tf.square(params[1] * snap_to_grid(x @ params[0], 0.5) - 0.3))

    return loss, params, (tf.random.normal([6, 3]),)


@sick(
    parameters={"weight": "unreached", "head": "reached"},
    why_not="counts: the range is wrong, not the rule",
)
def fake_quantisation_far_outside_its_range():
    """The framework's own fake quantisation has a gradient, inside its range; these activations are all above it."""
    keras.utils.set_random_seed(8)
    params = {"weight": tf.Variable(tf.random.uniform([3, 4])), "head": tf.Variable(tf.random.normal([4]))}

    def loss(params, x):
        h = x @ params["weight"] + 50.0
        q = tf.quantization.fake_quant_with_min_max_args(h, -6.0, 6.0)  # dies: saturated fake_quant_with_min_max_args
        return tf.reduce_mean(tf.square(tf.linalg.matvec(q, params["head"]) - 1.0))

    return loss, params, (tf.random.normal([6, 3]),)
