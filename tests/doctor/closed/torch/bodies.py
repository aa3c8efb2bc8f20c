"""Deaths inside hooks, parametrisations, functional transforms, second derivatives, loops."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from doctor.catalogue import sick


class Binary(nn.Module):
    def forward(self, w):
        return w.sign() * w.abs().mean().detach()  # dies: flat sign # stops: stop_gradient


@sick(
    parameters={"0.bias": "reached", "0.parametrizations.weight.original": "unreached", "2.weight": "reached"},
    fix={"sign": "clipped_identity"},
    elsewhere=(Binary,),
)
def binary_weight_by_parametrisation():
    """A parametrised weight: sign times a detached mean."""
    torch.manual_seed(90)
    model = nn.Sequential(nn.Linear(4, 6), nn.Softsign(), nn.Linear(6, 2, bias=False))
    parametrize.register_parametrization(model[0], "weight", Binary())
    x, y = torch.randn(9, 4), torch.randn(9, 2)

    def loss(model, x, y):
        return F.mse_loss(model(x), y)

    return loss, model, (x, y)


@sick(
    parameters={"0.weight": "unreached", "0.bias": "unreached", "1.weight": "reached", "1.bias": "reached"},
    fix={"round": "identity"},
)
def rounding_in_a_forward_hook():
    """A tool for inspection rounds what passes; the hook was never removed."""
    torch.manual_seed(91)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    x, y = torch.randn(6, 4), torch.randn(6, 1)

    def compact(module, inputs, output):
        return torch.round(output, decimals=2)  # dies: flat round

    model[0].register_forward_hook(compact)

    def loss(model, x, y):
        return (model(x) - y).square().sum()

    return loss, model, (x, y)


@sick(parameters={"w": "unreached", "c": "reached"}, fix={"argmax": "softmax"})
def ensemble_votes_under_vmap():
    """An ensemble by vmap over stacked weights: each member votes with its best class."""
    torch.manual_seed(92)
    params = {"w": torch.randn(5, 4, 3, requires_grad=True), "c": torch.ones(5, requires_grad=True)}
    x, y = torch.randn(11, 4), torch.randint(0, 3, (11,))

    def member(w, x):
        best = torch.argmax(x @ w, -1, keepdim=True)  # dies: cut argmax
        return (best == torch.arange(3)).to(w.dtype)

    def loss(params, x, y):
        votes = torch.vmap(member, in_dims=(0, None))(params["w"], x)
        share = torch.tensordot(params["c"].softmax(0), votes, 1)
        return -torch.log(share.gather(1, y[:, None]) + 0.1).mean()

    return loss, params, (x, y)


@sick(
    parameters={"a": "unreached", "b": "unreached", "c": "unreached"},
    fix={"relu": F.softplus},
)
def curvature_of_a_relu_network():
    """A differential equation with second derivatives, a network of relus: its curvature is zero everywhere."""
    torch.manual_seed(93)
    params = {
        "a": torch.randn(1, 12, requires_grad=True),
        "b": torch.randn(12, requires_grad=True),
        "c": torch.randn(12, 1, requires_grad=True),
    }
    t = torch.linspace(0, 1, 9)[:, None]

    def loss(params, t):
        t = t.clone().requires_grad_()
        u = F.relu(t @ params["a"] + params["b"]) @ params["c"]  # dies: flat relu
        (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), t, create_graph=True)
        return (bend + torch.sin(t)).square().mean()

    return loss, params, (t,)


@sick(
    parameters={
        "think.weight_ih": "reached",
        "think.weight_hh": "reached",
        "halt.weight": "unreached",
        "halt.bias": "unreached",
        "say.weight": "reached",
    },
    fix=None,
    why_not="counts: how often a loop runs",
)
def thinking_until_the_halting_unit_says_stop():
    """The number of steps depends on a learned unit, and enters the loss as a price."""
    torch.manual_seed(94)
    model = nn.ModuleDict(
        {"think": nn.RNNCell(3, 5, bias=False), "halt": nn.Linear(5, 1), "say": nn.Linear(5, 2, bias=False)}
    )
    x, y = torch.randn(4, 3), torch.randint(0, 2, (4,))

    def loss(model, x, y):
        h, total, steps = torch.zeros(4, 5), torch.zeros(4, 1), 0
        while (total < 1.5).any():  # dies: cut less|bool
            h = model["think"](x, h)
            total = total + torch.sigmoid(model["halt"](h))
            steps += 1
        return F.cross_entropy(model["say"](h), y) + 0.01 * steps

    return loss, model, (x, y)


@sick(
    parameters={"first.weight": "unreached", "first.bias": "unreached", "second.weight": "reached"},
    fix=None,
    why_not="stop_gradient: a hook on the backward pass",
)
def gradient_wiped_by_a_tensor_hook():
    """A hook that should have scaled the gradient multiplies by an integer division."""
    torch.manual_seed(95)
    model = nn.ModuleDict({"first": nn.Linear(3, 5), "second": nn.Linear(5, 1, bias=False)})
    x, y = torch.randn(10, 3), torch.randn(10, 1)

    def loss(model, x, y):
        h = torch.tanh(model["first"](x))
        h.register_hook(lambda g: g * (1 // len(x)))  # dies: flat|cut hook|register_hook
        return (model["second"](h) - y).square().mean()

    return loss, model, (x, y)


@sick(
    parameters={
        "stem.weight": "unreached",
        "stem.bias": "unreached",
        "stage.0.weight": "unreached",
        "stage.0.bias": "unreached",
        "stage.1.weight": "reached",
        "stage.1.bias": "reached",
    },
    fix={"sign": "clipped_identity"},
)
def reentrant_checkpoint_of_a_stage():
    """The old, reentrant checkpoint: the stage is run without a graph first, then again in the backward pass."""
    torch.manual_seed(96)
    model = nn.ModuleDict({"stem": nn.Linear(4, 5), "stage": nn.ModuleList([nn.Linear(5, 6), nn.Linear(6, 3)])})
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))

    def stage(h):
        h = model["stage"][0](h)
        h = torch.Tensor.sign(h)  # dies: flat sign
        return model["stage"][1](h)

    def loss(model, x, y):
        h = model["stem"](x).relu()
        return F.cross_entropy(checkpoint(stage, h, use_reentrant=True), y)

    return loss, model, (x, y)
