"""Scores of rankings, segmentations and forecasts; simulations with events."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(parameters={"relevance": "unreached"}, why_not="counts: a place in a list")
def discounted_gain_of_a_list():
    """NDCG: gains are gathered in the order of the scores; only the order depends on them."""
    keras.utils.set_random_seed(51)
    params = {"relevance": tf.Variable(tf.random.normal([4]))}

    def loss(params, documents, gain):
        score = tf.linalg.matvec(documents, params["relevance"])
        order = keras.ops.flip(keras.ops.argsort(score, axis=-1), axis=-1)  # dies: cut argsort|sort|top_k
        discount = tf.math.log(2.0) / tf.math.log(tf.range(2.0, 10.0))
        return -tf.reduce_mean(tf.reduce_sum(tf.gather(gain, order, axis=1, batch_dims=1) * discount, -1))

    return loss, params, (tf.random.normal([3, 8, 4]), tf.random.uniform([3, 8]))


@sick(
    parameters={
        "rater/hidden/kernel": "unreached",
        "rater/hidden/bias": "unreached",
        "rater/score/kernel": "unreached",
    },
    fix={"greater": "sigmoid"},
)
def area_under_the_curve():
    """The share of pairs in the right order is what the curve's area is: a mean of comparisons."""
    keras.utils.set_random_seed(52)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="tanh", name="hidden"),
            keras.layers.Dense(1, use_bias=False, name="score"),
        ],
        name="rater",
    )

    def loss(params, good, bad):
        pairs = tf.math.greater(params(good), tf.transpose(params(bad)))  # dies: cut greater
        return 1.0 - tf.reduce_mean(tf.cast(pairs, tf.float32))

    return loss, model, (tf.random.normal([6, 3]) + 0.5, tf.random.normal([5, 3]))


@sick(parameters={"paint": "unreached"}, why_not="counts: a table of confusions")
def overlap_from_a_table_of_confusions():
    """The mean overlap of a segmentation, from the matrix of confusions of its labels."""
    keras.utils.set_random_seed(53)
    params = {"paint": tf.Variable(tf.random.normal([1, 1, 2, 3]))}

    def loss(params, image, label):
        painted = keras.ops.conv(image, params["paint"])
        guess = tf.math.argmax(painted, axis=3)  # dies: cut argmax
        table = tf.math.confusion_matrix(tf.reshape(label, [-1]), tf.reshape(guess, [-1]), 3, dtype=tf.float32)
        both = tf.linalg.diag_part(table)
        return 1.0 - tf.reduce_mean(both / (tf.reduce_sum(table, 0) + tf.reduce_sum(table, 1) - both + 1.0))

    return loss, params, (tf.random.normal([1, 6, 6, 2]), tf.reshape(tf.range(36) % 3, [1, 6, 6]))


@sick(
    parameters={"forecast/low/kernel": "unreached", "forecast/high/kernel": "unreached"},
    fix={"greater_equal": "sigmoid", "less_equal": "sigmoid"},
)
def coverage_of_an_interval():
    """How often the truth lies between two predicted quantiles, compared with nine in ten."""
    keras.utils.set_random_seed(54)

    class Forecast(keras.Model):
        def __init__(self):
            super().__init__(name="forecast")
            self.low = keras.layers.Dense(1, use_bias=False, name="low")
            self.high = keras.layers.Dense(1, use_bias=False, name="high")

        def call(self, x):
            return self.low(x) - 1.0, self.high(x) + 1.0

    x = tf.random.normal([20, 3])
    model = Forecast()
    model(x)

    def loss(params, x, y):
        lo, hi = params(x)
        covered = (y >= lo) & (y <= hi)  # dies: cut greater_equal # dies: cut less_equal
        return tf.square(tf.reduce_mean(tf.cast(covered, tf.float32)) - 0.9)

    return loss, model, (x, tf.random.normal([20, 1]))


@sick(
    parameters={"tags": "unreached", "offset": "unreached"},
    fix={"greater": "sigmoid"},
)
def a_keras_metric_as_the_loss():
    """Binary accuracy from the metrics' shelf is handed to the optimiser."""
    keras.utils.set_random_seed(55)
    params = {"tags": tf.Variable(tf.random.normal([4, 3])), "offset": tf.Variable(tf.zeros([3]))}

    def loss(params, x, y):
        probability = tf.sigmoid(x @ params["tags"] + params["offset"])
        right = keras.metrics.binary_accuracy(y, probability)  # dies: cut greater|binary_accuracy
        return -tf.reduce_mean(right)

    return loss, params, (tf.random.normal([10, 4]), tf.cast(tf.random.uniform([10, 3]) > 0.5, tf.float32))


@sick(
    parameters={"speed": "reached", "friction": "reached"},
    fix={"sign": "clipped_identity"},
)
def sledge_with_dry_friction():
    """Dry friction has the sign of the speed: one of two ways from the speed to the end is dead, the other is alive."""
    params = {"speed": tf.Variable([3.0, -2.0]), "friction": tf.Variable(0.3)}

    @tf.function
    def loss(params, goal):
        place, speed = tf.zeros([2]), params["speed"] * 1.0
        for _ in tf.range(8):
            speed = speed - 0.1 * params["friction"] * tf.sign(speed)  # dies: flat sign
            place = place + 0.1 * speed
        return tf.reduce_sum(tf.square(place - goal))

    return loss, params, (tf.constant([2.0, -2.0]),)


@sick(parameters={"radius": "unreached", "colour": "reached"}, fix={"less": "sigmoid"})
def silhouette_of_a_sphere():
    """Rays march to a sphere; a pixel is lit where the distance fell below a bound."""
    params = {"radius": tf.Variable(0.6), "colour": tf.Variable([0.9, 0.4, 0.1])}
    pixel = tf.stack(tf.meshgrid(tf.linspace(-1.0, 1.0, 7), tf.linspace(-1.0, 1.0, 7)), -1)

    def loss(params, photo):
        def march(depth, _):
            eye = tf.concat([pixel, (depth - 2.0)[..., None]], -1)
            return depth + tf.norm(eye, axis=-1) - params["radius"]

        depth = tf.foldl(march, tf.range(12), initializer=tf.zeros([7, 7]))
        last = tf.norm(tf.concat([pixel, (depth - 2.0)[..., None]], -1), axis=-1) - params["radius"]
        lit = tf.where(last < 1e-2, 1.0, 0.0)  # dies: cut less
        return tf.reduce_mean(tf.square(lit[..., None] * params["colour"] - photo))

    return loss, params, (tf.ones([7, 7, 3]) * 0.5,)


@sick(
    parameters={"step": "reached", "span": "unreached"},
    why_not="counts: how many turns a loop takes",
)
def number_of_steps_from_a_learned_time():
    """The time span divided by the step is cast to a number of turns."""
    params = {"step": tf.Variable(0.11), "span": tf.Variable(1.0)}

    @tf.function
    def loss(params, goal):
        turns = tf.cast(params["span"] / params["step"], tf.int32)  # dies: cut cast
        x = tf.constant(1.0)
        for _ in tf.range(turns):
            x = x - params["step"] * x
        return tf.square(x - goal)

    return loss, params, (tf.constant(0.2),)
