"""Deaths inside other bodies: checkpoints, vmap, functions of the user's, Python's if."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from doctor.catalogue import sick
from doctor.programs.torch import library


@sick(
    parameters={
        "blocks.0.weight": "unreached",
        "blocks.0.bias": "unreached",
        "blocks.1.weight": "unreached",
        "blocks.1.bias": "unreached",
        "last.weight": "reached",
        "last.bias": "reached",
    },
    fix={"round": "identity"},
)
def rounding_in_checkpointed_blocks():
    """Each block rounds its activations and is recomputed in the backward pass."""
    torch.manual_seed(0)
    model = nn.Module()
    model.blocks = nn.ModuleList(nn.Linear(5, 5) for _ in range(2))
    model.last = nn.Linear(5, 1)
    x, y = torch.randn(10, 5), torch.randn(10, 1)

    def block(layer, h):
        return torch.round(layer(h) * 4) / 4  # dies: flat round

    def loss(model, x, y):
        h = x
        for layer in model.blocks:
            h = checkpoint(block, layer, h, use_reentrant=False)
        return (model.last(h) - y).square().mean()

    return loss, model, (x, y)


@sick(parameters={"w": "unreached", "b": "reached"}, fix={"sign": "tanh"})
def sign_under_vmap():
    """One example's prediction is written down, vmap makes the batch."""
    torch.manual_seed(1)
    params = {"w": torch.randn(4, requires_grad=True), "b": torch.zeros((), requires_grad=True)}
    x, y = torch.randn(9, 4), torch.randn(9)

    def predict(params, x):
        vote = torch.sign(torch.dot(params["w"], x))  # dies: flat sign
        return vote + params["b"]

    def loss(params, x, y):
        predictions = torch.func.vmap(predict, in_dims=(None, 0))(params, x)
        return (predictions - y).pow(2).mean()

    return loss, params, (x, y)


@sick(
    parameters={"weight": "unreached", "bias": "unreached"},
    fix={"round": "identity"},
    elsewhere=(library.to_grid,),
)
def grid_in_another_file():
    """The helper that snaps to a grid lives in the user's library."""
    torch.manual_seed(2)
    model = nn.Linear(2, 2)
    points = torch.randn(15, 2)

    def loss(model, points):
        placed = library.to_grid(model(points), 0.5)
        return (placed - points).abs().sum(-1).mean()

    return loss, model, (points,)


@sick(
    parameters={"0.weight": "unreached", "1.weight": "reached"},
    fix=None,
    why_not="custom_rule: the zeros are written in a backward of the user's own",
)
def custom_function_that_returns_zeros():
    """A custom autograd function whose backward is a stub."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 6, bias=False), nn.Linear(6, 4, bias=False))
    x = torch.randn(11, 4)

    def loss(model, x):
        bits = library.OneBit.apply(model[0](x))  # dies: flat OneBit
        return (model[1](bits) - x).square().mean()

    return loss, model, (x,)


@sick(
    parameters={"gate": "unreached", "left": "reached", "right": "unused"},
    fix=None,
    why_not="counts: a Python branch; the value becomes a bool",
)
def python_branch_on_a_value():
    """A learned gate decides with Python's if which of two matrices is used."""
    torch.manual_seed(4)
    params = {name: torch.randn(3, 3, requires_grad=True) for name in ("left", "right")}
    params["gate"] = torch.tensor([0.5, 0.2, 0.3], requires_grad=True)
    x = torch.randn(6, 3).abs()

    def loss(params, x):
        if (x @ params["gate"]).mean() > 0:  # dies: cut greater|bool
            y = x @ params["left"]
        else:
            y = x @ params["right"]
        return (y - x).square().mean()

    return loss, params, (x,)


@sick(
    parameters={"encoder.weight": "unreached", "slope": "unreached", "head": "reached"},
    fix={"ceil": "identity", "trunc": "identity"},
)
def chain_through_two_functions():
    """An inner function rounds up, an outer one truncates its sum: fixing either leaves zero."""
    torch.manual_seed(5)
    model = nn.Module()
    model.encoder = nn.Linear(3, 6, bias=False)
    model.slope = nn.Parameter(torch.tensor(1.7))
    model.head = nn.Parameter(torch.randn(2))
    x, y = torch.randn(14, 3), torch.randn(14)

    def tickets(h):
        return torch.ceil(h * 2)  # dies: flat ceil

    def blocks(t, slope):
        pair = t.reshape(len(t), 2, 3).sum(-1)
        return torch.trunc(pair * slope)  # dies: flat trunc

    def loss(model, x, y):
        return (blocks(tickets(model.encoder(x)), model.slope) @ model.head - y).pow(2).mean()

    return loss, model, (x, y)


@sick(
    parameters={
        "net.0.weight": "unreached",
        "net.0.bias": "unreached",
        "net.2.weight": "unreached",
        "net.2.bias": "unreached",
    },
    fix={"argmax": "softmax"},
)
def nested_containers():
    """A dictionary of a list of layers and integers in a batch that is a dictionary."""
    torch.manual_seed(6)
    model = nn.ModuleDict({"net": nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))})
    batch = {"x": torch.randn(20, 3), "reward": torch.rand(20, 4)}

    def loss(model, batch):
        arm = torch.argmax(model["net"](batch["x"]), dim=-1, keepdim=True)  # dies: cut argmax
        return -batch["reward"].gather(1, arm).mean()

    return loss, model, (batch,)


@sick(
    parameters={"width": "unreached", "net.weight": "reached", "net.bias": "reached"},
    fix=None,
    why_not="counts: a length",
)
def window_of_a_learned_length():
    """A learned number, read as a Python integer, says how many of the last values are averaged."""
    torch.manual_seed(7)
    model = nn.Module()
    model.width = nn.Parameter(torch.tensor(4.6))
    model.net = nn.Linear(1, 1)
    series, y = torch.randn(10, 12), torch.randn(10, 1)

    def loss(model, series, y):
        length = int(model.width.item())  # dies: cut item
        return (model.net(series[:, -length:].mean(1, keepdim=True)) - y).square().mean()

    return loss, model, (series, y)
