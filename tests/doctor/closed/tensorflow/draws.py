"""Counts, chains and strings that are drawn or decoded."""

from __future__ import annotations

import keras
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"rate/log/kernel": "unreached", "rate/log/bias": "unreached", "rate/mark": "reached"},
    why_not="counts: a Poisson number is a count",
)
def photons_counted():
    """A detector counts photons; the rate that a network predicts is only used to draw."""
    keras.utils.set_random_seed(31)

    class Rate(keras.Model):
        def __init__(self):
            super().__init__(name="rate")
            self.log = keras.layers.Dense(2, name="log")
            self.mark = self.add_weight(shape=(2,), initializer="ones", name="mark")

        def call(self, x):
            rate = tf.exp(self.log(x)) + 1.0
            count = tf.random.stateless_poisson([8, 2], [1, 2], rate)  # dies: cut|flat poisson|stateless_poisson
            return self.mark * count

    x = tf.random.normal([8, 3])
    model = Rate()
    model(x)
    return (lambda params, x: tf.reduce_mean(tf.square(params(x) - 3.0))), model, (x,)


@sick(
    parameters={"temperature": "unreached", "step": "reached", "start": "reached"},
    fix={"less": "sigmoid"},
)
def metropolis_with_a_learned_temperature():
    """A chain accepts or stays; the temperature is only in the test of acceptance."""
    start = tf.Variable(tf.linspace(-2.0, 2.0, 9))
    params = {"temperature": tf.Variable(1.0), "step": tf.Variable(0.7), "start": start}

    @tf.function
    def loss(params):
        def move(turn, x):
            proposal = x + params["step"] * tf.random.stateless_normal([9], tf.stack([turn, 3]))
            odds = tf.exp((tf.square(x) - tf.square(proposal)) / params["temperature"])
            accept = tf.random.stateless_uniform([9], tf.stack([turn, 4])) < odds  # dies: cut less
            return turn + 1, tf.where(accept, proposal, x)

        return tf.reduce_mean(tf.square(tf.while_loop(lambda turn, _: turn < 6, move, (0, params["start"]))[1] - 1.0))

    return loss, params, ()


@sick(
    parameters={"acoustic": "unreached"},
    why_not="counts: an edit distance counts edits",
)
def edit_distance_of_a_transcript():
    """The greedy CTC transcript is compared with the truth by edit distance."""
    keras.utils.set_random_seed(32)
    params = {"acoustic": tf.Variable(tf.random.normal([4, 6]))}

    def loss(params, sound, truth):
        logits = tf.transpose(sound @ params["acoustic"], [1, 0, 2])
        best = tf.nn.ctc_greedy_decoder(logits, [8, 8])  # dies: cut ctc_greedy_decoder|ctcgreedydecoder
        return tf.reduce_mean(tf.edit_distance(best[0][0], tf.sparse.from_dense(truth)))

    return loss, params, (tf.random.normal([2, 8, 4]), tf.constant([[1, 2, 3], [4, 4, 2]], tf.int64))


@sick(
    parameters={"lexicon": "reached", "score": "unreached"},
    why_not="counts: back-pointers of a beam are addresses",
)
def beam_search_of_width_two():
    """Two hypotheses are kept at each step; the score that keeps them is thrown away at the end."""
    keras.utils.set_random_seed(33)
    params = {"lexicon": tf.Variable(tf.random.normal([5, 3])), "score": tf.Variable(tf.random.normal([3, 5]))}

    def loss(params, target):
        state, total = tf.ones([2, 3]) * [[0.1], [0.2]], tf.zeros([2])
        for _ in range(3):
            extended = tf.reshape(total[:, None] + tf.nn.log_softmax(state @ params["score"]), [-1])
            total, flat = tf.math.top_k(extended, 2)  # dies: cut top_k
            parent, word = flat // 5, flat % 5
            state = 0.5 * tf.gather(state, parent) + tf.nn.embedding_lookup(params["lexicon"], word)
        return tf.reduce_mean(tf.square(state[0] - target))

    return loss, params, (tf.random.normal([3]),)


@sick(
    parameters={"keep": "unreached", "weight": "reached"},
    fix={"floor": "identity"},
)
def dropout_with_a_learned_rate():
    """The old spelling of dropout: floor of a uniform number plus the probability of keeping."""
    keras.utils.set_random_seed(34)
    params = {"keep": tf.Variable(tf.zeros([6])), "weight": tf.Variable(tf.random.normal([6]))}

    def loss(params, x):
        uniform = tf.random.stateless_uniform(tf.shape(x), [7, 8])
        kept = tf.math.floor(uniform + tf.sigmoid(params["keep"]))  # dies: flat floor
        return tf.reduce_mean(tf.square(tf.linalg.matvec(x * kept, params["weight"]) - 1.0))

    return loss, params, (tf.random.normal([10, 6]),)


@sick(
    parameters={"amount": "unreached", "tax": "reached"},
    why_not="counts: printed and read again",
)
def price_printed_and_read_again():
    """A price goes through a string with two decimals."""
    params = {"amount": tf.Variable([3.14159, 2.71828]), "tax": tf.Variable(0.19)}

    def loss(params, paid):
        label = tf.strings.as_string(params["amount"], precision=2)  # dies: cut as_string|asstring
        price = tf.strings.to_number(label)
        return tf.reduce_sum(tf.square(price * (1.0 + params["tax"]) - paid))

    return loss, params, (tf.constant([4.0, 3.0]),)
