"""Values that leave the framework or are stopped by accident."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={
        "siamese/tower/kernel": "unreached",
        "siamese/tower/bias": "unreached",
        "siamese/predictor/kernel": "unreached",
        "siamese/predictor/bias": "unreached",
    },
    why_not="counts: both sides are stopped on purpose, one too many",
)
def both_branches_stopped():
    """A siamese network stops the gradient of its target, and, by a slip, of its prediction."""
    keras.utils.set_random_seed(1)

    class Siamese(keras.Model):
        def __init__(self):
            super().__init__(name="siamese")
            self.tower = keras.layers.Dense(4, name="tower")
            self.predictor = keras.layers.Dense(4, name="predictor")

        def call(self, one, two):
            prediction = tf.stop_gradient(self.predictor(self.tower(one)))  # dies: cut stop_gradient
            target = tf.stop_gradient(self.tower(two))  # dies: cut stop_gradient
            return tf.reduce_mean(tf.square(prediction - target))

    x = tf.random.normal([2, 6, 3])
    model = Siamese()
    model(x[0], x[1])
    return (lambda params, one, two: params(one, two)), model, (x[0], x[1])


@sick(
    parameters={"threshold": "unreached", "weight": "reached"},
    why_not="counts: a Python number has no gradient",
)
def temperature_as_a_python_float():
    """A learned threshold is turned into a Python float for the clip."""
    params = {"threshold": tf.Variable(0.7), "weight": tf.Variable([0.5, 1.0, -0.3])}

    def loss(params, x):
        limit = float(params["threshold"])  # dies: cut float|item|numpy
        return tf.reduce_sum(tf.clip_by_value(x * params["weight"], -limit, limit))

    return loss, params, (tf.constant([1.0, 2.0, 0.5]),)


@sick(
    parameters={"features": "unreached", "head": "reached"},
    why_not="counts: computed outside the framework",
)
def median_filter_in_numpy():
    """A filter nobody found in TensorFlow is called through numpy_function."""
    import numpy as np

    keras.utils.set_random_seed(2)
    params = {"features": tf.Variable(tf.random.normal([4, 6])), "head": tf.Variable(tf.random.normal([6]))}

    @tf.function
    def loss(params, x):
        h = x @ params["features"]
        middle = tf.numpy_function(lambda a: a - np.median(a, 0), [h], tf.float32)  # dies: cut numpy_function|py_func
        return tf.reduce_mean(tf.square(tf.linalg.matvec(middle, params["head"]) - 1.0))

    return loss, params, (tf.random.normal([5, 4]),)


@sick(
    parameters={"inner": "unreached", "outer": "reached"},
    why_not="counts: the value was copied into a variable",
)
def memory_written_by_assign():
    """A memory cell is a variable; what is assigned to it forgets where it came from."""
    keras.utils.set_random_seed(3)
    params = {"inner": tf.Variable(tf.random.normal([3, 4])), "outer": tf.Variable(tf.random.normal([4]))}
    memory = tf.Variable(tf.zeros([2, 4]), trainable=False)

    def loss(params, x):
        memory.assign(tf.tanh(x @ params["inner"]))  # dies: cut assign
        return tf.reduce_mean(tf.square(tf.linalg.matvec(memory, params["outer"]) - 1.0))

    return loss, params, (tf.random.normal([2, 3]),)


@sick(
    parameters={"policy": "unreached", "value": "reached"},
    why_not="counts: the advantage was meant to be stopped, not the probability",
)
def wrong_factor_stopped():
    """An actor-critic that stops the policy instead of the advantage."""
    keras.utils.set_random_seed(4)
    params = {"policy": tf.Variable(tf.random.normal([4, 2])), "value": tf.Variable(tf.random.normal([4]))}

    def loss(params, state, action, reward):
        log_probability = tf.nn.log_softmax(state @ params["policy"])
        chosen = tf.gather(log_probability, action, axis=1, batch_dims=1)
        advantage = reward - tf.linalg.matvec(state, params["value"])
        return -tf.reduce_mean(advantage * keras.ops.stop_gradient(chosen))  # dies: cut stop_gradient

    return loss, params, (tf.random.normal([6, 4]), tf.constant([0, 1] * 3), tf.random.normal([6]))


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"cast": "identity"})
def wrong_dtype_for_the_prices():
    """Prices are cast to int32 for a sum that was meant to be exact."""
    keras.utils.set_random_seed(5)
    params = [tf.Variable(tf.random.uniform([3], 1.0, 9.0)), tf.Variable(1.1)]

    def loss(params, amount):
        cents = tf.cast(params[0] * 100.0, tf.int32)  # dies: cut cast
        total = tf.reduce_sum(cents * amount)
        return tf.square(params[1] * tf.cast(total, tf.float32) / 100.0 - 20.0)

    return loss, params, (tf.constant([1, 2, 1]),)
