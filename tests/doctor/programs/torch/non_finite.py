"""Slopes that are infinite or not a number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={"weight": "unreached", "bias": "unreached"},
    fix=None,
    why_not="non_finite: sqrt at 0",
)
def distance_of_a_point_to_itself():
    """A matrix of distances by sqrt of a sum of squares: on the diagonal it is sqrt(0)."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    x = torch.randn(6, 3)

    def loss(model, x):
        z = model(x)
        squared = (z[:, None] - z[None]).pow(2).sum(-1)
        distance = torch.sqrt(squared)  # dies: non_finite sqrt
        return (distance - 1).square().mean()

    return loss, model, (x,)


@sick(
    parameters={"scale": "unreached", "shift": "reached"},
    fix=None,
    why_not="non_finite: log(0) in the branch of where that is not taken",
)
def log_behind_a_where():
    """Only positive counts take the logarithm; where hides the value of log(0), not its slope."""
    params = {"scale": torch.ones(4, requires_grad=True), "shift": torch.zeros(4, requires_grad=True)}
    counts = torch.tensor([[0.0, 3.0, 1.0, 0.0], [2.0, 0.0, 0.0, 5.0]])

    def loss(params, counts):
        rate = params["scale"] * counts
        logs = torch.where(counts > 0, rate.log(), torch.zeros(()))  # dies: non_finite log
        return (logs + params["shift"] - 0.5).square().sum()

    return loss, params, (counts,)


@sick(
    parameters={"q.weight": "reached", "k.weight": "reached", "v.weight": "unreached"},
    fix=None,
    why_not="non_finite: softmax of a row of -inf",
)
def fully_masked_attention_row():
    """One sentence of the batch is empty: all its keys are masked by -inf, the loss is nan.

    masked_fill shields the queries and keys; the values are multiplied by nan.
    """
    torch.manual_seed(2)
    model = nn.ModuleDict({name: nn.Linear(4, 4, bias=False) for name in "qkv"})
    x = torch.randn(3, 5, 4)
    padding = torch.arange(5)[None] >= torch.tensor([5, 3, 0])[:, None]

    def loss(model, x, padding):
        scores = model["q"](x) @ model["k"](x).transpose(1, 2) / 2
        scores = scores.masked_fill(padding[:, None], float("-inf"))
        attention = F.softmax(scores, dim=-1)  # dies: non_finite softmax
        return (attention @ model["v"](x)).square().mean()

    return loss, model, (x, padding)


@sick(
    parameters={"a": "partly_reached", "b": "partly_reached"},
    fix=None,
    why_not="non_finite: 0 / 0 behind a where",
)
def precision_where_nothing_was_predicted():
    """A soft precision per class; a class without predictions is 0 / 0 and is replaced by where."""
    params = {
        "a": torch.tensor([0.5, 0.0, 2.0], requires_grad=True),
        "b": torch.tensor([0.7, 0.0, 1.0], requires_grad=True),
    }

    def loss(params, weight):
        hits, misses = params["a"], params["b"]
        total = hits + misses
        precision = hits / total  # dies: non_finite divide
        precision = torch.where(total > 0, precision, 0.0)
        return 1 - (weight * precision).sum()

    return loss, params, (torch.tensor([0.2, 0.3, 0.5]),)
