"""For each sick program what to write instead of each death, so that everything dead revives.

One entry for each mark, in their order: (what stands on the marked line, what to write), then, where the lines around
have to follow, further pairs.
"""

from __future__ import annotations

from typing import Any

REPAIRS: dict[str, list[Any]] = {
    "activations.rounding_in_a_bottleneck": [[("torch.round(", "(")]],
    "activations.binary_activations_twice": [[("torch.sign(", "torch.tanh(")], [(".sign()", ".tanh()")]],
    "activations.spikes_in_a_recurrent_loop": [[("(potential > 1.0).float()", "torch.sigmoid(potential - 1.0)")]],
    "activations.gate_initialised_wide_open": [[("(x))", "(x) - 200)")]],
    "activations.dead_relu_after_a_bad_step": [
        [("model(x)", "model[2](model[1](model[0](x) + 30))")],
    ],
    "activations.log_std_clipped_far_outside": [[("model.log_std,", "model.log_std - 6,")]],
    "activations.half_of_the_features_floored": [[("coarse.floor()", "coarse")]],
    "routing.experts_picked_by_index": [
        [
            (".argmax(dim=-1)", ".softmax(-1)"),
            ("outputs[torch.arange(len(x)), chosen]", "(outputs * chosen[..., None]).sum(1)"),
        ]
    ],
    "routing.experts_by_one_hot": [
        [("torch.argmax(probabilities, -1)", "probabilities"), ("F.one_hot(choice, 4)", "choice")]
    ],
    "routing.top_two_by_scatter_of_ones": [
        [(".topk(2, dim=-1).indices", ".softmax(-1)"), ("torch.zeros_like(scores).scatter_(-1, best, 1.0)", "best")]
    ],
    "routing.nearest_memory_slot_by_embedding": [
        [(".max(dim=-1).indices", ".softmax(-1)"), ("F.embedding(slot, model.memory)", "slot @ model.memory")]
    ],
    "routing.early_exit_by_where": [
        [
            ("confidence.gt(0.5)", "confidence"),
            (
                'torch.where(sure, model["short"](x), torch.tanh(model["long"](x)))',
                'sure * model["short"](x) + (1 - sure) * torch.tanh(model["long"](x))',
            ),
        ]
    ],
    "sampling.multinomial_action_into_the_critic": [
        [
            ("torch.multinomial(probabilities, 1).squeeze(-1)", "probabilities"),
            ('model["critic"](action)', 'action @ model["critic"].weight'),
        ]
    ],
    "sampling.bernoulli_with_a_learned_rate": [[("torch.bernoulli(rate)", "rate")]],
    "sampling.gumbel_argmax": [[(".argmax(-1)", ".softmax(-1)"), ("params[1][codes]", "codes @ params[1]")]],
    "sampling.greedy_captions_for_a_reader": [
        [
            (".argmax(-1)", ".softmax(-1)"),
            ("torch.zeros(len(images), dtype=torch.long)", "torch.eye(9)[[0]].expand(len(images), -1)"),
            ('model["embed"](token)', 'token @ model["embed"].weight'),
            ('model["reader"](token)', 'token @ model["reader"].weight'),
        ]
    ],
    "sampling.codebook_without_straight_through": [
        [("distance.argmin(dim=1)", "distance.neg().softmax(1)"), ("model.codes[nearest]", "nearest @ model.codes")]
    ],
    "quantising.learned_pruning_threshold": [
        [
            (
                '(params["weight"].abs() > params["threshold"]).float()',
                'torch.sigmoid(params["weight"].abs() - params["threshold"])',
            )
        ]
    ],
    "quantising.weights_through_int8": [[(".round()", "")], [(".to(torch.int8)", "")]],
    "quantising.bucketised_feature": [
        [
            ("torch.bucketize(reading, edges)", "torch.sigmoid(reading[:, None] - edges).sum(1)"),
            ('model["price"](bucket)', '(-(bucket[:, None] - torch.arange(5)).abs()).exp() @ model["price"].weight'),
        ]
    ],
    "quantising.rounding_in_place": [[("price.round_()", "pass")]],
    "quantising.two_deaths_on_one_line": [[("torch.floor(", "(")], [(", 0, 15)", ", -100, 100)")]],
    "metrics.accuracy_as_loss": [
        [(".argmax(dim=1)", ".softmax(1)"), ("(predicted == y)", "predicted.gather(1, y[:, None])")]
    ],
    "metrics.histogram_of_outputs": [
        [
            ("level.long().clamp(max=7)", "level"),
            (
                "torch.bincount(cell, minlength=8).float()",
                "(-(cell[:, None] - 0.5 - torch.arange(8)).square()).softmax(1).sum(0)",
            ),
        ]
    ],
    "metrics.boxes_above_a_score": [
        [
            ("scores > 0.5", "scores"),
            ("F.smooth_l1_loss(boxes[keep], y[keep])", "((boxes - y).square().sum(-1) * keep).mean()"),
        ]
    ],
    "metrics.share_of_exact_counts": [
        [("torch.round(", "(")],
        [("torch.eq(count, y)", "torch.exp(-(count - y).square())")],
    ],
    "control_flow.window_of_a_learned_length": [
        [
            ("int(model.width.item())", "torch.sigmoid(model.width - 12 + torch.arange(12.0))"),
            ("series[:, -length:].mean(1, keepdim=True)", "(series * length).mean(1, keepdim=True)"),
        ]
    ],
    "metrics.spearman_as_loss": [
        [
            ("torch.argsort(model(x).squeeze(-1))", "model(x).squeeze(-1)"),
            ("torch.argsort(order).float()", "torch.sigmoid(order[:, None] - order).sum(1)"),
        ]
    ],
    "metrics.attention_above_a_threshold": [
        [("(logits >= logits.mean(-1, keepdim=True)).to(x)", "torch.sigmoid(logits - logits.mean(-1, keepdim=True))")]
    ],
    "physics.bouncing_ball": [
        [
            ("torch.lt(x, 0.0)", "torch.sigmoid(-x)"),
            (
                'torch.where(touched, -params["restitution"] * v, v)',
                'touched * -params["restitution"] * v + (1 - touched) * v',
            ),
        ]
    ],
    "physics.cell_index_of_a_particle": [
        [("torch.floor(start / width)", "start / width")],
        [
            ("cell.long().unbind(-1)", "torch.exp(-(cell[..., None] - torch.arange(5)).square()).unbind(1)"),
            ("table[i, j]", '(torch.einsum("ni,nj,ij->n", i, j, table))'),
        ],
    ],
    "physics.arrows_that_hit": [
        [("(distance > 7.0).double()", "torch.sigmoid(distance - 7.0)")],
        [("(distance <= 8.5)", "torch.sigmoid(8.5 - distance)")],
    ],
    "ties.relu_at_zero_everywhere": [[("model[1](h)", "model[1](h + 0.1)")]],
    "ties.twins_that_start_equal": [[("torch.abs(gap)", "torch.abs(gap + torch.tensor([0.1, -0.3]))")]],
    "ties.auction_with_equal_bids": [[('params["bids"].max(dim=0)', '(params["bids"].mean(), None)')]],
    "non_finite.distance_of_a_point_to_itself": [[("torch.sqrt(squared)", "torch.sqrt(squared + 1e-6)")]],
    "non_finite.log_behind_a_where": [[("rate.log()", "torch.where(counts > 0, rate, 1.0).log()")]],
    "non_finite.fully_masked_attention_row": [[("F.softmax(scores,", "F.softmax(scores.clamp(min=-1e9),")]],
    "non_finite.precision_where_nothing_was_predicted": [[("hits / total", "hits / (total + 1e-6)")]],
    "stops.temperature_as_a_python_number": [[(".item()", "")]],
    "stops.median_filter_in_numpy": [
        [
            (".detach().numpy()", ""),
            (
                "np.median(np.stack([np.roll(h, s, axis=1) for s in (-1, 0, 1)]), axis=0)",
                "torch.stack([h.roll(s, 1) for s in (-1, 0, 1)]).median(0).values",
            ),
            ("torch.from_numpy(smooth)", "smooth"),
        ]
    ],
    "stops.backbone_left_under_no_grad": [[("torch.no_grad()", "torch.enable_grad()")]],
    "stops.weight_tied_through_data": [[(".data", "")]],
    "stops.truncation_that_cuts_the_first_state": [[(".detach()", "")]],
    "control_flow.rounding_in_checkpointed_blocks": [[("torch.round(layer(h) * 4)", "(layer(h) * 4)")]],
    "control_flow.sign_under_vmap": [[("torch.sign(", "torch.tanh(")]],
    "control_flow.grid_in_another_file": [[("torch.round(steps)", "steps")]],
    "control_flow.custom_function_that_returns_zeros": [[("library.OneBit.apply(", "torch.tanh(")]],
    "control_flow.python_branch_on_a_value": [
        [
            ('if (x @ params["gate"]).mean() > 0:', "if True:"),
            ('y = x @ params["left"]', 'y = x @ params["left"] * torch.sigmoid((x @ params["gate"]).mean())'),
        ]
    ],
    "control_flow.chain_through_two_functions": [[("torch.ceil(h * 2)", "(h * 2)")], [("torch.trunc(", "(")]],
    "control_flow.nested_containers": [
        [
            ('torch.argmax(model["net"](batch["x"]), dim=-1, keepdim=True)', 'model["net"](batch["x"]).softmax(-1)'),
            ('-batch["reward"].gather(1, arm).mean()', '-(batch["reward"] * arm).sum(1).mean()'),
        ]
    ],
}
