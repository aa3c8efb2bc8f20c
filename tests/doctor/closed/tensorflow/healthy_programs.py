"""Healthy: ordinary programs of many kinds."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import healthy


@healthy(parameters={"bn/linear/bias": ("unreached", "invariant")})
def bias_before_a_batch_norm():
    """The norm subtracts the mean, and with it the bias of the layer before."""
    keras.utils.set_random_seed(91)

    class Normed(keras.Model):
        def __init__(self):
            super().__init__(name="bn")
            self.linear = keras.layers.Dense(4, name="linear")
            self.norm = keras.layers.BatchNormalization(name="norm")
            self.top = keras.layers.Dense(2, name="top")

        def call(self, x, training=False):
            return self.top(keras.activations.silu(self.norm(self.linear(x), training=training)))

    x = tf.random.normal([16, 3])
    model = Normed()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x, training=True) - 1.0))), model, (x,)


@healthy()
def recurrent_network_over_padded_text():
    """An embedding that masks its zeros, a GRU that skips them, a dropout with a seed."""
    keras.utils.set_random_seed(92)
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    vectors = keras.layers.Embedding(30, 4, mask_zero=True, name="words")(tokens)
    state = keras.layers.GRU(3, name="reader")(keras.layers.Dropout(0.2, seed=3, name="noise")(vectors))
    model = keras.Model(tokens, keras.layers.Dense(1, name="mood")(state), name="reading")

    def loss(params, tokens, mood):
        return tf.reduce_mean(keras.losses.binary_crossentropy(mood, params(tokens, training=True), from_logits=True))

    batch = (tf.constant([[3, 8, 2, 0, 0, 0], [9, 1, 4, 7, 5, 0]]), tf.constant([[1.0], [0.0]]))
    return loss, model, batch


@healthy()
def half_precision_with_a_full_precision_head():
    """Weights in float32, the work in bfloat16, the loss in float32: casts between floats are no death."""
    keras.utils.set_random_seed(93)
    params = {"body": tf.Variable(tf.random.normal([4, 4])), "head": tf.Variable(tf.random.normal([4, 2]))}

    def loss(params, x):
        half = tf.cast(x, tf.bfloat16) @ tf.cast(params["body"], tf.bfloat16)
        return tf.reduce_mean(tf.square(tf.cast(tf.nn.gelu(half), tf.float32) @ params["head"] - 1.0))

    return loss, params, (tf.random.normal([8, 4]),)


@healthy()
def soft_gumbel_and_a_logged_choice():
    """The relaxed sample goes on, the hard one is only counted for the log."""
    keras.utils.set_random_seed(94)
    params = {"logits": tf.Variable(tf.random.normal([6, 4])), "value": tf.Variable(tf.random.normal([4, 2]))}
    usage = tf.Variable(tf.zeros([4], tf.int32), trainable=False)

    def loss(params, target):
        noise = -tf.math.log(-tf.math.log(tf.random.stateless_uniform([6, 4], [1, 9], 1e-4, 0.9999)))
        soft = tf.nn.softmax((params["logits"] + noise) / 0.7)
        usage.assign_add(tf.math.bincount(tf.argmax(soft, -1, tf.int32), minlength=4))
        return tf.reduce_mean(tf.square(soft @ params["value"] - target))

    return loss, params, (tf.random.normal([6, 2]),)


@healthy()
def masked_autoencoder_with_a_random_order():
    """argsort of noise says which patches are seen; a learned token stands for the others."""
    keras.utils.set_random_seed(95)
    params = {
        "embed": tf.Variable(tf.random.normal([3, 4])),
        "blank": tf.Variable(tf.random.normal([4])),
        "back": tf.Variable(tf.random.normal([4, 3])),
        "mix": tf.Variable(tf.random.normal([8, 8]) * 0.4),
    }

    def loss(params, patches):
        order = tf.argsort(tf.random.stateless_uniform([2, 8], [4, 2]))
        seen = order[..., None] < 4
        tokens = tf.where(seen, patches @ params["embed"], params["blank"])
        rebuilt = tf.einsum("ts,bsd->btd", params["mix"], tf.nn.relu(tokens)) @ params["back"]
        hidden = tf.cast(~seen, tf.float32)
        return tf.reduce_sum(hidden * tf.square(rebuilt - patches)) / tf.reduce_sum(hidden)

    return loss, params, (tf.random.normal([2, 8, 3]),)


@healthy()
def soft_permutation_by_sinkhorn():
    """Rows and columns are normalised in turn, a fixed number of times, in a while loop."""
    keras.utils.set_random_seed(96)
    params = [tf.Variable(tf.random.normal([5, 5])), tf.Variable(tf.random.normal([5]))]

    def loss(params, wanted):
        def turn(step, log):
            log = log - tf.reduce_logsumexp(log, 0, keepdims=True)
            return step + 1, log - tf.reduce_logsumexp(log, 1, keepdims=True)

        log = tf.while_loop(lambda step, _: step < 5, turn, (0, params[0]))[1]
        return tf.reduce_sum(tf.square(tf.linalg.matvec(tf.exp(log), params[1]) - wanted))

    return loss, params, (tf.range(5.0),)


@healthy(
    parameters={
        "body/dormant": ("unreached", "starved"),
        "extra.0": "unused",
        "constants.table": "frozen",
    }
)
def one_input_column_never_on():
    """A nested tree: weights of a column that is zero in this batch, an unused head, a frozen table."""
    keras.utils.set_random_seed(97)
    params = {
        "body/live": tf.Variable(tf.random.normal([3, 2])),
        "body/dormant": tf.Variable(tf.random.normal([1, 2])),
        "extra": [tf.Variable(tf.zeros([2]))],
        "constants": {"table": tf.Variable(tf.ones([2]), trainable=False)},
    }

    def loss(params, x, flag):
        y = x @ params["body/live"] + flag @ params["body/dormant"]
        return tf.reduce_mean(tf.square(y * params["constants"]["table"] - 1.0))

    return loss, params, (tf.random.normal([6, 3]), tf.zeros([6, 1]))


@healthy()
def curve_of_learned_heights():
    """Which piece of a piecewise linear curve an input is on comes from searchsorted of the input."""
    params = {"heights": tf.Variable([0.1, -0.3, 0.8, 0.4, 1.0]), "tilt": tf.Variable(0.5)}
    knots = tf.linspace(-1.0, 1.0, 5)

    def loss(params, x, y):
        piece = tf.clip_by_value(tf.searchsorted(knots, x) - 1, 0, 3)
        part = (x - tf.gather(knots, piece)) / 0.5
        low, high = tf.gather(params["heights"], piece), tf.gather(params["heights"], piece + 1)
        return tf.reduce_mean(tf.square(low + part * (high - low) + params["tilt"] * x - y))

    return loss, params, (tf.linspace(-0.95, 0.95, 17), tf.sin(tf.linspace(-3.0, 3.0, 17)))


@healthy()
def penalty_on_the_gradient_of_a_critic():
    """A second derivative: the norm of the critic's gradient with respect to its input, by a tape in the loss."""
    keras.utils.set_random_seed(98)
    params = {"first": tf.Variable(tf.random.normal([3, 5])), "second": tf.Variable(tf.random.normal([5]))}

    def loss(params, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.linalg.matvec(tf.tanh(x @ params["first"]), params["second"])
        slope = tape.gradient(score, x)
        return tf.reduce_mean(tf.square(tf.norm(slope, axis=-1) - 1.0))

    return loss, params, (tf.random.normal([6, 3]),)


@healthy()
def plain_tensors_in_a_tree():
    """Parameters that are tensors, not variables, in a dictionary of lists; a reparameterised draw."""
    keras.utils.set_random_seed(99)
    params = {
        "encoder": [tf.random.normal([4, 2]), tf.random.normal([4, 2]) * 0.1],
        "decoder": [tf.random.normal([2, 4])],
    }

    def loss(params, x):
        mean, log_std = (x @ weight for weight in params["encoder"])
        latent = mean + tf.exp(log_std) * tf.random.stateless_normal([7, 2], [2, 2])
        divergence = 0.5 * tf.square(mean) + 0.5 * tf.exp(2.0 * log_std) - log_std
        return tf.reduce_mean(tf.square(latent @ params["decoder"][0] - x)) + 0.1 * tf.reduce_mean(divergence)

    return loss, params, (tf.random.normal([7, 4]),)


@healthy(parameters={"query": ("unreached", "invariant"), "key": ("unreached", "invariant")})
def attention_over_one_key():
    """A softmax over a single entry is one, whatever the entry is: an invariance, not a death."""
    keras.utils.set_random_seed(100)
    params = {name: tf.Variable(tf.random.normal([3, 3])) for name in ("query", "key", "value")}

    def loss(params, x, memory):
        score = tf.einsum("bi,bki->bk", x @ params["query"], memory @ params["key"])
        return tf.reduce_mean(tf.square(tf.einsum("bk,bki->bi", tf.nn.softmax(score), memory @ params["value"]) - x))

    return loss, params, (tf.random.normal([5, 3]), tf.random.normal([5, 1, 3]))
