"""Draws, and decoding loops that feed a token back."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"policy/logits/kernel": "unreached", "policy/logits/bias": "unreached"},
    fix={"categorical": "softmax"},
)
def reward_of_a_drawn_action():
    """The reward of the action is minimised directly; the draw has no derivative, and no score function was added."""
    keras.utils.set_random_seed(1)
    policy = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="logits")], name="policy")
    rewards = tf.constant([0.0, 1.0, 5.0])

    def loss(params, state):
        logits = params(state)
        action = tf.random.stateless_categorical(logits, 1, [1, 2])[:, 0]  # dies: cut categorical|multinomial
        return -tf.reduce_mean(tf.gather(rewards, action))

    return loss, policy, (tf.random.normal([16, 4]),)


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"less": "sigmoid"})
def stochastic_binary_units():
    """A unit is on when a uniform number falls below its probability."""
    keras.utils.set_random_seed(2)
    params = [tf.Variable(tf.random.normal([4, 6])), tf.Variable(tf.random.normal([6, 1]))]

    def loss(params, x, y):
        probability = tf.sigmoid(x @ params[0])
        uniform = tf.random.stateless_uniform(tf.shape(probability), seed=[3, 4])
        on = tf.cast(uniform < probability, tf.float32)  # dies: cut less
        return tf.reduce_mean(tf.square(on @ params[1] - y))

    return loss, params, (tf.random.normal([12, 4]), tf.random.normal([12, 1]))


@sick(parameters={"logits": "unreached", "table": "reached"}, fix={"argmax": "softmax"})
def gumbel_argmax_without_its_soft_twin():
    """Gumbel noise is added, then the maximum is taken hard: the temperature was forgotten with the softmax."""
    keras.utils.set_random_seed(3)
    params = {"logits": tf.Variable(tf.random.normal([10, 4])), "table": tf.Variable(tf.random.normal([4, 3]))}

    def loss(params, target):
        uniform = tf.random.stateless_uniform([10, 4], seed=[5, 6], minval=1e-6)
        noisy = params["logits"] - tf.math.log(-tf.math.log(uniform))
        hard = tf.one_hot(tf.argmax(noisy, -1), 4)  # dies: cut argmax
        return tf.reduce_mean(tf.square(hard @ params["table"] - target))

    return loss, params, (tf.random.normal([10, 3]),)


@sick(
    parameters={"mean": "unreached", "spread": "unreached", "bias": "reached"},
    why_not="counts: the numbers were drawn outside the framework",
)
def latent_drawn_by_numpy():
    """A variational latent is drawn with numpy: its mean and spread leave the framework."""
    keras.utils.set_random_seed(4)
    params = {"mean": tf.Variable([0.5, -0.5]), "spread": tf.Variable([1.0, 2.0]), "bias": tf.Variable([0.1, 0.2])}

    def loss(params, target):
        random = np.random.RandomState(0)
        mean = params["mean"].numpy()  # dies: cut numpy
        spread = params["spread"].numpy()  # dies: cut numpy
        latent = tf.constant(random.normal(mean, spread, size=(8, 2)), tf.float32)
        return tf.reduce_mean(tf.square(latent + params["bias"] - target))

    return loss, params, (tf.random.normal([8, 2]),)


@sick(
    parameters={"start": "reached", "embed": "reached", "recur": "reached", "vocabulary": "unreached"},
    fix={"argmax": "softmax"},
)
def greedy_decoding_feeds_the_token_back():
    """Each step's best token is embedded as the next input; the layer that scores tokens never learns."""
    keras.utils.set_random_seed(5)
    params = {
        "start": tf.Variable(tf.random.normal([3, 4])),
        "embed": tf.Variable(tf.random.normal([6, 4])),
        "recur": tf.Variable(tf.random.normal([4, 4], stddev=0.5)),
        "vocabulary": tf.Variable(tf.random.normal([4, 6])),
    }

    def loss(params, target):
        state = params["start"]
        for _ in range(4):
            token = tf.argmax(state @ params["vocabulary"], axis=-1)  # dies: cut argmax
            state = tf.tanh(state @ params["recur"] + tf.nn.embedding_lookup(params["embed"], token))
        return tf.reduce_mean(tf.square(state - target))

    return loss, params, (tf.random.normal([3, 4]),)


@sick(
    parameters={"cell/scores/kernel": "unreached", "cell/scores/bias": "unreached", "cell/embed": "reached"},
    fix={"argmax": "softmax"},
)
def decoding_in_a_while_loop():
    """The same loop written with tf.while_loop inside a tf.function: the token is an integer loop variable."""
    keras.utils.set_random_seed(6)

    class Cell(keras.Model):
        def __init__(self):
            super().__init__(name="cell")
            self.scores = keras.layers.Dense(5, name="scores")
            self.embed = self.add_weight(shape=(5, 3), initializer="random_normal", name="embed")

        def call(self, token):
            vector = tf.gather(self.embed, token)
            return vector, tf.argmax(self.scores(vector), -1, output_type=tf.int32)  # dies: cut argmax

    cell = Cell()
    cell(tf.constant([0, 1]))

    @tf.function
    def loss(params, token, target):
        def body(step, token, total):
            vector, token = params(token)
            return step + 1, token, total + vector

        start = (tf.constant(0), token, tf.zeros([4, 3]))
        total = tf.while_loop(lambda step, *_: step < 5, body, start)[2]
        return tf.reduce_mean(tf.square(total - target))

    return loss, cell, (tf.constant([0, 1, 2, 3]), tf.random.normal([4, 3]))
