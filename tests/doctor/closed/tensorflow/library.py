"""A user's own helpers, in a file of their own."""

from __future__ import annotations

import tensorflow as tf


class Binariser(tf.Module):
    """Turns probabilities into zeros and ones."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def __call__(self, probability):
        on = tf.math.greater_equal(probability, self.limit)  # dies: cut greater_equal
        return tf.cast(on, probability.dtype)
