"""Infinite slopes, nan behind a mask, overflow."""

from __future__ import annotations

import torch
from torch import nn

from doctor.catalogue import sick


@sick(parameters={"amplitude": "partly_reached", "phase": "reached"}, fix=None, why_not="non_finite: xlogy at 0")
def entropy_of_amplitudes():
    """Squared amplitudes, two of which are exactly zero: the entropy is fine, its slope is not."""
    params = {
        "amplitude": torch.tensor([0.6, 0.0, 0.8, 0.0], requires_grad=True),
        "phase": torch.tensor(0.3, requires_grad=True),
    }

    def loss(params):
        p = params["amplitude"].square()
        entropy = -torch.xlogy(p, p).sum()  # dies: non_finite xlogy
        return entropy * params["phase"].cos()

    return loss, params, ()


@sick(parameters={"turn": "unreached"}, fix=None, why_not="non_finite: acos at 1")
def angle_between_equal_directions():
    """The angle to a direction shall be a half; at the start both are equal and acos stands at 1."""
    params = nn.ParameterDict({"turn": torch.tensor([1.0, 0.0, 0.0])})

    def loss(params, wanted):
        cosine = torch.dot(params["turn"], wanted)
        return (torch.acos(cosine) - 0.5).square()  # dies: non_finite acos|arccos

    return loss, params, (torch.tensor([1.0, 0.0, 0.0]),)


@sick(
    parameters={"gain.weight": "unreached", "gain.bias": "unreached", "level": "reached"},
    fix=None,
    why_not="non_finite: exp overflows in the branch that is not taken",
)
def softplus_written_by_hand():
    """A guarded softplus: beyond 20 it is x, but exp(x) is still computed, and is infinite."""
    torch.manual_seed(60)
    model = nn.Module()
    model.gain = nn.Linear(2, 1)
    model.level = nn.Parameter(torch.tensor(0.1))
    x = torch.tensor([[1.0, 2.0], [400.0, 300.0], [-1.0, 0.5]])
    nn.init.ones_(model.gain.weight)

    def loss(model, x):
        z = model.gain(x)
        e = torch.exp(z)  # dies: non_finite exp
        rate = torch.where(z > 20, z, torch.log1p(e)) + model.level
        return rate.mean()

    return loss, model, (x,)


@sick(
    parameters={"point": "unreached", "choose": "reached"},
    fix=None,
    why_not="non_finite: log_softmax of a row of -inf",
)
def pointer_network_with_a_finished_row():
    """An additive mask of -inf; the last tour has nothing left to visit and is masked out of the loss, too late."""
    torch.manual_seed(61)
    params = {"point": torch.randn(4, 4, requires_grad=True), "choose": torch.randn(4, requires_grad=True)}
    cities = torch.randn(3, 5, 4)
    visited = torch.tensor([[0, 1, 0, 0, 1], [1, 1, 0, 1, 0], [1, 1, 1, 1, 1]]).bool()

    def loss(params, cities, visited):
        mask = torch.zeros(3, 5).masked_fill(visited, -torch.inf)
        scores = (cities @ params["point"]).mean(-1) + mask
        log_p = scores.log_softmax(-1)  # dies: non_finite log_softmax|softmax
        open_tours = ~visited.all(-1)
        first = torch.where(open_tours, log_p.max(-1).values, 0.0)
        return -first.sum() + params["choose"].square().sum()

    return loss, params, (cities, visited)


@sick(
    parameters={"gamma": "unreached", "bias": "reached"},
    fix=None,
    why_not="non_finite: a power below one at 0",
)
def gamma_correction_of_black():
    """A learned scale, then x ** 0.45, with black pixels."""
    params = {"gamma": torch.ones((), requires_grad=True), "bias": torch.zeros((), requires_grad=True)}
    picture = torch.tensor([[0.0, 0.2], [0.9, 0.0]])

    def loss(params, picture):
        bright = torch.pow(params["gamma"] * picture, 0.45)  # dies: non_finite power|pow
        return (bright + params["bias"]).mean().square()

    return loss, params, (picture,)


@sick(
    parameters={"east": "partly_reached", "north": "partly_reached", "limit": "reached"},
    fix=None,
    why_not="non_finite: hypot at the origin",
)
def speed_of_a_vehicle_at_rest():
    """The speeds of three vehicles, one of which stands still."""
    params = nn.ParameterDict(
        {
            "east": torch.tensor([1.0, 0.0, -2.0]),
            "north": torch.tensor([0.5, 0.0, 1.0]),
            "limit": torch.tensor(1.5),
        }
    )

    def loss(params, weight):
        speed = torch.hypot(params["east"], params["north"])  # dies: non_finite hypot|norm|sqrt
        return (weight * (speed - params["limit"]).square()).sum()

    return loss, params, (torch.tensor([0.1, 0.2, 0.3]),)
