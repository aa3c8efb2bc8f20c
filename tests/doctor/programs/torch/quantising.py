"""Pruning masks, fake quantisation, bins."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(parameters={"weight": "reached", "threshold": "unreached"}, fix={"greater": "sigmoid"})
def learned_pruning_threshold():
    """Weights below a learned threshold are set to zero: the threshold never moves."""
    torch.manual_seed(0)
    params = nn.ParameterDict({"weight": torch.randn(8, 4), "threshold": torch.tensor(0.05)})
    x, y = torch.randn(16, 8), torch.randn(16, 4)

    def loss(params, x, y):
        mask = (params["weight"].abs() > params["threshold"]).float()  # dies: cut greater
        return F.mse_loss(x @ (params["weight"] * mask), y) + 0.1 * mask.mean()

    return loss, params, (x, y)


@sick(
    parameters={"weight": "unreached", "scale": "reached"},
    fix={"round": "identity", "cast": "identity"},
)
def weights_through_int8():
    """Fake quantisation by hand: round, clamp, int8, float. Round and the cast kill, each alone."""
    torch.manual_seed(1)
    params = {
        "weight": torch.randn(6, 6).requires_grad_(),
        "scale": torch.tensor(0.05).requires_grad_(),
    }
    x = torch.randn(12, 6)

    def loss(params, x):
        levels = (params["weight"] / params["scale"]).round()  # dies: flat round
        levels = levels.clamp(-128, 127)
        stored = levels.to(torch.int8)  # dies: cut cast
        weight = stored.float() * params["scale"]
        return (x @ weight - x).square().mean()

    return loss, params, (x,)


@sick(
    parameters={"thermometer.weight": "unreached", "thermometer.bias": "unreached", "price.weight": "reached"},
    fix=None,
    why_not="counts: the bucket number is an address; its proxy would be a softmax over the buckets, not element-wise",
)
def bucketised_feature():
    """A learned temperature is put into buckets, each bucket has a learned price."""
    torch.manual_seed(2)
    model = nn.ModuleDict({"thermometer": nn.Linear(3, 1), "price": nn.Embedding(5, 1)})
    x, y = torch.randn(80, 3), torch.randn(80)
    edges = torch.tensor([-1.0, -0.3, 0.3, 1.0])

    def loss(model, x, y):
        reading = model["thermometer"](x).squeeze(-1)
        bucket = torch.bucketize(reading, edges)  # dies: cut bucketize
        return F.l1_loss(model["price"](bucket).squeeze(-1), y)

    return loss, model, (x, y)


@sick(parameters={"0.weight": "unreached", "0.bias": "unreached"}, fix={"round": "identity"})
def rounding_in_place():
    """The output is rounded to whole dollars, in place: nothing learns at all."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 1))
    x, y = torch.randn(10, 4), torch.randint(-3, 4, (10, 1)).float()

    def loss(model, x, y):
        price = model(x) * 5
        price.round_()  # dies: flat round
        return (price - y).pow(2).mean()

    return loss, model, (x, y)


@sick(
    parameters={"net.weight": "unreached", "net.bias": "unreached", "gain": "reached"},
    fix={"floor": "identity", "clip": "identity"},
)
def two_deaths_on_one_line():
    """A converter floors and clips on one line; the clip is far away from its range as well."""
    torch.manual_seed(4)
    model = nn.Module()
    model.net = nn.Linear(4, 4)
    model.gain = nn.Parameter(torch.ones(4))
    nn.init.constant_(model.net.bias, 40.0)
    x = torch.randn(9, 4)

    def loss(model, x):
        code = torch.clamp(torch.floor(model.net(x)), 0, 15)  # dies: flat floor # dies: saturated clip|clamp
        return (code * model.gain - x).square().mean()

    return loss, model, (x,)
