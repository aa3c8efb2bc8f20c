"""Slopes that are zero at this very input: saturated, or not unique."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={
        "dead/hidden/kernel": "unreached",
        "dead/hidden/bias": "unreached",
        "dead/out/kernel": "unreached",
        "dead/out/bias": "reached",
    },
    why_not="counts: the bias is wrong, not the relu",
)
def relu_dead_for_every_input():
    """A bias far below zero: no unit fires on any row, and the layer after it sees only zeros."""
    keras.utils.set_random_seed(1)
    hidden = keras.layers.Dense(6, bias_initializer=keras.initializers.Constant(-40.0), name="hidden")
    out = keras.layers.Dense(1, name="out")

    class Dead(keras.Model):
        def __init__(self):
            super().__init__(name="dead")
            self.hidden, self.out = hidden, out

        def call(self, x):
            return self.out(tf.nn.relu(self.hidden(x)))  # dies: saturated relu

    x = tf.random.normal([16, 3])
    model = Dead()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@sick(
    parameters={"0": "unreached", "1": "reached"},
    why_not="counts: the bounds are wrong, not the clip",
)
def clip_in_the_wrong_unit():
    """Angles in degrees are clipped to a range in radians."""
    keras.utils.set_random_seed(2)
    params = [tf.Variable(tf.constant([45.0, 90.0, -120.0])), tf.Variable(0.3)]

    def loss(params, target):
        angle = tf.clip_by_value(params[0], -3.1416, 3.1416)  # dies: saturated clip|clip_by_value
        return tf.reduce_sum(tf.square(angle * params[1] - target))

    return loss, params, (tf.constant([1.0, 1.0, -1.0]),)


@sick(
    parameters={"gate": "unreached", "value": "reached"},
    why_not="counts: the logits are too large",
)
def sigmoid_at_two_hundred():
    """Unscaled pixel values saturate a gate to exactly one."""
    keras.utils.set_random_seed(3)
    params = {"gate": tf.Variable(tf.random.uniform([4], 0.5, 1.0)), "value": tf.Variable(tf.random.normal([4]))}

    def loss(params, pixels):
        gate = tf.sigmoid(pixels * params["gate"])  # dies: saturated sigmoid
        return tf.reduce_mean(tf.square(gate * params["value"] - 0.5))

    return loss, params, (tf.random.uniform([8, 4], 200.0, 255.0),)


@sick(
    parameters={"first": "unreached", "second": "unreached", "bias": "reached"},
    why_not="counts: the zero start is at the kink",
)
def relu_at_zero_after_a_zero_start():
    """The first weights start at zero, so relu is asked for its slope at exactly zero, and says zero."""
    params = {
        "first": tf.Variable(tf.zeros([3, 3])),
        "second": tf.Variable(tf.eye(3) + 0.5),
        "bias": tf.Variable(tf.ones([3])),
    }
    keras.utils.set_random_seed(4)

    def loss(params, x):
        hidden = keras.activations.relu(x @ params["first"])  # dies: tie|saturated relu
        return tf.reduce_mean(tf.square(hidden @ params["second"] + params["bias"] - x))

    return loss, params, (tf.random.normal([5, 3]),)


@sick(parameters={"0": "unreached"}, why_not="counts: the start is at the kink")
def absolute_error_at_its_start():
    """An L1 penalty on parameters that start at zero: TensorFlow says that the slope of abs at 0 is 0."""

    def loss(params, weight):
        return tf.reduce_sum(weight * tf.abs(params[0]))  # dies: tie abs

    return loss, [tf.Variable(tf.zeros([4]))], (tf.constant([1.0, 2.0, 3.0, 4.0]),)


@sick(
    parameters={"0": "unreached", "1": "reached"},
    why_not="counts: the temperature is far too low",
)
def softmax_at_no_temperature():
    """A softmax at temperature 1e-4 is a one-hot in float32, exactly."""
    params = [tf.Variable([0.1, 0.9, -0.4, 0.3]), tf.Variable([1.0, 2.0, 3.0, 4.0])]

    def loss(params, target):
        weights = tf.nn.softmax(params[0] / 1e-4)  # dies: saturated softmax
        return tf.square(tf.reduce_sum(weights * params[1]) - target)

    return loss, params, (tf.constant(1.0),)
