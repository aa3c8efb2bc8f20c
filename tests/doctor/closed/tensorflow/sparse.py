"""Pruned weights, peaks, helpers and recomputed layers."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick
from doctor.closed.tensorflow.library import Binariser


@sick(parameters={"dense": "partly_reached", "out": "reached"}, fix={"top_k": "softmax"})
def two_of_each_four_weights():
    """Structured sparsity: in each group of four the two largest stay; the others hear nothing."""
    keras.utils.set_random_seed(101)
    params = {"dense": tf.Variable(tf.random.normal([4, 8])), "out": tf.Variable(tf.random.normal([8]))}

    def loss(params, x):
        groups = tf.reshape(tf.abs(params["dense"]), [-1, 4])
        largest = tf.math.top_k(groups, 2).indices  # dies: cut top_k
        keep = tf.reshape(tf.reduce_max(tf.one_hot(largest, 4), axis=1), [4, 8])
        return tf.reduce_mean(tf.square(tf.linalg.matvec(x @ (params["dense"] * keep), params["out"]) - 1.0))

    return loss, params, (tf.random.normal([7, 4]),)


@sick(
    parameters={
        "slim/filters/kernel": "reached",
        "slim/importance": "unreached",
        "slim/answer/kernel": "partly_reached",
        "slim/answer/bias": "reached",
    },
    fix={"heaviside": "sigmoid"},
)
def channels_switched_off():
    """Each channel of a convolution has an importance; a step of it switches the channel."""
    keras.utils.set_random_seed(102)

    class Slim(keras.Model):
        def __init__(self):
            super().__init__(name="slim")
            self.filters = keras.layers.Conv2D(4, 2, use_bias=False, name="filters")
            self.importance = self.add_weight(shape=(4,), initializer="zeros", name="importance")
            self.importance.assign([0.5, -0.5, 0.2, 0.7])
            self.answer = keras.layers.Dense(2, name="answer")

        def call(self, x):
            switch = tf.experimental.numpy.heaviside(self.importance, 0.0)  # dies: flat|cut heaviside
            return self.answer(tf.reduce_mean(self.filters(x) * switch, axis=(1, 2)))

    x = tf.random.normal([5, 4, 4, 1])
    model = Slim()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@sick(
    parameters={"heat": "unreached", "offset": "reached"},
    why_not="counts: which pixels are peaks",
)
def peaks_of_a_heat_map():
    """A point detector keeps pixels that equal the maximum of their neighbourhood, and reads offsets there."""
    keras.utils.set_random_seed(103)
    params = {
        "heat": tf.Variable(tf.random.normal([3, 3, 2, 1])),
        "offset": tf.Variable(tf.random.normal([1, 1, 2, 2])),
    }

    def loss(params, image, wanted):
        heat = tf.nn.conv2d(image, params["heat"], 1, "SAME")
        peak = tf.equal(heat, tf.nn.max_pool2d(heat, 3, 1, "SAME"))  # dies: cut equal
        offset = tf.boolean_mask(tf.nn.conv2d(image, params["offset"], 1, "SAME"), peak[..., 0])
        return tf.reduce_mean(tf.square(offset - wanted))

    return loss, params, (tf.random.normal([1, 8, 8, 2]), tf.constant([0.1, -0.2]))


@sick(
    parameters={"scaled/factor": "unreached", "scaled/below/kernel": "reached"},
    why_not="counts: the user's rule forgets one of two inputs",
)
def custom_gradient_that_forgets_an_input():
    """The author of a fused operator returns zeros for its scale, and meant to fill them in."""
    keras.utils.set_random_seed(104)

    @tf.custom_gradient
    def fused(x, factor):
        def backward(upstream):
            return upstream * factor, tf.zeros_like(factor)

        return x * factor, backward

    class Scaled(keras.Model):
        def __init__(self):
            super().__init__(name="scaled")
            self.below = keras.layers.Dense(3, use_bias=False, name="below")
            self.factor = self.add_weight(shape=(3,), initializer="ones", name="factor")

        def call(self, x):
            return fused(self.below(x), tf.convert_to_tensor(self.factor))  # dies: flat|cut fused|custom_gradient

    x = tf.random.normal([6, 4])
    model = Scaled()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@sick(
    parameters={
        "block/project/kernel": "unreached",
        "block/project/bias": "unreached",
        "block/codes": "reached",
        "block/top/kernel": "reached",
        "block/top/bias": "reached",
    },
    fix={"argmax": "softmax"},
)
def code_look_up_in_a_recomputed_layer():
    """A whole keras layer with a look-up inside is wrapped for recomputation."""
    keras.utils.set_random_seed(105)

    class Block(keras.Model):
        def __init__(self):
            super().__init__(name="block")
            self.project = keras.layers.Dense(4, name="project")
            self.codes = self.add_weight(shape=(4, 3), initializer="random_normal", name="codes")
            self.top = keras.layers.Dense(2, name="top")

        def call(self, x):
            def body(x):
                code = tf.argmax(tf.nn.softmax(self.project(x)), axis=-1)  # dies: cut argmax
                return tf.gather(tf.convert_to_tensor(self.codes), code)

            return self.top(tf.recompute_grad(body)(x))

    x = tf.random.normal([11, 5])
    model = Block()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@sick(
    parameters={"see/kernel": "unreached", "see/bias": "unreached", "tell/kernel": "reached", "tell/bias": "reached"},
    why_not="counts: the input is in the wrong unit",
)
def capped_units_all_at_their_cap():
    """Images of 0 to 255 meet units that end at six."""
    keras.utils.set_random_seed(106)
    image = keras.Input((6, 6, 1), name="image")
    seen = keras.layers.Conv2D(3, 3, kernel_initializer="ones", name="see")(image)
    capped = keras.layers.Lambda(lambda h: tf.nn.relu6(h), name="cap")(seen)  # dies: saturated relu6|clip
    told = keras.layers.Dense(1, name="tell")(keras.layers.Flatten(name="flat")(capped))
    model = keras.Model(image, told, name="capped")
    x = tf.random.uniform([4, 6, 6, 1], 20.0, 255.0)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@sick(
    parameters={"policy": "unreached", "bonus": "reached"},
    why_not="non_finite",
)
def state_without_a_legal_move():
    """A finished game has no legal move: its row is masked out of the loss, its derivative is not."""
    keras.utils.set_random_seed(107)
    params = {"policy": tf.Variable(tf.random.normal([3, 4])), "bonus": tf.Variable(0.2)}

    def loss(params, state, legal, move):
        logits = state @ params["policy"] + tf.math.log(tf.cast(legal, tf.float32))
        total = tf.reduce_logsumexp(logits, -1)  # dies: non_finite reduce_logsumexp|logsumexp|exp|log
        each = total - tf.gather(state @ params["policy"], move, axis=1, batch_dims=1)
        going = tf.reduce_any(legal, -1)
        return tf.reduce_mean(tf.where(going, each, 0.0)) + tf.square(params["bonus"])

    legal = tf.constant([[True, True, False, True], [False, True, True, True], [False, False, False, False]])
    return loss, params, (tf.random.normal([3, 3]), legal, tf.constant([0, 1, 2]))


@sick(
    parameters={"pixel/kernel": "unreached", "pixel/bias": "unreached", "join": "reached"},
    fix={"greater_equal": "sigmoid"},
    elsewhere=(Binariser.__call__,),
)
def stencil_from_a_helper_object():
    """An object from the user's library makes a mask of probabilities."""
    keras.utils.set_random_seed(108)
    layer = keras.layers.Dense(4, activation="sigmoid", name="pixel")
    layer.build((None, 3))
    binarise = Binariser(0.5)
    join = keras.Variable(tf.random.normal([4]), name="join")

    class Stencil(keras.Model):
        def __init__(self):
            super().__init__(name="stencil")
            self.pixel, self.join = layer, join

        def call(self, x):
            return tf.linalg.matvec(binarise(self.pixel(x)), tf.convert_to_tensor(self.join))

    x = tf.random.normal([10, 3])
    model = Stencil()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)
