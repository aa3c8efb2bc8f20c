"""A hard operator under MirroredStrategy, in a SavedModel with its gradient, and under a mixed-precision policy."""

import sys

import keras
import numpy as np
import tensorflow as tf

import straightthrough as ste

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
x = tf.reshape(tf.linspace(-2.0, 2.0, 16), (4, 4))


def gradient(x):
    """Of the weighted sum of signs."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(ste.sign(x) * tf.reshape(tf.range(16.0), (4, 4)))
    return tape.gradient(y, x)


strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
found = strategy.experimental_local_results(strategy.run(tf.function(gradient), args=(x,)))
assert len(found) == 2
for one in found:
    np.testing.assert_array_equal(one, gradient(x))
print("mirrored: agree")


class Module(tf.Module):
    """One operation, to be saved."""

    @tf.function(input_signature=[tf.TensorSpec([4, 4], tf.float32)])
    def __call__(self, x):
        return ste.sign(x)


tf.saved_model.save(Module(), sys.argv[1], options=tf.saved_model.SaveOptions(experimental_custom_gradients=True))
loaded = tf.saved_model.load(sys.argv[1])
with tf.GradientTape() as tape:
    tape.watch(x)
    y = loaded(x)
np.testing.assert_array_equal(y, ste.sign(x))
np.testing.assert_array_equal(tape.gradient(y, x), tf.cast(tf.abs(x) <= 1, tf.float32))
print("saved_model: agree")

keras.mixed_precision.set_global_policy("mixed_bfloat16")
dense = keras.layers.Dense(3)
with tf.GradientTape() as tape:
    hidden = dense(x)
    y = ste.sign(hidden)
    total = tf.reduce_sum(tf.cast(y, tf.float32))
assert y.dtype == tf.bfloat16, y.dtype
kernel = tape.gradient(total, dense.kernel)
inside = tf.cast(tf.abs(hidden) <= 1, tf.bfloat16)
np.testing.assert_allclose(
    kernel, tf.cast(tf.matmul(tf.cast(x, tf.bfloat16), inside, transpose_a=True), tf.float32), rtol=0.02, atol=0.02
)
print("mixed_precision: agree")
