"""Codes, addresses and staircases."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"cast": "identity"})
def mu_law_audio():
    """Sound is companded and stored as a byte by saturate_cast."""
    keras.utils.set_random_seed(41)
    params = [tf.Variable(tf.random.normal([16]) * 0.3), tf.Variable(1.0)]

    def loss(params, wanted):
        pressed = tf.math.asinh(255.0 * params[0]) / 6.3
        byte = tf.saturate_cast(127.5 * (pressed + 1.0), tf.uint8)  # dies: cut saturate_cast|cast
        return tf.reduce_mean(tf.square(params[1] * tf.cast(byte, tf.float32) / 127.5 - 1.0 - wanted))

    return loss, params, (tf.random.normal([16]),)


@sick(
    parameters={"codec/analysis/kernel": "unreached", "codec/synthesis/kernel": "reached"},
    fix={"round": "identity"},
)
def transform_coding_of_blocks():
    """A cosine transform's coefficients are rounded to a quantisation table, as in an image codec."""
    keras.utils.set_random_seed(42)

    class Codec(keras.Model):
        def __init__(self):
            super().__init__(name="codec")
            self.analysis = keras.layers.Conv1D(3, 1, use_bias=False, name="analysis")
            self.synthesis = keras.layers.Conv1D(1, 1, use_bias=False, name="synthesis")

        def call(self, x):
            spectrum = tf.signal.dct(tf.transpose(self.analysis(x), [0, 2, 1]), norm="ortho")
            table = 0.1 * tf.range(1.0, 9.0)
            kept = keras.ops.round(spectrum / table) * table  # dies: flat round
            return self.synthesis(tf.transpose(tf.signal.idct(kept, norm="ortho"), [0, 2, 1]))

    x = tf.random.normal([4, 8, 1])
    model = Codec()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - x))), model, (x,)


@sick(
    parameters={"warp": "unreached", "table": "reached"},
    why_not="counts: an address in a hash table",
)
def hash_grid_of_features():
    """Coordinates are cast to cells, hashed with bit operations, and features are gathered."""
    keras.utils.set_random_seed(43)
    params = {"warp": tf.Variable(tf.eye(2) * 1.1), "table": tf.Variable(tf.random.normal([16, 2]))}

    def loss(params, at, colour):
        cell = tf.cast(16.0 * (at @ params["warp"]), tf.int64)  # dies: cut cast
        mixed = tf.bitwise.bitwise_xor(cell[:, 0], cell[:, 1] * 2654435761)
        return tf.reduce_mean(tf.square(tf.gather(params["table"], mixed % 16) - colour))

    return loss, params, (tf.random.uniform([20, 2]), tf.random.normal([20, 2]))


@sick(parameters={"volume": "unreached", "price": "reached"}, fix={"remainder": "identity"})
def whole_crates_by_the_remainder():
    """The broken part of a crate is taken off with a remainder: one minus one is no slope."""
    params = {"volume": tf.Variable([3.7, 5.2, 8.9]), "price": tf.Variable([1.0, 2.0, 0.5])}

    def loss(params, budget):
        whole = params["volume"] - params["volume"] % 1.0  # dies: flat remainder|floormod|mod
        return tf.square(tf.reduce_sum(whole * params["price"]) - budget)

    return loss, params, (tf.constant(10.0),)


@sick(parameters={"demand": "unreached", "fee": "reached"}, fix={"floor_divide": "identity"})
def tariff_in_steps():
    """Each started hundred costs a fee: a floor division."""
    params = {"demand": tf.Variable([130.0, 270.0, 455.0]), "fee": tf.Variable(0.9)}

    def loss(params, bill):
        steps = params["demand"] // 100.0  # dies: flat|cut floor_divide|floordiv|floor_div
        return tf.reduce_sum(tf.square(params["fee"] * (steps + 1.0) - bill))

    return loss, params, (tf.constant([2.0, 3.0, 4.0]),)


@sick(
    parameters={"look/kernel": "unreached", "look/bias": "unreached", "coarse": "reached", "fine": "reached"},
    fix={"argmin": "softmax"},
)
def residual_codes_in_two_stages():
    """The second codebook codes what the first one left: two argmins, the second after the first."""
    keras.utils.set_random_seed(44)

    class Residual(keras.Model):
        def __init__(self):
            super().__init__(name="residual")
            self.look = keras.layers.Dense(2, name="look")
            self.look.build((None, 4))
            self.books = [keras.Variable(tf.random.normal([5, 2]), name=name) for name in ("coarse", "fine")]

        def call(self, x):
            left, codes = self.look(x), []
            for book in self.books:
                far = tf.reduce_sum(tf.square(left[:, None] - tf.convert_to_tensor(book)), -1)
                codes.append(tf.gather(book, tf.argmin(far, -1)))  # dies: cut argmin
                left = left - codes[-1]
            return tf.add_n(codes)

    x = tf.random.normal([12, 4])
    model = Residual()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - x[:, :2]))), model, (x,)


@sick(parameters={"signal": "unreached", "gain": "reached"}, fix={"cast": "identity"})
def fixed_point_by_a_shift_of_bits():
    """A filter for a small processor: integers, a multiplication, a shift to the right."""
    params = {"signal": tf.Variable([0.5, -0.25, 0.8, 0.1]), "gain": tf.Variable(2.0)}

    def loss(params, wanted):
        fixed = keras.ops.cast(params["signal"] * 4096.0, "int32")  # dies: cut cast
        shifted = tf.bitwise.right_shift(fixed * 3, 2)
        return tf.reduce_mean(tf.square(params["gain"] * tf.cast(shifted, tf.float32) / 4096.0 - wanted))

    return loss, params, (tf.ones([4]),)
