"""Equal entries: the derivative is not unique at this input."""

from __future__ import annotations

import torch
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={"0.weight": "unreached", "0.bias": "unreached", "2.weight": "unreached", "2.bias": "reached"},
    fix=None,
    why_not="ties: relu stands exactly at its kink; another start is needed",
)
def relu_at_zero_everywhere():
    """The first layer starts at zero, all units stand at relu's kink where torch takes the slope 0."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    x, y = torch.randn(10, 4), torch.randn(10, 1)

    def loss(model, x, y):
        h = model[0](x)
        h = model[1](h)  # dies: tie relu
        return (model[2](h) - y).square().mean()

    return loss, model, (x, y)


@sick(
    parameters={"left.weight": "unreached", "right.weight": "unreached"},
    fix=None,
    why_not="ties: abs at 0; start the twins differently",
)
def twins_that_start_equal():
    """The distance of two equal networks in L1: abs stands at 0 for all examples."""
    torch.manual_seed(1)
    model = nn.ModuleDict({"left": nn.Linear(5, 2, bias=False), "right": nn.Linear(5, 2, bias=False)})
    model["right"].load_state_dict(model["left"].state_dict())
    x = torch.randn(12, 5)

    def loss(model, x):
        gap = model["left"](x) - model["right"](x)
        return 2 - torch.abs(gap).sum(-1).mean()  # dies: tie abs

    return loss, model, (x,)


@sick(
    parameters={"bids": "partly_reached"},
    fix=None,
    why_not="ties: four equal bids, max returns the first",
)
def auction_with_equal_bids():
    """The highest of four equal bids: only one bidder hears about the price."""
    params = {"bids": torch.full((4,), 0.5).requires_grad_()}

    def loss(params, value):
        price, _winner = params["bids"].max(dim=0)  # dies: tie max
        return (price - value).square()

    return loss, params, (torch.tensor(2.0),)
