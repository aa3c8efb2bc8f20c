"""By program: what to write on its marked lines so that it learns."""

REPAIRS = {
    "activations.sign_between_two_layers": [("tf.sign(", "tf.tanh(")],
    "activations.spikes_in_a_recurrent_loop": [("tf.cast(membrane > 1.0, tf.float32)", "tf.sigmoid(membrane - 1.0)")],
    "activations.gate_that_opens_or_shuts": [("tf.greater_equal(opening, 0.5)", "opening")],
    "activations.custom_gradient_that_says_zero": [("step(", "tf.sigmoid(")],
    "sampling.stochastic_binary_units": [("tf.cast(uniform < probability, tf.float32)", "probability")],
    "sampling.gumbel_argmax_without_its_soft_twin": [("tf.one_hot(tf.argmax(noisy, -1), 4)", "tf.nn.softmax(noisy)")],
    "quantising.fake_quantised_weight": [("tf.round(levels)", "levels")],
    "quantising.bytes_in_the_bottleneck": [("tf.round(code)", "code"), ("tf.int8", "tf.float32")],
    "quantising.power_of_two_weights": [("tf.math.ceil(", "("), ("tf.sign(", "tf.tanh(")],
    "quantising.fake_quantisation_far_outside_its_range": [("-6.0, 6.0", "-60.0, 60.0")],
    "metrics.f_score_at_a_threshold": [("tf.math.greater(probability, 0.5)", "probability")],
    "metrics.magnitude_pruning_with_a_learned_threshold": [
        (
            'tf.cast(tf.abs(params["weight"]) > params["threshold"], tf.float32)',
            'tf.sigmoid(tf.abs(params["weight"]) - params["threshold"])',
        )
    ],
    "metrics.supermask_over_frozen_weights": [
        ('tf.where(params["masks"] > cut_off, frozen, 0.0)', 'frozen * tf.sigmoid(params["masks"] - cut_off)')
    ],
    "metrics.attention_by_threshold": [("score >= 0.0", "tf.sigmoid(score)")],
    "ties.relu_dead_for_every_input": [("tf.nn.relu(", "tf.nn.leaky_relu(")],
    "ties.clip_in_the_wrong_unit": [("-3.1416, 3.1416", "-180.0, 180.0")],
    "ties.sigmoid_at_two_hundred": [("tf.sigmoid(pixels", "tf.sigmoid(0.01 * pixels")],
    "ties.relu_at_zero_after_a_zero_start": [("keras.activations.relu(", "keras.activations.softplus(")],
    "ties.absolute_error_at_its_start": [("tf.abs(", "tf.sinh(")],
    "ties.softmax_at_no_temperature": [("1e-4", "1.0")],
    "non_finite.distance_of_a_point_to_itself": [("tf.sqrt(square)", "tf.sqrt(square + 1e-6)")],
    "non_finite.log_behind_a_where": [("tf.math.log(p)", "tf.math.log(p + 1e-6)")],
    "non_finite.share_of_an_empty_row": [("/ total", "/ tf.maximum(total, 1e-3)")],
    "non_finite.heading_of_a_ship_at_rest": [('params["east"])', 'params["east"] + 1.0) + params["east"]')],
    "stops.both_branches_stopped": [
        ("tf.stop_gradient(self.predictor(self.tower(one)))", "self.predictor(self.tower(one))"),
        ("tf.stop_gradient(self.tower(two))", "self.tower(two)"),
    ],
    "stops.temperature_as_a_python_float": [("float(", "(")],
    "stops.wrong_factor_stopped": [("keras.ops.stop_gradient(chosen)", "chosen")],
    "stops.wrong_dtype_for_the_prices": [("tf.int32)", "tf.float32); amount = tf.cast(amount, tf.float32)")],
    "control_flow.sign_in_a_cond": [("tf.sign(", "tf.tanh(")],
    "control_flow.floor_in_map_fn": [("tf.floor(", "(")],
    "control_flow.spikes_in_a_scan": [("tf.cast(membrane > 0.5, tf.float32)", "tf.sigmoid(membrane - 0.5)")],
    "control_flow.rounding_in_a_recomputed_block": [("tf.math.rint(", "(")],
    "control_flow.hard_look_up_in_a_vectorised_map": [("tf.one_hot(tf.argmax(score), 5)", "tf.nn.softmax(score)")],
}
