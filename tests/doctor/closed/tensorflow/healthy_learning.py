"""Healthy: programs with hard things in them that do learn."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import straightthrough as ste
from doctor.catalogue import healthy


@healthy()
def rounding_with_grad_pass_through():
    """TensorFlow's own straight-through: tf.grad_pass_through around the rounding."""
    keras.utils.set_random_seed(81)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="before"),
            keras.layers.Lambda(lambda h: tf.grad_pass_through(tf.round)(4.0 * h) / 4.0, name="levels"),
            keras.layers.Dense(1, name="after"),
        ],
        name="passing",
    )
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (tf.random.normal([9, 3]),)


@healthy()
def identity_gradient_around_a_cast():
    """A custom gradient whose backward pass hands on what came, around a cast to an integer and back."""
    keras.utils.set_random_seed(82)

    @tf.custom_gradient
    def eight_bits(x):
        low = tf.cast(tf.clip_by_value(tf.round(x), -128.0, 127.0), tf.int8)
        return tf.cast(low, x.dtype), lambda upstream: upstream

    params = {"kernel": tf.Variable(tf.random.normal([3, 4]) * 20.0), "gain": tf.Variable(0.05)}

    @tf.function
    def loss(params, x):
        return tf.reduce_mean(tf.square(params["gain"] * eight_bits(x @ params["kernel"]) - 0.5))

    return loss, params, (tf.random.normal([6, 3]),)


@healthy()
def choice_and_step_from_the_library():
    """Our own one_hot_argmax and greater in a tf.function."""
    keras.utils.set_random_seed(83)
    params = [
        tf.Variable(tf.random.normal([4, 3]) * 0.5),
        tf.Variable(tf.zeros([3])),
        tf.Variable(tf.random.normal([3])),
    ]

    @tf.function
    def loss(params, x):
        scores, threshold, worth = params
        mask = ste.greater(x @ scores, threshold, proxy="sigmoid")
        pick = ste.one_hot_argmax(x @ scores, proxy="softmax")
        return tf.reduce_mean(tf.square(tf.linalg.matvec(mask + pick, worth) - 1.0))

    return loss, params, (tf.random.normal([12, 4]),)


@healthy()
def score_function_of_a_drawn_action():
    """REINFORCE: the draw has no derivative, the logarithm of its probability has."""
    keras.utils.set_random_seed(84)
    params = {"policy": tf.Variable(tf.random.normal([4, 3])), "baseline": tf.Variable(tf.random.normal([4]))}

    def loss(params, state, reward):
        logits = state @ params["policy"]
        action = tf.random.stateless_categorical(logits, 1, [5, 5])[:, 0]
        won = tf.gather(reward, action, axis=1, batch_dims=1)
        guess = tf.linalg.matvec(state, params["baseline"])
        better = tf.stop_gradient(won - guess)  # stops: stop_gradient
        policy = tf.nn.sparse_softmax_cross_entropy_with_logits(action, logits)
        return tf.reduce_mean(better * policy) + tf.reduce_mean(tf.square(won - guess))

    return loss, params, (tf.random.normal([10, 4]), tf.random.normal([10, 3]))


@healthy()
def sets_matched_outside_the_framework():
    """Which box belongs to which truth is decided in numpy; the distances that count are live."""
    keras.utils.set_random_seed(85)
    params = {"query": tf.Variable(tf.random.normal([4, 3])), "box": tf.Variable(tf.random.normal([3, 2]))}

    def match(cost):
        order = []
        for row in cost.T:
            order.append(next(i for i in np.argsort(row) if i not in order))
        return np.asarray(order, "int64")

    def loss(params, truth):
        boxes = params["query"] @ params["box"]
        cost = tf.reduce_sum(tf.square(boxes[:, None] - truth[None]), -1)
        chosen = tf.numpy_function(match, [tf.stop_gradient(cost)], tf.int64)  # stops: stop_gradient
        return tf.reduce_mean(tf.square(tf.gather(boxes, tf.ensure_shape(chosen, [4])) - truth))

    return loss, params, (tf.random.normal([4, 2]),)


@healthy()
def image_sampled_at_learned_places():
    """Bilinear sampling: the corner is floored, the weights of the four corners are not."""
    keras.utils.set_random_seed(86)
    params = {"place": tf.Variable(tf.random.uniform([5, 2], 0.2, 2.8)), "image": tf.Variable(tf.random.normal([4, 4]))}

    def loss(params, wanted):
        corner = tf.stop_gradient(tf.floor(params["place"]))  # stops: stop_gradient
        part = params["place"] - corner
        total = tf.zeros([5])
        for i in (0, 1):
            for j in (0, 1):
                at = tf.cast(corner, tf.int32) + tf.constant([i, j])
                weight = tf.abs(1.0 - i - part[:, 0]) * tf.abs(1.0 - j - part[:, 1])
                total += weight * tf.gather_nd(params["image"], at)
        return tf.reduce_mean(tf.square(total - wanted))

    return loss, params, (tf.ones([5]),)


@healthy()
def clipped_policy_with_few_outside():
    """The clipped surrogate objective: some ratios are outside, most are not."""
    keras.utils.set_random_seed(87)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="actor")], name="agent")

    def loss(params, state, action, before, advantage):
        now = tf.gather(tf.nn.log_softmax(params(state)), action, axis=1, batch_dims=1)
        ratio = tf.exp(now - before)
        clipped = tf.clip_by_value(ratio, 0.8, 1.2)
        return -tf.reduce_mean(tf.minimum(ratio * advantage, clipped * advantage))

    state, action = tf.random.normal([15, 4]), tf.constant([0, 1, 2] * 5)
    before = tf.gather(tf.nn.log_softmax(model(state)), action, axis=1, batch_dims=1) + 0.1 * tf.random.normal([15])
    return loss, model, (state, action, before, tf.random.normal([15]))
