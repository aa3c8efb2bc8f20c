"""Choices made hard: experts, branches, addresses."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick
from doctor.programs.tensorflow.library import first_choice


@sick(
    parameters={"moe/router/kernel": "unreached", "moe/router/bias": "unreached", "moe/experts": "reached"},
    fix={"argmax": "softmax"},
)
def one_expert_per_token():
    """The router's index picks an expert's output by gather: the router stays as it was drawn."""
    keras.utils.set_random_seed(1)

    class Mixture(keras.Model):
        def __init__(self):
            super().__init__(name="moe")
            self.router = keras.layers.Dense(3, name="router")
            self.experts = self.add_weight(shape=(3, 4, 2), initializer="random_normal", name="experts")

        def call(self, x):
            choice = tf.argmax(self.router(x), axis=-1)  # dies: cut argmax
            outputs = tf.einsum("bi,eio->beo", x, self.experts)
            return tf.gather(outputs, choice, axis=1, batch_dims=1)

    x = tf.random.normal([24, 4])
    model = Mixture()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 1.0))), model, (x,)


@sick(parameters={"router": "unreached", "experts": "reached"}, fix={"top_k": "softmax"})
def two_of_four_experts_as_a_mask():
    """The two best experts are averaged with equal weights: the scores are forgotten."""
    keras.utils.set_random_seed(2)
    params = {"router": tf.Variable(tf.random.normal([5, 4])), "experts": tf.Variable(tf.random.normal([4, 5]))}
    x = tf.random.normal([20, 5])

    def loss(params, x):
        scores = x @ params["router"]
        _, indices = tf.math.top_k(scores, k=2)  # dies: cut top_k
        mask = tf.reduce_sum(tf.one_hot(indices, 4), axis=1)
        outputs = tf.tanh(x @ tf.transpose(params["experts"]))
        return tf.reduce_mean(tf.square(tf.reduce_sum(mask * outputs, -1) / 2.0 - 0.3))

    return loss, params, (x,)


@sick(
    parameters={
        "encode/kernel": "unreached",
        "encode/bias": "unreached",
        "words/embeddings": "reached",
        "decode/kernel": "reached",
        "decode/bias": "reached",
    },
    fix={"argmax": "softmax"},
)
def message_in_one_word():
    """A speaker names what it sees by one word, the listener looks the word up."""
    keras.utils.set_random_seed(3)
    seen = keras.Input((6,), name="seen")
    scores = keras.layers.Dense(4, name="encode")(seen)
    word = keras.layers.Lambda(lambda s: tf.argmax(s, axis=-1), output_shape=())(scores)  # dies: cut argmax
    heard = keras.layers.Embedding(4, 5, name="words")(word)
    model = keras.Model(seen, keras.layers.Dense(6, name="decode")(heard), name="talk")
    x = tf.random.normal([16, 6])

    def loss(params, x):
        return keras.losses.mean_squared_error(tf.reshape(x, [-1]), tf.reshape(params(x), [-1]))

    return loss, model, (x,)


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"argmax": "softmax"})
def ones_scattered_at_the_winners():
    """An assignment matrix is built by scattering ones at the winners' addresses."""
    keras.utils.set_random_seed(4)
    params = [tf.Variable(tf.random.normal([6, 3])), tf.Variable(tf.random.normal([3]))]

    def loss(params, target):
        scores, worth = params
        columns = tf.math.argmax(scores, axis=1, output_type=tf.int32)  # dies: cut argmax
        addresses = tf.stack([tf.range(6), columns], axis=1)
        assignment = tf.scatter_nd(addresses, tf.ones([6]), [6, 3])
        return tf.reduce_sum(tf.square(tf.linalg.matvec(assignment, worth) - target))

    return loss, params, (tf.random.normal([6]),)


@sick(
    parameters={"policy": "unreached", "gain": "reached"},
    why_not="counts: the index chooses which branch runs, no value carries it",
)
def branch_chosen_by_a_score():
    """Three ways to transform the input; a score says which one is run."""
    keras.utils.set_random_seed(5)
    params = {"policy": tf.Variable(tf.random.normal([4, 3])), "gain": tf.Variable([0.5, 1.5, -1.0, 2.0])}
    x = tf.random.normal([8, 4])

    @tf.function
    def loss(params, x):
        scores = tf.reduce_mean(x @ params["policy"], axis=0)
        branch = tf.argmax(scores, output_type=tf.int32)  # dies: cut argmax
        scaled = params["gain"] * x
        result = tf.switch_case(branch, [lambda: scaled, lambda: tf.square(scaled), lambda: tf.sin(scaled)])
        return tf.reduce_mean(tf.square(result - 1.0))

    return loss, params, (x,)


@sick(
    parameters={"scorer": "unreached", "values": "reached"},
    fix={"argmax": "softmax"},
    elsewhere=(first_choice,),
)
def choice_made_in_a_helper_module():
    """The death is in another file of the user's project."""
    keras.utils.set_random_seed(6)
    params = {"scorer": tf.Variable(tf.random.normal([3, 5])), "values": tf.Variable(tf.random.normal([5, 2]))}
    x = tf.random.normal([14, 3])

    def loss(params, x):
        picked = first_choice(x @ params["scorer"])
        return tf.reduce_mean(tf.square(picked @ params["values"] - x[:, :2]))

    return loss, params, (x,)
