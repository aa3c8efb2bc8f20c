"""Starts at which entries are exactly equal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={"gate": "unreached", "value.weight": "reached"},
    fix=None,
    why_not="ties: the gate stands on the bound where torch's hardtanh has the slope 0",
)
def gates_that_start_on_their_bound():
    """Hard gates start fully open, exactly at 1."""
    torch.manual_seed(70)
    model = nn.Module()
    model.gate = nn.Parameter(torch.ones(6))
    model.value = nn.Linear(6, 6, bias=False)
    x = torch.randn(8, 6)

    def loss(model, x):
        gate = F.hardtanh(model.gate, 0.0, 1.0)  # dies: tie|saturated clip|hardtanh
        return (model.value(x) * gate - x).square().mean() + 0.1 * gate.sum()

    return loss, model, (x,)


@sick(
    parameters={"residual.weight": "unreached", "residual.bias": "unreached"},
    fix=None,
    why_not="ties: the change is exactly 0 where L1 has its kink",
)
def adversary_that_starts_at_zero():
    """An adversary shall change the picture as much as it can, in L1, and starts at the kink."""
    torch.manual_seed(71)
    model = nn.ModuleDict({"residual": nn.Linear(5, 5)})
    for p in model.parameters():
        nn.init.zeros_(p)
    x = torch.randn(7, 5)

    def loss(model, x):
        changed = x + model["residual"](x)
        return 1 - F.l1_loss(changed, x)  # dies: tie abs|l1_loss

    return loss, model, (x,)


@sick(
    parameters={"place": "partly_reached", "scale": "reached"},
    fix=None,
    why_not="ties: equal entries in a pooling window, the first gets all",
)
def pooling_of_a_blank_signal():
    """A blank signal plus positions that start equal: every window passes its gradient to its first entry."""
    params = {"place": torch.zeros(12, requires_grad=True), "scale": torch.tensor(0.5, requires_grad=True)}
    signal = torch.zeros(3, 1, 12)

    def loss(params, signal):
        h = signal + params["place"] + params["scale"]
        pooled = F.max_pool1d(h, 3)  # dies: tie max|max_pool|max_pool1d
        return (pooled - 1).square().mean()

    return loss, params, (signal,)


@sick(
    parameters={"0": "partly_reached"},
    fix=None,
    why_not="ties: the median of equal entries is one of them",
)
def median_vote_of_equal_sensors():
    """Five sensors with equal offsets: the median belongs to one of them."""
    params = [torch.full((5,), 0.25, requires_grad=True)]

    def loss(params, truth):
        vote = torch.median(params[0], dim=0).values  # dies: tie median|sort
        return (vote - truth) ** 2

    return loss, params, (torch.tensor(1.0),)
