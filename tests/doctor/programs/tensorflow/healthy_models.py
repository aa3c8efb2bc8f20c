"""Healthy: what ordinary models are full of."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import healthy
from doctor.programs.tensorflow.library import standardise


@healthy()
def classifier_with_its_accuracy_beside_it():
    """Dropout, pooling, relu; the accuracy is computed and kept, not minimised."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", name="convolution"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.3, seed=1, name="drop"),
            layers.Dense(3, name="classes"),
        ],
        name="classifier",
    )
    log = []

    def loss(params, x, y):
        logits = params(x, training=True)
        log.append(tf.reduce_mean(tf.cast(tf.argmax(logits, -1, output_type=tf.int32) == y, tf.float32)))
        return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))

    return loss, model, (tf.random.normal([6, 8, 8, 1]), tf.constant([0, 1, 2, 0, 1, 2]))


@healthy(
    parameters={
        "attend/query/bias": "reached",
        "attend/key/bias": ("unreached", "invariant"),
    }
)
def attention_whose_key_bias_cannot_matter():
    """A bias of the keys adds the same to each score of a row, and the softmax takes it away."""
    keras.utils.set_random_seed(2)
    attention = keras.layers.MultiHeadAttention(2, 4, name="attend")
    tokens = keras.Input((5, 6), name="tokens")
    model = keras.Model(tokens, attention(tokens, tokens), name="transformer")
    query_bias = next(v for v in model.weights if v.path == "attend/query/bias")
    query_bias.assign(tf.random.normal([2, 4]))
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (tf.random.normal([3, 5, 6]),)


@healthy(
    parameters={
        "residual/inner/kernel": ("unreached", "zero_initialised"),
        "residual/inner/bias": ("unreached", "zero_initialised"),
        "residual/zero/kernel": "reached",
    }
)
def residual_block_that_starts_as_the_identity():
    """The last layer of the block is zero at the start: nothing before it learns on the first step."""
    keras.utils.set_random_seed(3)

    class Residual(keras.Model):
        def __init__(self):
            super().__init__(name="residual")
            self.inner = keras.layers.Dense(5, activation="gelu", name="inner")
            self.zero = keras.layers.Dense(4, kernel_initializer="zeros", name="zero")

        def call(self, x):
            return x + self.zero(self.inner(x))

    x = tf.random.normal([7, 4])
    model = Residual()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@healthy(
    parameters={
        "fine/body/kernel": "frozen",
        "fine/body/bias": "frozen",
        "old_head/kernel": "unused",
        "old_head/bias": "unused",
    }
)
def fine_tuning_with_a_frozen_body():
    """The body is frozen, the old head is no longer called, the new head learns; a batch norm keeps its statistics."""
    keras.utils.set_random_seed(4)

    class Fine(keras.Model):
        def __init__(self):
            super().__init__(name="fine")
            self.body = keras.layers.Dense(5, activation="relu", name="body")
            self.body.trainable = False
            self.norm = keras.layers.BatchNormalization(name="norm")
            self.old_head = keras.layers.Dense(10, name="old_head")
            self.head = keras.layers.Dense(2, name="head")
            self.old_head.build((None, 5))

        def call(self, x, training=False):
            return self.head(self.norm(self.body(x), training=training))

    x = tf.random.normal([9, 4])
    model = Fine()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x, training=True) - 1.0))), model, (x,)


@healthy(parameters={"target.weight": "frozen"})
def value_learning_with_a_target_network():
    """The target's values are stopped, its best action is an argmax; the online network learns."""
    keras.utils.set_random_seed(5)
    params = {
        "online": {"weight": tf.Variable(tf.random.normal([4, 3])), "bias": tf.Variable(tf.zeros([3]))},
        "target": {"weight": tf.Variable(tf.random.normal([4, 3]), trainable=False)},
    }

    def loss(params, now, action, reward, after):
        online = params["online"]
        q = tf.gather(now @ online["weight"] + online["bias"], action, axis=1, batch_dims=1)
        best = tf.argmax(after @ online["weight"] + online["bias"], -1)
        ahead = tf.gather(after @ params["target"]["weight"], best, axis=1, batch_dims=1)
        return tf.reduce_mean(tf.square(q - tf.stop_gradient(reward + 0.9 * ahead)))  # stops: stop_gradient

    state = tf.random.normal([2, 9, 4])
    return loss, params, (state[0], tf.constant([0, 1, 2] * 3), tf.random.normal([9]), state[1])


@healthy()
def language_model_with_unused_words():
    """An embedding of which few rows are used, positions by range, a padding mask from the input."""
    keras.utils.set_random_seed(6)
    params = {
        "words": tf.Variable(tf.random.normal([50, 4])),
        "places": tf.Variable(tf.random.normal([6, 4])),
        "out": tf.Variable(tf.random.normal([4, 50])),
    }

    def loss(params, tokens):
        x = tf.gather(params["words"], tokens) + tf.gather(params["places"], tf.range(6))
        real = tf.cast(tf.not_equal(tokens[:, 1:], 0), tf.float32)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], x[:, :-1] @ params["out"])
        return tf.reduce_sum(real * each) / tf.reduce_sum(real)

    tokens = tf.constant([[1, 4, 9, 3, 0, 0], [7, 4, 2, 8, 5, 0], [1, 2, 3, 4, 5, 6]])
    return loss, params, (tokens,)


@healthy()
def norm_made_safe_by_two_wheres():
    """The where inside keeps zero from the root, the one outside puts it back."""
    params = [tf.Variable([[1.0, 2.0], [0.5, 0.0]]), tf.Variable(0.5)]

    def loss(params, points):
        square = tf.reduce_sum(tf.square(points), -1)
        empty = tf.equal(square, 0.0)
        length = tf.where(empty, 0.0, tf.sqrt(tf.where(empty, 1.0, square)))
        return tf.reduce_mean(tf.square(tf.linalg.matvec(params[0], tf.stack([params[1], 1.0])) - length))

    return loss, params, (tf.constant([[3.0, 4.0], [0.0, 0.0]]),)


@healthy()
def recomputed_blocks_over_standardised_input():
    """Activations recomputed in the backward pass, a float64 model, a helper of the user's library."""
    keras.utils.set_random_seed(7)
    params = [tf.Variable(tf.random.normal([3, 3], dtype=tf.float64)) for _ in range(3)]

    def loss(params, x):
        h = standardise(x)
        for weight in params:
            h = tf.recompute_grad(lambda h, weight=weight: tf.tanh(h @ weight))(h)
        return tf.reduce_mean(tf.square(h - 0.5))

    return loss, params, (tf.random.normal([8, 3], dtype=tf.float64),)


@healthy()
def very_small_and_real():
    """A gradient of 1e-18 beside one of 1: small is not zero."""
    params = {"tiny": tf.Variable([1.0, 2.0]), "large": tf.Variable([1.0, 2.0])}

    def loss(params, x):
        return tf.reduce_sum(1e-18 * tf.sin(params["tiny"]) * x) + tf.reduce_sum(tf.square(params["large"] - x))

    return loss, params, (tf.constant([3.0, 4.0]),)
