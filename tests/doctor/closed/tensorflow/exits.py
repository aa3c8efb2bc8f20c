"""Ways out of the graph, and bodies of keras.ops loops."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from doctor.catalogue import sick


@sick(
    parameters={"generator/kernel": "unreached", "generator/bias": "unreached", "critic/kernel": "reached"},
    why_not="counts: predict returns numpy arrays",
)
def generator_called_by_predict():
    """A generator is run with .predict_on_batch, whose result is an array of numpy."""
    keras.utils.set_random_seed(71)
    noise = keras.Input((3,), name="noise")
    generator = keras.Model(noise, keras.layers.Dense(4, name="generator")(noise), name="makes")
    generator.compile()
    critic = keras.layers.Dense(1, use_bias=False, name="critic")
    critic.build((None, 4))
    both = keras.Model(noise, critic(generator(noise)), name="gan")

    def loss(params, z):
        fake = generator.predict_on_batch(z)  # dies: cut predict_on_batch|predict|numpy
        return tf.reduce_mean(tf.nn.softplus(-critic(tf.constant(fake))))

    return loss, both, (tf.random.normal([5, 3]),)


@sick(
    parameters={"latent": "unreached", "generator": "unreached", "scale": "reached"},
    why_not="counts: assigned to a layer's variable",
)
def weights_made_by_another_network():
    """A hypernetwork's weights are assigned to a layer, which is then called."""
    keras.utils.set_random_seed(72)
    params = {
        "latent": tf.Variable(tf.random.normal([3])),
        "generator": tf.Variable(tf.random.normal([3, 8])),
        "scale": tf.Variable(1.0),
    }
    layer = keras.layers.Dense(2, use_bias=False, trainable=False, name="made")
    layer.build((None, 4))

    def loss(params, x):
        made = tf.reshape(tf.linalg.matvec(params["generator"], params["latent"], transpose_a=True), [4, 2])
        layer.kernel.assign(made)  # dies: cut assign
        return tf.reduce_mean(tf.square(params["scale"] * layer(x) - 1.0))

    return loss, params, (tf.random.normal([6, 4]),)


@sick(
    parameters={"0": "unreached", "1": "reached"},
    why_not="counts: interpolated outside the framework",
)
def interpolation_by_numpy():
    """np.interp accepts a variable, quietly, and answers with an array."""
    params = [tf.Variable([0.3, 1.4, 2.2]), tf.Variable([1.0, -1.0, 0.5])]

    def loss(params, wanted):
        curve = np.interp(params[0], [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 4.0, 9.0])  # dies: cut interp|numpy|__array__
        return tf.reduce_sum(tf.square(params[1] * curve.astype("float32") - wanted))

    return loss, params, (tf.constant([0.5, 1.0, 1.5]),)


@sick(
    parameters={"width": "unreached", "height": "reached"},
    why_not="counts: a size of an array is a Python number",
)
def size_of_a_kernel_from_a_parameter():
    """The width of a smoothing window is learned, and becomes the length of an array."""
    params = {"width": tf.Variable(3.4), "height": tf.Variable(1.1)}

    def loss(params, signal):
        taps = int(params["width"])  # dies: cut int|item|numpy|cast
        window = params["height"] * tf.ones([taps, 1, 1]) / taps
        return tf.reduce_mean(tf.square(tf.nn.conv1d(signal, window, 1, "VALID")))

    return loss, params, (tf.reshape(tf.sin(tf.range(20.0)), [1, 20, 1]),)


@sick(
    parameters={"teacher": "frozen", "adapter": "unreached", "student": "reached"},
    why_not="counts: the stop stands after the adapter in place of before it",
)
def adapter_behind_the_stop():
    """In distillation the teacher is stopped; the learned adapter behind it should not have been."""
    keras.utils.set_random_seed(73)
    params = {
        "teacher": tf.Variable(tf.random.normal([4, 5]), trainable=False),
        "adapter": tf.Variable(tf.random.normal([5, 3])),
        "student": tf.Variable(tf.random.normal([4, 3])),
    }

    def loss(params, x):
        def aim(x):
            return tf.tanh(x @ params["teacher"]) @ params["adapter"]

        wanted = tf.nest.map_structure(tf.stop_gradient, {"a": aim(x)})  # dies: cut stop_gradient
        return tf.reduce_mean(tf.square(tf.tanh(x @ params["student"]) - wanted["a"]))

    return loss, params, (tf.random.normal([8, 4]),)


@sick(parameters={"enter": "unreached", "leave": "reached"}, fix={"round": "identity"})
def rounding_in_a_keras_scan():
    """keras.ops.scan, a body with memory, rounded at each step."""
    keras.utils.set_random_seed(74)
    params = {"enter": tf.Variable(tf.random.normal([3, 3])), "leave": tf.Variable(tf.random.normal([3]))}

    def loss(params, series):
        def step(level, now):
            level = keras.ops.round(0.5 * level + 2.0 * tf.linalg.matvec(params["enter"], now))  # dies: flat round
            return level, level

        levels = keras.ops.scan(step, tf.zeros([3]), series)[1]
        return tf.reduce_mean(tf.square(tf.linalg.matvec(levels, params["leave"]) - 1.0))

    return loss, params, (tf.random.normal([6, 3]),)


@sick(parameters={"place": "unreached", "sides": "reached"}, fix={"trunc": "identity"})
def truncation_in_nested_functions():
    """A tf.function in a tf.function in a keras.ops.map."""
    keras.utils.set_random_seed(75)
    params = {"place": tf.Variable(tf.random.normal([2, 2])), "sides": tf.Variable([1.0, 2.0])}

    @tf.function
    def inner(place, x):
        return keras.ops.trunc(3.0 * tf.linalg.matvec(place, x))  # dies: flat trunc|cast|floor

    @tf.function
    def outer(place, x):
        return inner(place, x) + 1.0

    def loss(params, x):
        rows = keras.ops.map(lambda row: outer(params["place"] + 0.0, row), x)
        return tf.reduce_mean(tf.square(rows * params["sides"]))

    return loss, params, (tf.random.normal([5, 2]),)


@sick(parameters={"score": "unreached", "voice": "reached"}, fix={"argmax": "softmax"})
def tokens_kept_in_a_tensor_array():
    """A decoder writes its best tokens into a TensorArray; they are embedded when all are there."""
    keras.utils.set_random_seed(76)
    params = {"score": tf.Variable(tf.random.normal([3, 4])), "voice": tf.Variable(tf.random.normal([4, 2]))}

    @tf.function
    def loss(params, x, target):
        tokens = tf.TensorArray(tf.int64, size=6)
        for step in tf.range(6):
            scores = tf.linalg.matvec(params["score"], x[step], transpose_a=True)
            tokens = tokens.write(step, tf.argmax(scores))  # dies: cut argmax
        return tf.reduce_mean(tf.square(tf.one_hot(tokens.stack(), 4) @ params["voice"] - target))

    return loss, params, (tf.random.normal([6, 3]), tf.random.normal([6, 2]))
