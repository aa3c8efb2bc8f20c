"""Hard activations: signs, steps and spikes."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={
        "net/hidden/kernel": "unreached",
        "net/hidden/bias": "unreached",
        "net/head/kernel": "reached",
        "net/head/bias": "reached",
    },
    fix={"sign": "clipped_identity"},
)
def sign_between_two_layers():
    """A binary hidden layer: everything in front of the sign stands still."""
    keras.utils.set_random_seed(1)
    hidden, head = keras.layers.Dense(8, name="hidden"), keras.layers.Dense(1, name="head")

    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.hidden, self.head = hidden, head

        def call(self, x):
            return self.head(tf.sign(self.hidden(x)))  # dies: flat sign

    x, y = tf.random.normal([16, 4], seed=2), tf.random.normal([16, 1], seed=3)
    net = Net()
    net(x)

    def loss(params, x, y):
        return tf.reduce_mean(tf.square(params(x) - y))

    return loss, net, (x, y)


@sick(
    parameters={"inward": "unreached", "decay": "unreached", "outward": "reached"},
    fix={"greater": "sigmoid"},
)
def spikes_in_a_recurrent_loop():
    """A leaky neuron spikes when its membrane passes one; only the readout of the spikes learns."""
    keras.utils.set_random_seed(2)
    params = {
        "inward": tf.Variable(tf.random.normal([3, 6], stddev=1.5)),
        "decay": tf.Variable(tf.fill([6], 0.9)),
        "outward": tf.Variable(tf.random.normal([6, 2])),
    }
    current = tf.random.normal([10, 5, 3])
    target = tf.random.normal([5, 2])

    def loss(params, current, target):
        membrane = tf.zeros([5, 6])
        total = tf.zeros([5, 6])
        for step in range(10):
            membrane = params["decay"] * membrane + current[step] @ params["inward"]
            spike = tf.cast(membrane > 1.0, tf.float32)  # dies: cut greater
            membrane -= spike
            total += spike
        return tf.reduce_mean(tf.square(total @ params["outward"] - target))

    return loss, params, (current, target)


@sick(
    parameters={"gate.weight": "unreached", "gate.bias": "unreached", "value.weight": "reached"},
    fix={"greater_equal": "sigmoid"},
)
def gate_that_opens_or_shuts():
    """The values flow, the gate that lets them through never learns when to open."""
    keras.utils.set_random_seed(3)
    params = {
        "gate": {"weight": tf.Variable(tf.random.normal([4, 4])), "bias": tf.Variable(tf.zeros([4]))},
        "value": {"weight": tf.Variable(tf.random.normal([4, 4]))},
    }
    x = tf.random.normal([12, 4])

    def loss(params, x):
        opening = tf.nn.sigmoid(x @ params["gate"]["weight"] + params["gate"]["bias"])
        open_now = tf.cast(tf.greater_equal(opening, 0.5), x.dtype)  # dies: cut greater_equal
        return tf.reduce_sum(tf.square(open_now * (x @ params["value"]["weight"])))

    return loss, params, (x,)


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"less": "sigmoid"})
def binary_weights_by_where():
    """Weights become plus and minus one through a where with constant branches."""
    keras.utils.set_random_seed(4)
    params = [tf.Variable(tf.random.normal([5, 3])), tf.Variable(tf.ones([3]))]
    x, y = tf.random.normal([10, 5]), tf.random.normal([10, 3])

    def loss(params, x, y):
        latent, scale = params
        negative = latent < 0.0  # dies: cut less
        binary = tf.where(negative, -tf.ones_like(latent), tf.ones_like(latent))
        return tf.reduce_mean(tf.square(scale * (x @ binary) - y))

    return loss, params, (x, y)


@sick(
    parameters={"kernel": "unreached", "readout": "reached"},
    why_not="counts: the user's rule itself says zero",
)
def custom_gradient_that_says_zero():
    """The author of the step wrote a derivative, and it is the true one: zero."""
    keras.utils.set_random_seed(5)

    @tf.custom_gradient
    def step(x):
        return tf.cast(x > 0.0, x.dtype), lambda upstream: tf.zeros_like(upstream)

    params = {"kernel": tf.Variable(tf.random.normal([3, 7])), "readout": tf.Variable(tf.random.normal([7]))}
    x = tf.random.normal([9, 3])

    def loss(params, x):
        features = step(x @ params["kernel"])  # dies: flat|cut step|custom_gradient|greater
        return tf.reduce_mean(tf.square(tf.linalg.matvec(features, params["readout"]) - 1.0))

    return loss, params, (x,)
