"""Hard units in networks, memories and automata."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"inhibition/project/kernel": "unreached", "inhibition/read/kernel": "reached"},
    fix={"greater_equal": "sigmoid"},
)
def winners_compared_with_the_third_best():
    """Lateral inhibition: a unit is on if it is at least as large as the third best of its row."""
    keras.utils.set_random_seed(11)

    class Inhibition(keras.Model):
        def __init__(self):
            super().__init__(name="inhibition")
            self.project = keras.layers.Dense(8, use_bias=False, name="project")
            self.read = keras.layers.Dense(2, use_bias=False, name="read")

        def call(self, x):
            drive = self.project(x)
            third = tf.math.top_k(drive, 3).values[:, -1:]
            return self.read(keras.ops.cast(drive >= third, "float32"))  # dies: cut greater_equal

    x = tf.random.normal([10, 5])
    model = Inhibition()
    model(x)
    return (lambda params, x: tf.reduce_mean(keras.losses.huber(x[:, :2], params(x)))), model, (x,)


@sick(
    parameters={"cue": "unreached", "bonds": "reached"},
    fix={"sign": "clipped_identity"},
)
def memory_recalled_by_sign_updates():
    """A Hopfield network settles from a learned cue; its energy still speaks to the bonds."""
    keras.utils.set_random_seed(12)
    params = {"cue": tf.Variable(tf.random.normal([6])), "bonds": tf.Variable(tf.random.normal([6, 6]))}

    @tf.function(jit_compile=True)
    def loss(params):
        bonds = params["bonds"] + tf.transpose(params["bonds"])
        state = params["cue"]
        for _ in range(3):
            state = tf.math.sign(tf.linalg.matvec(bonds, state))  # dies: flat sign
        return -tf.tensordot(state, tf.linalg.matvec(bonds, state), 1) / 36.0

    return loss, params, ()


@sick(
    parameters={"ternary/kernel": "unreached", "ternary/gain": "reached"},
    fix={"sign": "clipped_identity"},
)
def three_valued_layer():
    """A layer whose kernel is -1, 0 or 1, written with keras.ops."""
    keras.utils.set_random_seed(13)

    class Ternary(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 3), initializer="glorot_uniform", name="kernel")
            self.gain = self.add_weight(shape=(3,), initializer="ones", name="gain")

        def call(self, x):
            ops = keras.ops
            small = ops.less(ops.abs(self.kernel), 0.3)  # dies: cut less
            signs = ops.sign(self.kernel)  # dies: flat sign
            return ops.matmul(x, ops.where(small, 0.0, signs)) * self.gain

    layer = Ternary(name="ternary")
    x = tf.random.normal([8, 4])
    layer(x)
    model = keras.Sequential([keras.Input((4,)), layer], name="three")
    return (lambda params, x: tf.reduce_sum(tf.square(params(x) - x[:, :3]))), model, (x,)


@sick(
    parameters={"kernel": "unreached", "board": "unreached", "tint": "reached"},
    why_not="counts: an integer game board",
)
def game_of_life_with_a_learned_neighbourhood():
    """Neighbours are summed by a learned stencil, rounded, and compared with three."""
    keras.utils.set_random_seed(14)
    stencil = tf.constant([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])[:, :, None, None]
    params = {
        "kernel": tf.Variable(stencil + 0.01),
        "board": tf.Variable(tf.round(tf.random.uniform([1, 6, 6, 1]))),
        "tint": tf.Variable(0.5),
    }

    def loss(params, wanted):
        near = tf.nn.conv2d(params["board"], params["kernel"], 1, "SAME")
        count = tf.round(near)  # dies: flat round
        alive = tf.equal(count, 3.0)  # dies: cut equal
        return tf.reduce_mean(tf.square(params["tint"] * tf.cast(alive, tf.float32) - wanted))

    return loss, params, (tf.ones([1, 6, 6, 1]),)


@sick(
    parameters={
        "graded/rnn/cell/inward": "unreached",
        "graded/rnn/cell/back": "unreached",
        "graded/read/kernel": "reached",
        "graded/read/bias": "reached",
    },
    fix={"floor": "identity"},
)
def graded_spikes_in_a_keras_cell():
    """A cell for keras.layers.RNN that sends whole numbers of spikes."""
    keras.utils.set_random_seed(15)

    class Cell(keras.layers.Layer):
        state_size, output_size = (4, 4), 4

        def build(self, shape):
            self.inward = self.add_weight(shape=(shape[-1], 4), initializer="random_normal", name="inward")
            self.back = self.add_weight(shape=(4, 4), initializer="random_normal", name="back")

        def call(self, x, states):
            level, sent = states
            level = level - sent + keras.ops.matmul(x, self.inward) + keras.ops.matmul(sent, self.back) + 0.3
            sent = keras.ops.floor(keras.ops.relu(level))  # dies: flat floor
            return sent, [level, sent]

    class Graded(keras.Model):
        def __init__(self):
            super().__init__(name="graded")
            self.rnn = keras.layers.RNN(Cell(name="cell"), name="rnn")
            self.read = keras.layers.Dense(1, name="read")

        def call(self, x):
            return self.read(self.rnn(x))

    x = tf.random.normal([3, 7, 2])
    model = Graded()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 2.0))), model, (x,)


@sick(
    parameters={"left": "unreached", "right": "unreached", "weight": "reached"},
    fix={"greater": "sigmoid", "less": "sigmoid"},
)
def a_band_of_two_comparisons():
    """How much is charged inside a band: both ends are learned, both are only compared."""
    params = {"left": tf.Variable(-0.5), "right": tf.Variable(0.8), "weight": tf.Variable(1.2)}

    def loss(params, x):
        lo, hi = params["left"], params["right"]
        inside = tf.logical_and(tf.greater(x, lo), tf.less(x, hi))  # dies: cut greater # dies: cut less
        return tf.square(params["weight"] * tf.reduce_mean(tf.cast(inside, x.dtype)) - 1.0)

    return loss, params, (tf.linspace(-2.0, 2.0, 21),)


@sick(
    parameters={"hash.first": "unreached", "hash.second": "unreached", "mix": "reached"},
    fix={"sign": "clipped_identity", "heaviside": "sigmoid"},
)
def two_hard_layers_in_a_row():
    """A sign, a layer, and a step after it: reviving one of them leaves the other."""
    keras.utils.set_random_seed(16)
    params = {
        "hash": {"first": tf.Variable(tf.random.normal([4, 5])), "second": tf.Variable(tf.random.normal([5, 5]))},
        "mix": tf.Variable(tf.random.normal([5])),
    }

    def loss(params, x):
        code = tf.sign(tf.tensordot(x, params["hash"]["first"], 1))  # dies: flat sign
        bits = keras.ops.heaviside(code @ params["hash"]["second"], 0.5)  # dies: flat|cut heaviside
        return tf.reduce_mean(tf.abs(tf.linalg.matvec(bits, params["mix"]) - 1.0))

    return loss, params, (tf.random.normal([9, 4]),)
