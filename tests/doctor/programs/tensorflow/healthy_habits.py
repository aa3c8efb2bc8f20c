"""Healthy: habits that look like deaths: guards, logs, masks, regularisers."""

from __future__ import annotations

import keras
import tensorflow as tf

import straightthrough as ste
from doctor.catalogue import healthy


@healthy()
def causal_attention_with_minus_infinity():
    """The upper triangle is minus infinity; each row keeps at least itself."""
    keras.utils.set_random_seed(1)
    params = {name: tf.Variable(tf.random.normal([4, 4])) for name in ("query", "key", "value", "out")}

    def loss(params, x):
        score = tf.matmul(x @ params["query"], x @ params["key"], transpose_b=True) / 2.0
        past = tf.linalg.band_part(tf.ones([6, 6], tf.bool), -1, 0)
        weight = tf.nn.softmax(tf.where(past, score, -float("inf")))
        return tf.reduce_mean(tf.square(weight @ (x @ params["value"]) @ params["out"] - x))

    return loss, params, (tf.random.normal([2, 6, 4]),)


@healthy()
def fake_quantisation_of_the_framework():
    """TensorFlow's own fake quantisation hands the gradient on inside its range, and to the range from outside."""
    keras.utils.set_random_seed(2)
    params = {
        "weight": tf.Variable(tf.random.normal([5, 5])),
        "low": tf.Variable(-1.0),
        "high": tf.Variable(1.0),
    }

    def loss(params, x):
        levels = tf.quantization.fake_quant_with_min_max_vars(params["weight"], params["low"], params["high"], 4)
        return tf.reduce_mean(tf.square(x @ levels - 2.0 * x))

    return loss, params, (tf.random.normal([8, 5]),)


@healthy()
def numbers_written_to_a_log():
    """Eager code that prints floats, appends numpy arrays and counts what is right, all beside the loss."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="unit")], name="logistic")
    history = {"accuracy": [], "logit": [], "size": []}

    def loss(params, x, y):
        logit = params(x)
        history["accuracy"].append(float(tf.reduce_mean(tf.cast((logit > 0.0) == (y > 0.5), tf.float32))))
        history["logit"].append(logit.numpy())
        history["size"].append(int(tf.math.count_nonzero(params.layers[0].kernel)))
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, logit))

    return loss, model, (tf.random.normal([10, 3]), tf.cast(tf.random.uniform([10, 1]) > 0.4, tf.float32))


@healthy()
def guards_and_assertions():
    """A positive parameter is asserted, a nan is looked for, a bound is looked at; nothing of it is in the loss."""
    keras.utils.set_random_seed(4)
    params = {"scale": tf.Variable(0.8), "shift": tf.Variable(-0.1)}

    @tf.function
    def loss(params, x):
        tf.debugging.assert_greater(params["scale"], 0.0)
        y = tf.debugging.check_numerics(params["scale"] * x + params["shift"], "y")
        if tf.reduce_any(tf.abs(y) > 100.0):
            tf.print("large")
        safe = tf.where(tf.math.is_finite(y), y, tf.zeros_like(y))
        return tf.reduce_mean(tf.square(safe - 1.0))

    return loss, params, (tf.random.normal([6]),)


@healthy()
def balanced_experts():
    """Top-2 routing with live gates and a balance loss in which the counts are hard and the probabilities are not."""
    keras.utils.set_random_seed(5)
    params = [tf.Variable(tf.random.normal([4, 3]) * 0.3), tf.Variable(tf.random.normal([3, 4, 2]))]

    def loss(params, x):
        probability = tf.nn.softmax(x @ params[0])
        gate, index = tf.math.top_k(probability, 2)
        gate = gate / tf.reduce_sum(gate, -1, keepdims=True)
        mask = tf.one_hot(index, 3)
        combine = tf.reduce_sum(gate[..., None] * mask, axis=1)
        share = tf.reduce_mean(tf.reduce_sum(mask, axis=1), axis=0)
        balance = 3.0 * tf.reduce_sum(share * tf.reduce_mean(probability, axis=0))
        outputs = tf.einsum("bi,eio,be->bo", x, params[1], combine)
        return tf.reduce_mean(tf.square(outputs - 1.0)) + 0.01 * balance

    return loss, params, (tf.random.normal([20, 4]),)


@healthy()
def an_operator_of_ones_own_with_a_proxy():
    """ste.with_proxy around a staircase, ste.straight_through around a choice of signs."""
    keras.utils.set_random_seed(6)
    stairs = ste.with_proxy(lambda x: tf.floor(3.0 * x) / 3.0, "identity")
    params = {"weight": tf.Variable(tf.random.normal([3, 3])), "bias": tf.Variable(tf.zeros([3]))}

    def loss(params, x):
        h = stairs(x @ params["weight"] + params["bias"])
        signs = ste.straight_through(tf.where(h > 0.0, 1.0, -1.0), tf.tanh(h))
        return tf.reduce_mean(tf.square(h + signs - x))

    return loss, params, (tf.random.normal([7, 3]),)


@healthy()
def regularised_network_in_a_nested_model():
    """A model in a model, an L1 penalty on weights, layer norms, a loss added by a layer."""
    keras.utils.set_random_seed(7)
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, name="mix"), keras.layers.LayerNormalization(name="norm")],
        name="inner",
    )
    x_in = keras.Input((4,), name="x")
    out = keras.layers.Dense(2, activation="relu", kernel_regularizer=keras.regularizers.L1(1e-3), name="out")
    model = keras.Model(x_in, out(inner(x_in)), name="outer")

    def loss(params, x):
        return tf.reduce_mean(tf.square(params(x) - 1.0)) + tf.add_n(params.losses)

    return loss, model, (tf.random.normal([9, 4]),)
