"""Metrics and counts used as a loss, detectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(parameters={"weight": "unreached", "bias": "unreached"}, fix={"argmax": "softmax"})
def accuracy_as_loss():
    """One minus accuracy: the loss has no graph at all."""
    torch.manual_seed(0)
    model = nn.Linear(5, 3)
    x, y = torch.randn(30, 5), torch.randint(0, 3, (30,))

    def loss(model, x, y):
        predicted = model(x).argmax(dim=1)  # dies: cut argmax
        return 1.0 - (predicted == y).float().mean()

    return loss, model, (x, y)


@sick(
    parameters={"weight": "unreached", "bias": "unreached"},
    fix=None,
    why_not="counts: bincount adds ones at integer addresses",
)
def histogram_of_outputs():
    """The histogram of the outputs shall be flat; bincount counts integers."""
    torch.manual_seed(1)
    model = nn.Linear(3, 1)
    x = torch.randn(50, 3)

    def loss(model, x):
        level = torch.sigmoid(model(x)).flatten() * 8
        cell = level.long().clamp(max=7)  # dies: cut cast
        counts = torch.bincount(cell, minlength=8).float()
        return (counts / len(x) - 1 / 8).square().sum()

    return loss, model, (x,)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(4, 8)
        self.boxes = nn.Linear(8, 4)
        self.score = nn.Linear(8, 1)

    def forward(self, x):
        h = torch.tanh(self.trunk(x))
        return self.boxes(h), torch.sigmoid(self.score(h)).squeeze(-1)


@sick(
    parameters={
        "trunk.weight": "reached",
        "trunk.bias": "reached",
        "boxes.weight": "reached",
        "boxes.bias": "reached",
        "score.weight": "unreached",
        "score.bias": "unreached",
    },
    fix=None,
    why_not="counts: the comparison chooses how many boxes there are",
)
def boxes_above_a_score():
    """Only boxes with a score above a half enter the loss; the score head gets nothing."""
    torch.manual_seed(2)
    model = Detector()
    x, y = torch.randn(40, 4), torch.randn(40, 4)

    def loss(model, x, y):
        boxes, scores = model(x)
        keep = scores > 0.5  # dies: cut greater
        return F.smooth_l1_loss(boxes[keep], y[keep])

    return loss, model, (x, y)


@sick(
    parameters={"weight": "unreached"},
    fix=None,
    why_not="counts: the ranks are a permutation written by address",
)
def spearman_as_loss():
    """Rank correlation: ranks by an argsort of an argsort, and no score gets a gradient."""
    torch.manual_seed(3)
    model = nn.Linear(4, 1, bias=False)
    x, y = torch.randn(20, 4), torch.randn(20)

    def loss(model, x, y):
        order = torch.argsort(model(x).squeeze(-1))  # dies: cut argsort
        rank = torch.argsort(order).float()
        target = torch.argsort(torch.argsort(y)).float()
        a, b = rank - rank.mean(), target - target.mean()
        return 1 - (a * b).sum() / (a.norm() * b.norm())

    return loss, model, (x, y)


@sick(
    parameters={"stem.weight": "reached", "stem.bias": "reached", "mask.weight": "unreached", "mask.bias": "unreached"},
    fix={"greater_equal": "sigmoid"},
)
def attention_above_a_threshold():
    """Attention weights at or above the mean are kept as ones; the rest is masked out of the sum."""
    torch.manual_seed(4)
    model = nn.ModuleDict({"stem": nn.Conv1d(3, 4, 3, padding=1), "mask": nn.Conv1d(3, 1, 1)})
    x = torch.randn(6, 3, 10)

    def loss(model, x):
        logits = model["mask"](x)
        focus = (logits >= logits.mean(-1, keepdim=True)).to(x)  # dies: cut greater_equal
        pooled = (model["stem"](x).relu() * focus).sum(-1) / focus.sum(-1)
        return (pooled - 1).pow(2).mean()

    return loss, model, (x,)


@sick(
    parameters={"0.weight": "unreached", "0.bias": "unreached", "2.weight": "unreached", "2.bias": "unreached"},
    fix={"round": "identity", "equal": "gaussian"},
)
def share_of_exact_counts():
    """How many counts are predicted exactly: a rounding, then an equality."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(3, 6), nn.Softplus(), nn.Linear(6, 1))
    x, y = torch.randn(15, 3), torch.randint(0, 2, (15,)).float()

    def loss(model, x, y):
        count = torch.round(model(x).squeeze(-1))  # dies: flat round
        exact = torch.eq(count, y)  # dies: cut equal|eq
        return -exact.float().mean()

    return loss, model, (x, y)
