"""Simulations with contacts and cells."""

from __future__ import annotations

import torch

from doctor.catalogue import sick


@sick(
    parameters={"restitution": "reached", "position": "unreached", "velocity": "reached"},
    fix={"less": "sigmoid"},
)
def bouncing_ball():
    """The speed after five steps depends on the first position only through the question whether the ball touched."""
    params = {
        "restitution": torch.tensor(0.8, requires_grad=True),
        "position": torch.tensor(1.0, requires_grad=True),
        "velocity": torch.tensor(-2.0, requires_grad=True),
    }

    def loss(params, dt):
        x, v = params["position"], params["velocity"]
        for _ in range(5):
            x = x + dt * v
            touched = torch.lt(x, 0.0)  # dies: cut less|lt
            v = torch.where(touched, -params["restitution"] * v, v)
        return (v - 1.0) ** 2

    return loss, params, (torch.tensor(0.2),)


@sick(
    parameters={"0": "unreached", "1": "reached"},
    fix=None,
    why_not="counts: the cell number is an address of the table",
)
def cell_index_of_a_particle():
    """A force is looked up in the cell of the particle: the start is never learned, the table is."""
    torch.manual_seed(1)
    start = torch.rand(6, 2).mul(4).requires_grad_()
    table = torch.randn(5, 5, requires_grad=True)

    def loss(params, width):
        start, table = params
        cell = torch.floor(start / width)  # dies: flat floor
        i, j = cell.long().unbind(-1)  # dies: cut cast
        return table[i, j].square().sum()

    return loss, (start, table), (1.0,)


@sick(parameters={"angle": "unreached", "power": "unreached"}, fix={"less_equal": "sigmoid", "greater": "sigmoid"})
def arrows_that_hit():
    """The share of arrows between two marks, two comparisons on one line."""
    torch.manual_seed(2)
    params = {"angle": torch.tensor(0.7, requires_grad=True), "power": torch.tensor(9.0, requires_grad=True)}
    wind = torch.randn(30)

    def loss(params, wind):
        distance = params["power"] ** 2 * torch.sin(2 * params["angle"]) / 9.81 + wind
        hit = (distance > 7.0).double() * (distance <= 8.5)  # dies: cut greater # dies: cut less_equal
        return 1 - hit.mean()

    return loss, params, (wind,)
