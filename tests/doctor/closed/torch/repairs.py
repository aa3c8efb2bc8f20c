"""For each sick program what to write instead of each death: see the open half's file of this name."""

from __future__ import annotations

from typing import Any

REPAIRS: dict[str, list[Any]] = {
    "units.ternary_convolution": [
        [("(w > t).float()", "torch.sigmoid(w - t)")],
        [("(w < -t).float()", "torch.sigmoid(-t - w)")],
    ],
    "units.perceptron_with_heaviside": [
        [("torch.heaviside(model.drive(x), torch.zeros(()))", "model.drive(x).sigmoid()")]
    ],
    "units.surrogate_window_missed": [[("Window.apply(u)", "Window.apply(u * 0.04 - 0.5)")]],
    "units.exploded_recurrence_in_tanh": [[("model.rnn(pressure[:, t])", "model.rnn(pressure[:, t] / 1e5)")]],
    "units.overexposed_picture": [[("(developed,", "(developed * 0.1,")]],
    "units.stochastic_rounding_by_hand": [[(".floor()", "")]],
    "units.attention_at_a_cold_temperature": [[("/ 1e-5", "/ 0.5")]],
    "choosing.retriever_before_a_reader": [
        [("torch.max(match, dim=1)[1]", "match.softmax(1)"), ("texts.index_select(0, best)", "best @ texts")]
    ],
    "choosing.clusters_whose_centres_do_not_move": [
        [(".argmin(dim=1)", ".neg().softmax(1)"), ("F.one_hot(member, 3).type_as(z)", "member")]
    ],
    "choosing.token_pruning_keeps_three": [
        [
            (
                '_, where = torch.topk(model["importance"](tokens).squeeze(-1), 3)',
                'weight = model["importance"](tokens).softmax(1)',
            ),
            ("where = where.sort(dim=-1).values", "pass"),
            ("torch.take_along_dim(tokens, where.unsqueeze(-1), dim=1)", "tokens * weight"),
        ]
    ],
    "choosing.durations_of_phonemes": [
        [
            ("length.int().clamp(1, 6)", "length[:, None]"),
            ("phonemes.repeat_interleave(length, dim=0)", "phonemes * length"),
        ]
    ],
    "choosing.sorted_by_a_learned_key": [
        [
            (
                'torch.sort(params["table"] @ params["key"], descending=True)[1]',
                '(params["table"] @ params["key"]).softmax(0)',
            ),
            ('params["table"][order] * place', 'params["table"] * order'),
        ]
    ],
    "choosing.non_maximum_suppression": [
        [
            ("score[None, :] > score[:, None]", "torch.sigmoid(score[None, :] - score[:, None])"),
            ("~(overlap & stronger).any(1)", "(1 - overlap * stronger).prod(1)"),
        ]
    ],
    "chance.world_model_rollout": [
        [
            ('Categorical(logits=agent["actor"](s)).sample()', 'agent["actor"](s).softmax(-1)'),
            ("F.one_hot(a, 4).float()", "a"),
        ]
    ],
    "chance.particle_filter": [
        [
            (
                "torch.searchsorted(weight.cumsum(0), comb).clamp(max=11)",
                "(-50 * (weight.cumsum(0) - comb[:, None]).square()).softmax(1)",
            ),
            ("particles[ancestor]", "ancestor @ particles"),
        ]
    ],
    "chance.sample_instead_of_rsample": [[(".sample()", ".rsample()")]],
    "chance.queue_with_poisson_arrivals": [[("torch.poisson(", "(")]],
    "chance.dropout_with_a_learned_rate": [
        [
            ("noise < model.drop.sigmoid()", "(model.drop.sigmoid() - noise).sigmoid()"),
            ("x.masked_fill(dropped, 0.0)", "x * (1 - dropped)"),
        ]
    ],
    "chance.viterbi_path_read_by_a_listener": [
        [
            (
                'score, pointer = (score[:, None] + params["grammar"]).max(0)',
                'score, pointer = (m := score[:, None] + params["grammar"]).logsumexp(0), m.softmax(0)',
            ),
            ("path.append(pointer[path[-1]])", "path.append(pointer @ path[-1])"),
            ('params["listen"][torch.stack(path)].sigmoid()', '(torch.stack(path) @ params["listen"]).sigmoid()'),
        ],
        [("torch.argmax(score)", "score.softmax(0)")],
    ],
    "machines.particles_deposited_on_a_mesh": [
        [
            (
                'params["place"].to(torch.int64)',
                '(-(params["place"][:, None] - torch.arange(cells)).square()).softmax(1)',
            ),
            (
                'torch.zeros(cells, dtype=torch.float64).index_add(0, cell, params["charge"])',
                'params["charge"] @ cell',
            ),
        ]
    ],
    "machines.spins_relaxed_at_zero_temperature": [[("torch.sgn(", "torch.tanh(")]],
    "machines.tariff_by_whole_periods": [[("//", "/")]],
    "machines.grains_that_touch": [
        [
            ('params["radius"][0] * 2 > apart', 'torch.sigmoid(params["radius"][0] * 2 - apart)'),
            (
                'torch.where(touch, params["stiffness"] * (params["radius"][1] - apart), 0.0)',
                'touch * params["stiffness"] * (params["radius"][1] - apart)',
            ),
        ]
    ],
    "machines.controller_with_a_dead_band": [
        [('(~(error.abs() <= params["dead"]))', 'torch.sigmoid(error.abs() - params["dead"])')]
    ],
    "machines.pitch_snapped_to_semitones": [[("semitone.round()", "semitone")]],
    "measures.area_under_the_curve": [
        [("s[y].unsqueeze(1) > s[~y].unsqueeze(0)", "torch.sigmoid(s[y].unsqueeze(1) - s[~y].unsqueeze(0))")]
    ],
    "measures.f1_of_rounded_probabilities": [[(".round()", "")]],
    "measures.edit_distance_in_python": [
        [("model(frames).argmax(-1)", "model(frames).softmax(-1)")],
        [(".tolist()", ""), ("torch.tensor(float(distance(letters, [0, 3, 1, 4])))", "letters[:, 0].sum()")],
    ],
    "measures.discounted_gain": [
        [
            (
                "scores.argsort(dim=-1, descending=True)",
                "torch.sigmoid(scores[:, None] - scores[:, :, None]).sum(-1)",
            ),
            ("(gain.gather(-1, order) * discount)", "(gain / torch.log2(order + 2.0))"),
        ]
    ],
    "measures.boundary_length_of_a_segmentation": [
        [("torch.floor(", "(")],
        [("label[..., 1:] != label[..., :-1]", "(label[..., 1:] - label[..., :-1]).square()")],
    ],
    "infinities.entropy_of_amplitudes": [[("torch.xlogy(p, p)", "torch.xlogy(p, p + 1e-6)")]],
    "infinities.angle_between_equal_directions": [[("(cosine)", "(0.99 * cosine)")]],
    "infinities.softplus_written_by_hand": [[("torch.exp(z)", "torch.exp(z.clamp(max=30))")]],
    "infinities.pointer_network_with_a_finished_row": [[("scores.log_softmax", "scores.clamp(min=-1e9).log_softmax")]],
    "infinities.gamma_correction_of_black": [[("* picture,", "* picture + 1e-3,")]],
    "infinities.speed_of_a_vehicle_at_rest": [[('params["north"])', 'params["north"] + 1e-6)')]],
    "equals.gates_that_start_on_their_bound": [[("model.gate,", "model.gate - 0.1,")]],
    "equals.adversary_that_starts_at_zero": [[("F.l1_loss(changed, x)", "F.l1_loss(changed, 1.01 * x)")]],
    "equals.pooling_of_a_blank_signal": [[("F.max_pool1d(", "F.avg_pool1d(")]],
    "equals.median_vote_of_equal_sensors": [[("torch.median(params[0], dim=0).values", "torch.mean(params[0])")]],
    "leaving.list_of_numbers_made_a_tensor_again": [
        [
            ("[model[0](thing).item() for thing in bag]", "model[0](bag).squeeze(-1)"),
            ("torch.tensor(rows)", "torch.stack(rows)"),
        ]
    ],
    "leaving.memory_written_detached": [[(".detach()", ""), ("self.slots.copy_(slots)", "pass")]],
    "leaving.meta_learning_without_create_graph": [[("(inner, w)", "(inner, w, create_graph=True)")]],
    "leaving.parameter_made_in_the_forward_pass": [[("nn.Parameter(", "(")]],
    "leaving.written_into_an_integer_buffer": [
        [("model[1](model[0](x))", "model[1](model[0](x))"), ("labels.new_zeros(8, 4)", "torch.zeros(8, 4)")]
    ],
    "leaving.digitiser_in_a_toolbox": [[("level.type(torch.int32)", "level")]],
    "leaving.custom_rule_that_forgets_one_input": [
        [('toolbox.ScaleForgotten.apply(x @ params["w"], params["s"])', '(x @ params["w"]) * params["s"]')]
    ],
    "bodies.binary_weight_by_parametrisation": [[("w.sign()", "w.tanh()")]],
    "bodies.rounding_in_a_forward_hook": [[("torch.round(output, decimals=2)", "output")]],
    "bodies.ensemble_votes_under_vmap": [
        [
            ("torch.argmax(x @ w, -1, keepdim=True)", "(x @ w).softmax(-1)"),
            ("(best == torch.arange(3)).to(w.dtype)", "best"),
        ]
    ],
    "bodies.curvature_of_a_relu_network": [[("F.relu(", "F.softplus(")]],
    "bodies.thinking_until_the_halting_unit_says_stop": [
        [("while (total < 1.5).any():", "while steps < 3:"), ("0.01 * steps", "0.01 * total.mean()")]
    ],
    "bodies.reentrant_checkpoint_of_a_stage": [[("torch.Tensor.sign(h)", "torch.tanh(h)")]],
    "machines.phase_shifters_with_four_settings": [[(".round()", "")]],
    "measures.histogram_match": [
        [
            (
                "torch.histc(grey, bins=4, min=-1.0, max=1.0)",
                "(-9 * (grey - torch.tensor([-0.75, -0.25, 0.25, 0.75])).square()).softmax(1).sum(0)",
            )
        ]
    ],
    "bodies.gradient_wiped_by_a_tensor_hook": [[("1 // len(x)", "1 / len(x)")]],
}
