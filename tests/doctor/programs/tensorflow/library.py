"""What the programs of this folder import from a module of their own: a user's project has one too."""

from __future__ import annotations

import tensorflow as tf


def snap_to_grid(x, step):
    """The nearest multiple of ``step``."""
    return tf.round(x / step) * step  # dies: flat round


def first_choice(scores):
    """One row of zeros and a one for each row of scores."""
    winner = tf.argmax(scores, axis=-1)  # dies: cut argmax
    return tf.one_hot(winner, tf.shape(scores)[-1])


def standardise(x):
    """Zero mean and unit scale, per column."""
    return (x - tf.reduce_mean(x, 0)) / (tf.math.reduce_std(x, 0) + 1e-3)
