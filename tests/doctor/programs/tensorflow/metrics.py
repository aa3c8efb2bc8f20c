"""Metrics taken for losses, masks, ranks, boxes and particles."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"classify/out/kernel": "unreached", "classify/out/bias": "unreached"},
    fix={"argmax": "softmax"},
)
def error_rate_as_a_loss():
    """One minus the accuracy is what one wants, and it has no gradient."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="out")], name="classify")

    def loss(params, x, label):
        predicted = tf.argmax(params(x), axis=-1)  # dies: cut argmax
        return 1.0 - tf.reduce_mean(tf.cast(predicted == label, tf.float32))

    return loss, model, (tf.random.normal([30, 5]), tf.constant([0, 1, 2] * 10, tf.int64))


@sick(
    parameters={"0": "unreached", "1": "unreached"},
    fix={"greater": "sigmoid"},
)
def f_score_at_a_threshold():
    """The F score of thresholded probabilities; only the threshold's comparison stands in the way."""
    keras.utils.set_random_seed(2)
    params = [tf.Variable(tf.random.normal([4, 1])), tf.Variable(tf.zeros([1]))]

    def loss(params, x, y):
        probability = tf.sigmoid(tf.squeeze(x @ params[0] + params[1], -1))
        positive = tf.cast(tf.math.greater(probability, 0.5), tf.float32)  # dies: cut greater
        hits = tf.reduce_sum(positive * y)
        return 1.0 - 2.0 * hits / (tf.reduce_sum(positive) + tf.reduce_sum(y) + 1e-6)

    return loss, params, (tf.random.normal([20, 4]), tf.cast(tf.range(20) % 2, tf.float32))


@sick(
    parameters={"kernel": "unreached"},
    why_not="counts: a rank is the number of smaller entries",
)
def rank_correlation():
    """Spearman's coefficient by sorting twice: the first sort ends the gradient."""
    keras.utils.set_random_seed(3)
    params = {"kernel": tf.Variable(tf.random.normal([3]))}

    def loss(params, x, rank):
        score = tf.linalg.matvec(x, params["kernel"])
        order = tf.argsort(score)  # dies: cut argsort|sort|top_k
        mine = tf.cast(tf.argsort(order), tf.float32)
        return tf.reduce_mean(tf.square(mine - rank)) / 100.0

    return loss, params, (tf.random.normal([12, 3]), tf.range(12, dtype=tf.float32))


@sick(
    parameters={"weight": "partly_reached", "threshold": "unreached"},
    fix={"greater": "sigmoid"},
)
def magnitude_pruning_with_a_learned_threshold():
    """Small weights are set to zero and get nothing back; the threshold itself is only ever compared."""
    keras.utils.set_random_seed(4)
    params = {"weight": tf.Variable(tf.random.normal([4, 4])), "threshold": tf.Variable(0.6)}

    def loss(params, x):
        keep = tf.cast(tf.abs(params["weight"]) > params["threshold"], tf.float32)  # dies: cut greater
        return tf.reduce_mean(tf.square(x @ (params["weight"] * keep) - x))

    return loss, params, (tf.random.normal([8, 4]),)


@sick(
    parameters={"masks": "unreached"},
    fix={"greater": "sigmoid"},
)
def supermask_over_frozen_weights():
    """Only scores of a mask are learned, over random weights: the strong lottery ticket."""
    keras.utils.set_random_seed(5)
    params = {"masks": tf.Variable(tf.random.normal([4, 3]))}
    frozen = tf.random.normal([4, 3])

    def loss(params, x, y):
        cut_off = tf.reduce_mean(params["masks"])
        kept = tf.where(params["masks"] > cut_off, frozen, 0.0)  # dies: cut greater
        return tf.reduce_mean(tf.square(x @ kept - y))

    return loss, params, (tf.random.normal([9, 4]), tf.random.normal([9, 3]))


