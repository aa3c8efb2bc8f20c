"""Trees, neighbours, graphs and partitions."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"split": "unreached", "cut": "unreached", "leaf": "reached"},
    why_not="counts: the node's number is an address",
)
def decision_tree_walked_down():
    """At each of three levels a comparison doubles the node's number; the leaf is looked up."""
    keras.utils.set_random_seed(21)
    params = {
        "split": tf.Variable(tf.random.normal([7, 3])),
        "cut": tf.Variable(tf.random.normal([7]) * 0.1),
        "leaf": tf.Variable(tf.random.normal([8])),
    }

    def loss(params, x, y):
        node = tf.zeros([tf.shape(x)[0]], tf.int32)
        for _ in range(3):
            side = tf.reduce_sum(tf.gather(params["split"], node) * x, -1)
            right = tf.cast(side > tf.gather(params["cut"], node), tf.int32)  # dies: cut greater
            node = 2 * node + 1 + right
        return tf.reduce_mean(tf.square(tf.gather(params["leaf"], node - 7) - y))

    return loss, params, (tf.random.normal([20, 3]), tf.random.normal([20]))


class Metric(tf.Module):
    """A learned metric and the values of what is stored."""

    def __init__(self):
        super().__init__(name="metric")
        self.form = tf.Variable(tf.eye(3) + 0.1, name="form")
        self.worth = tf.Variable(tf.range(12, dtype=tf.float32) / 12.0, name="worth")


@sick(parameters={"form": "unreached", "worth": "reached"}, fix={"top_k": "softmax"})
def mean_of_the_nearest_neighbours():
    """The three nearest under a learned metric are averaged: the metric only orders them."""
    keras.utils.set_random_seed(22)

    def loss(params, query, stored, y):
        away = (query[:, None] - stored[None]) @ params.form
        near = tf.math.top_k(-tf.reduce_sum(tf.square(away), -1), 3)  # dies: cut top_k
        return tf.reduce_mean(tf.square(tf.reduce_mean(tf.gather(params.worth, near.indices), -1) - y))

    return loss, Metric(), (tf.random.normal([6, 3]), tf.random.normal([12, 3]), tf.random.normal([6]))


@sick(
    parameters={"place": "unreached", "feature": "reached"},
    fix={"less_equal": "sigmoid"},
)
def messages_along_a_radius_graph():
    """Points are joined when they are near; where they are is learned and never hears of it."""
    keras.utils.set_random_seed(23)
    params = {"place": tf.Variable(tf.random.normal([7, 2])), "feature": tf.Variable(tf.random.normal([7, 3]))}

    def loss(params, target):
        gap = params["place"][:, None] - params["place"][None]
        adjacent = tf.cast(tf.einsum("ijk,ijk->ij", gap, gap) <= 1.0, tf.float32)  # dies: cut less_equal
        degree = tf.reduce_sum(adjacent, 1, keepdims=True)
        return tf.reduce_mean(tf.square(adjacent @ params["feature"] / degree - target))

    return loss, params, (tf.random.normal([7, 3]),)


@sick(
    parameters={"0": "unreached", "1": "reached", "2": "reached"},
    why_not="counts: how many rows go to each side",
)
def rows_dealt_out_to_two_experts():
    """dynamic_partition deals the rows out, dynamic_stitch brings them back."""
    keras.utils.set_random_seed(24)
    params = [tf.Variable(tf.random.normal(shape)) for shape in ([3], [3, 2], [3, 2])]

    @tf.function
    def loss(params, x):
        side = tf.cast(tf.sigmoid(tf.linalg.matvec(x, params[0])) * 2.0, tf.int32)  # dies: cut cast
        rows = tf.dynamic_partition(x, side, 2)
        places = tf.dynamic_partition(tf.range(tf.shape(x)[0]), side, 2)
        answers = [tf.nn.softplus(rows[0] @ params[1]), tf.sin(rows[1] @ params[2])]
        return tf.reduce_mean(tf.square(tf.dynamic_stitch(places, answers) - 1.0))

    return loss, params, (tf.random.normal([12, 3]),)


@sick(
    parameters={
        "early/confidence/kernel": "unreached",
        "early/confidence/bias": "unreached",
        "early/cheap/kernel": "reached",
        "early/cheap/bias": "reached",
        "early/dear/kernel": "reached",
        "early/dear/bias": "reached",
    },
    fix={"greater": "sigmoid"},
)
def early_exit_where_confident():
    """Easy rows leave after the first layer; who is easy is never learned."""
    keras.utils.set_random_seed(25)

    class Early(keras.Model):
        def __init__(self):
            super().__init__(name="early")
            self.cheap = keras.layers.Dense(3, activation="elu", name="cheap")
            self.dear = keras.layers.Dense(3, activation="elu", name="dear")
            self.confidence = keras.layers.Dense(1, activation="sigmoid", name="confidence")

        def call(self, x):
            first = self.cheap(x)
            sure = keras.ops.greater(self.confidence(x), 0.5)  # dies: cut greater
            return keras.ops.where(sure, first, self.dear(first))

    x = tf.random.normal([14, 4])
    model = Early()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - x[:, :3]))), model, (x,)


@sick(
    parameters={"embed": "unreached", "centre": "unreached", "price": "reached"},
    fix={"argmin": "softmax"},
)
def members_of_a_cluster_summed():
    """Points choose their nearest centre, prices are summed by cluster with a segment sum."""
    keras.utils.set_random_seed(26)
    params = {
        "embed": tf.Variable(tf.random.normal([4, 2])),
        "centre": tf.Variable(tf.random.normal([3, 2])),
        "price": tf.Variable(tf.random.normal([15])),
    }

    def loss(params, x, wanted):
        away = tf.norm((x @ params["embed"])[:, None] - params["centre"], axis=-1)
        cluster = keras.ops.argmin(away, axis=-1)  # dies: cut argmin
        return tf.reduce_sum(tf.square(tf.math.unsorted_segment_sum(params["price"], cluster, 3) - wanted))

    return loss, params, (tf.random.normal([15, 4]), tf.ones([3]))


@sick(
    parameters={"attention": "unreached", "content": "reached"},
    why_not="counts: a window's corner is an address",
)
def glimpse_at_the_brightest_place():
    """A window is sliced at the row with the largest attention: dynamic_slice with an integer corner."""
    keras.utils.set_random_seed(27)
    params = {"attention": tf.Variable(tf.random.normal([5])), "content": tf.Variable(tf.random.normal([9, 5]))}

    def loss(params, target):
        salience = tf.linalg.matvec(params["content"], params["attention"])
        corner = keras.ops.argmax(salience[:7])  # dies: cut argmax
        window = tf.slice(params["content"], tf.stack([tf.cast(corner, tf.int32), 0]), [3, 5])
        return tf.reduce_mean(tf.square(window - target))

    return loss, params, (tf.random.normal([3, 5]),)
