"""Floors, sorts, kinks and invariances through which the gradient gets all the same."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import healthy


@healthy()
def interpolation_in_a_learned_table():
    """Linear interpolation: floor finds the cell, the fraction keeps the gradient."""
    torch.manual_seed(110)
    params = {"place": (torch.rand(12) * 5).requires_grad_(), "table": torch.randn(8, requires_grad=True)}
    wanted = torch.randn(12)

    def loss(params, wanted):
        place, table = params["place"], params["table"]
        cell = place.floor().long()
        part = place - cell
        value = (1 - part) * table[cell] + part * table[cell + 1]
        return (value - wanted).square().mean()

    return loss, params, (wanted,)


@healthy()
def wasserstein_by_sorting():
    """Sorted projections are compared: sort passes gradients to the values it moves. In double precision."""
    torch.manual_seed(111)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU6(), nn.Linear(8, 1)).double()
    z, data = torch.randn(32, 3, dtype=torch.float64), torch.randn(32, dtype=torch.float64)

    def loss(model, z, data):
        made = model(z).squeeze(-1)
        return (made.sort().values - data.sort().values).abs().mean() + made.topk(4).values.square().mean()

    return loss, model, (z, data)


@healthy(
    {
        "mix.weight": "reached",
        "mix.bias": ("unreached", "invariant"),
        "norm.weight": "reached",
        "norm.bias": "reached",
        "scale": ("unreached", "invariant"),
        "out.weight": "reached",
        "out.bias": "reached",
    }
)
def parameters_a_norm_does_not_see():
    """A bias before an instance norm, and a positive scale that is divided out again."""
    torch.manual_seed(112)
    model = nn.Module()
    model.mix = nn.Conv1d(2, 4, 3)
    model.norm = nn.InstanceNorm1d(4, affine=True)
    model.scale = nn.Parameter(torch.tensor(1.7))
    model.out = nn.Linear(4, 1)
    x, y = torch.randn(8, 2, 9), torch.randn(8, 1)

    def loss(model, x, y):
        h = model.norm(model.mix(x)).square().amax(-1)
        h = h * model.scale
        h = h / h.norm(dim=-1, keepdim=True)
        return (model.out(h) - y).square().mean()

    return loss, model, (x, y)


@healthy(
    {
        "now.weight": "reached",
        "now.bias": "reached",
        "before.weight": ("unreached", "starved"),
        "out.weight": "reached",
    }
)
def history_that_is_still_empty():
    """At the first step of an episode the last action is all zero: its weights are starved, not cut."""
    torch.manual_seed(113)
    model = nn.ModuleDict(
        {"now": nn.Linear(4, 6), "before": nn.Linear(3, 6, bias=False), "out": nn.Linear(6, 2, bias=False)}
    )
    x, last, y = torch.randn(9, 4), torch.zeros(9, 3), torch.randn(9, 2)

    def loss(model, x, last, y):
        return F.mse_loss(model["out"](torch.tanh(model["now"](x) + model["before"](last))), y)

    return loss, model, (x, last, y)


@healthy()
def differential_equation_with_tanh():
    """Second derivatives of a smooth network; the first boundary is hard-coded by a product."""
    torch.manual_seed(114)
    params = [torch.randn(1, 10), torch.randn(10), torch.randn(10, 1)]
    params = [p.requires_grad_() for p in params]
    t = torch.linspace(0, 1, 11)[:, None]

    def loss(params, t):
        a, b, c = params
        t = t.clone().requires_grad_()
        u = t * (torch.tanh(t @ a + b) @ c)
        (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), t, create_graph=True)
        return (bend + torch.sin(t)).square().mean()

    return loss, params, (t,)


@healthy()
def bounce_with_a_live_force():
    """A contact is found with a comparison, its force depends on the depth: all four numbers learn."""
    params = {k: torch.tensor(v, requires_grad=True) for k, v in {"x": 0.5, "v": -2.0, "k": 80.0, "g": 9.8}.items()}

    def loss(params, dt):
        x, v = params["x"], params["v"]
        for _ in range(12):
            push = torch.where(x < 0, -params["k"] * x, torch.zeros(()))
            v = v + dt * (push - params["g"])
            x = x + dt * v
        return (x - 0.3) ** 2

    return loss, params, (torch.tensor(0.05),)


@healthy()
def sets_of_unequal_length():
    """Padding is nan, taken out by an index; lengths are integers; a few distances are clipped."""
    torch.manual_seed(115)
    model = nn.ModuleDict({"each": nn.Linear(2, 5), "all": nn.Linear(5, 1)})
    x = torch.randn(6, 4, 2)
    lengths = torch.tensor([4, 2, 3, 4, 1, 2])
    x[torch.arange(4) >= lengths[:, None]] = torch.nan
    y = torch.randn(6, 1)

    def loss(model, x, lengths, y):
        real = ~x.isnan().any(-1)
        owner = torch.arange(6).repeat_interleave(lengths)
        h = torch.zeros(6, 5).index_add(0, owner, F.gelu(model["each"](x[real])))
        error = (model["all"](h / lengths[:, None]) - y).abs()
        return error.clamp(max=2.0).mean()

    return loss, model, (x, lengths, y)


@healthy()
def sparse_weights_under_l1():
    """Soft thresholding and an L1 penalty; a tenth of the weights is exactly zero."""
    torch.manual_seed(116)
    weight = torch.randn(10, 4)
    weight[::10] = 0
    model = nn.ParameterDict({"weight": weight, "shift": torch.zeros(4), "cut": torch.full((4,), 0.05)})
    x, y = torch.randn(25, 10), torch.randn(25, 4)

    def loss(model, x, y):
        w = model["weight"]
        small = w.sign() * F.relu(w.abs() - model["cut"])
        return F.mse_loss(x @ small + model["shift"], y) + 1e-3 * w.abs().sum()

    return loss, model, (x, y)