@sick(
    parameters={"boxes": "reached", "scores": "unreached"},
    why_not="counts: a box is in the list or it is not",
)
def boxes_left_by_a_score_threshold():
    """Boxes above a score survive, then the non-maximum suppression; the scores are gone from what is left."""
    keras.utils.set_random_seed(6)
    corner = tf.random.uniform([10, 2], maxval=3.0)
    params = {"boxes": tf.Variable(tf.concat([corner, corner + 1.0], 1)), "scores": tf.Variable(tf.random.normal([10]))}

    def loss(params, truth):
        confident = tf.sigmoid(params["scores"]) > 0.4  # dies: cut greater
        boxes = tf.boolean_mask(params["boxes"], confident)
        scores = tf.boolean_mask(params["scores"], confident)
        kept = tf.image.non_max_suppression(boxes, scores, 4)  # dies: cut non_max_suppression|nonmaxsuppression
        return tf.reduce_mean(tf.square(tf.gather(boxes, kept) - truth))

    return loss, params, (tf.constant([0.0, 0.0, 1.0, 1.0]),)


@sick(
    parameters={"position": "unreached", "field": "reached"},
    fix={"floor": "identity", "cast": "identity"},
)
def field_at_the_nearest_cell():
    """Particles read a field at their cell: the cell's number is a floor and a cast."""
    keras.utils.set_random_seed(7)
    params = {"position": tf.Variable(tf.random.uniform([6], maxval=8.0)), "field": tf.Variable(tf.random.normal([8]))}

    def loss(params, target):
        below = tf.floor(params["position"])  # dies: flat floor
        cell = tf.cast(below, tf.int32)  # dies: cut cast
        return tf.reduce_sum(tf.square(tf.gather(params["field"], cell) - target))

    return loss, params, (tf.zeros([6]),)


@sick(
    parameters={"restitution": "reached", "wall": "unreached", "speed": "reached"},
    fix={"less": "sigmoid"},
)
def ball_against_a_wall():
    """Where the ball is past the wall its speed is turned round; when it is past has no derivative."""
    keras.utils.set_random_seed(8)
    params = {"restitution": tf.Variable(0.8), "wall": tf.Variable(-0.25), "speed": tf.Variable([-1.0, -2.0, -0.1])}

    def loss(params, goal):
        height, speed = tf.ones([3]), params["speed"]
        for _ in range(12):
            height = height + 0.1 * speed
            beyond = tf.less(height, params["wall"])  # dies: cut less
            speed = tf.where(beyond, params["restitution"] * tf.abs(speed), speed)
        return tf.reduce_mean(tf.square(height - goal))

    return loss, params, (tf.constant([0.5, 0.5, 0.5]),)


@sick(
    parameters={"drift": "reached", "sensor": "unreached"},
    why_not="counts: the number of copies of a particle",
)
def particles_resampled():
    """Systematic resampling: weights become copies, and the sensor model that weighs is cut off."""
    keras.utils.set_random_seed(9)
    params = {"drift": tf.Variable(0.2), "sensor": tf.Variable(1.5)}

    def loss(params, particles, observed, truth):
        moved = particles + params["drift"]
        weight = tf.nn.softmax(-tf.square(moved - observed) * params["sensor"])
        ladder = (tf.range(16, dtype=tf.float32) + 0.5) / 16.0
        chosen = tf.searchsorted(tf.cumsum(weight), ladder)  # dies: cut searchsorted
        return tf.square(tf.reduce_mean(tf.gather(moved, tf.minimum(chosen, 15))) - truth)

    return loss, params, (tf.random.normal([16]), tf.constant(0.5), tf.constant(1.0))


@sick(
    parameters={"query": "unreached", "key": "unreached", "value": "reached"},
    fix={"greater_equal": "sigmoid"},
)
def attention_by_threshold():
    """Each token attends equally to all whose score passes a threshold."""
    keras.utils.set_random_seed(10)
    params = {name: tf.Variable(tf.random.normal([4, 4])) for name in ("query", "key", "value")}

    def loss(params, x):
        score = (x @ params["query"]) @ tf.transpose(x @ params["key"])
        attended = tf.cast(score >= 0.0, tf.float32)  # dies: cut greater_equal
        weight = attended / (tf.reduce_sum(attended, -1, keepdims=True) + 1e-6)
        return tf.reduce_mean(tf.square(weight @ (x @ params["value"]) - x))

    return loss, params, (tf.random.normal([7, 4]),)
