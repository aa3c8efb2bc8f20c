"""By program: what to write on its marked lines so that it learns."""

REPAIRS = {
    "units.winners_compared_with_the_third_best": [
        ('keras.ops.cast(drive >= third, "float32")', "tf.sigmoid(drive - third)")
    ],
    "units.memory_recalled_by_sign_updates": [("tf.math.sign(", "tf.tanh(")],
    "units.three_valued_layer": [("ops.sign(self.kernel)", "self.kernel * 1.0")],
    "units.graded_spikes_in_a_keras_cell": [("keras.ops.floor(", "(")],
    "units.two_hard_layers_in_a_row": [
        ("tf.sign(", "tf.tanh("),
        ('keras.ops.heaviside(code @ params["hash"]["second"], 0.5)', 'tf.sigmoid(code @ params["hash"]["second"])'),
    ],
    "units.a_band_of_two_comparisons": [
        (
            "inside = tf.logical_and(tf.greater(x, lo), tf.less(x, hi))",
            "inside = tf.sigmoid(x - lo) * tf.sigmoid(hi - x)",
        )
    ],
    "choices.messages_along_a_radius_graph": [
        (
            'tf.cast(tf.einsum("ijk,ijk->ij", gap, gap) <= 1.0, tf.float32)',
            'tf.exp(-tf.einsum("ijk,ijk->ij", gap, gap))',
        )
    ],
    "choices.early_exit_where_confident": [
        ("sure = keras.ops.greater(self.confidence(x), 0.5)", "return first * self.confidence(x) + self.dear(first)")
    ],
    "draws.photons_counted": [("tf.random.stateless_poisson([8, 2], [1, 2], rate)", "rate")],
    "draws.dropout_with_a_learned_rate": [("tf.math.floor(", "(")],
    "levels.mu_law_audio": [("tf.uint8", "tf.float32")],
    "levels.transform_coding_of_blocks": [("keras.ops.round(spectrum / table)", "(spectrum / table)")],
    "levels.whole_crates_by_the_remainder": [("% 1.0", "* 0.1")],
    "levels.tariff_in_steps": [("//", "/")],
    "levels.residual_codes_in_two_stages": [("tf.gather(book, tf.argmin(far, -1))", "tf.nn.softmax(-far) @ book")],
    "measures.area_under_the_curve": [
        (
            "tf.math.greater(params(good), tf.transpose(params(bad)))",
            "tf.sigmoid(params(good) - tf.transpose(params(bad)))",
        )
    ],
    "measures.coverage_of_an_interval": [("(y >= lo) & (y <= hi)", "tf.sigmoid(y - lo) * tf.sigmoid(hi - y)")],
    "measures.a_keras_metric_as_the_loss": [("keras.metrics.binary_accuracy(", "-keras.losses.binary_crossentropy(")],
    "measures.silhouette_of_a_sphere": [("tf.where(last < 1e-2, 1.0, 0.0)", "tf.sigmoid(-last)")],
    "kinks.margins_all_satisfied": [("tf.maximum(gap + 0.2, 0.0)", "tf.nn.leaky_relu(gap)")],
    "kinks.bumps_far_from_every_point": [("-1e5", "-1.0")],
    "kinks.twin_critics_that_are_the_same": [("tf.minimum(self.one(x), self.two(x))", "self.one(x) + self.two(x)")],
    "kinks.towers_that_agree_to_the_last_bit": [("keras.ops.absolute(", "keras.ops.exp(")],
    "kinks.gamma_of_a_black_pixel": [('params["colour"]', '1e-3 + params["colour"]')],
    "kinks.angle_between_equal_directions": [("tf.acos(", "tf.acos(0.99 * ")],
    "kinks.force_between_bodies_and_themselves": [("(reach)", "(reach + 1e-3)")],
    "exits.generator_called_by_predict": [
        ("generator.predict_on_batch(z)", "generator(z); return tf.reduce_mean(tf.nn.softplus(-critic(fake)))")
    ],
    "exits.adapter_behind_the_stop": [('tf.nest.map_structure(tf.stop_gradient, {"a": aim(x)})', '{"a": aim(x)}')],
    "exits.weights_made_by_another_network": [
        ("layer.kernel.assign(made)", "layer = lambda x: x @ made; layer.kernel = 0")
    ],
    "exits.rounding_in_a_keras_scan": [("keras.ops.round(", "(")],
    "exits.truncation_in_nested_functions": [("keras.ops.trunc(", "(")],
    "sparse.channels_switched_off": [
        ("tf.experimental.numpy.heaviside(self.importance, 0.0)", "tf.sigmoid(self.importance)")
    ],
    "sparse.custom_gradient_that_forgets_an_input": [("fused(self.below(x),", "(self.below(x) *")],
    "sparse.capped_units_all_at_their_cap": [("tf.nn.relu6(h)", "tf.nn.relu(h)")],
    "sparse.state_without_a_legal_move": [("(logits, -1)", "(tf.maximum(logits, -1e9), -1)")],
}
