"""The graph is left or the gradient stopped, by accident."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={"norm.weight": "unreached", "norm.bias": "unreached", "net.weight": "reached", "net.bias": "reached"},
    fix=None,
    why_not="counts: a Python number carries no gradient",
)
def temperature_as_a_python_number():
    """The learned temperature is read with item() for a print and then used."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"norm": nn.Linear(4, 1), "net": nn.Linear(4, 3)})
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))

    def loss(model, x, y):
        temperature = F.softplus(model["norm"](x)).mean().item()  # dies: cut item
        return F.cross_entropy(model["net"](x) / temperature, y)

    return loss, model, (x, y)


@sick(
    parameters={
        "front.weight": "unreached",
        "front.bias": "unreached",
        "back.weight": "reached",
        "back.bias": "reached",
    },
    fix=None,
    why_not="counts: numpy carries no gradient",
)
def median_filter_in_numpy():
    """A filter exists only in numpy; what stands before it does not learn."""
    torch.manual_seed(1)
    model = nn.ModuleDict({"front": nn.Linear(6, 6), "back": nn.Linear(6, 1)})
    x, y = torch.randn(8, 6), torch.randn(8, 1)

    def loss(model, x, y):
        h = model["front"](x).detach().numpy()  # dies: cut stop_gradient|numpy
        smooth = np.median(np.stack([np.roll(h, s, axis=1) for s in (-1, 0, 1)]), axis=0)
        return F.mse_loss(model["back"](torch.from_numpy(smooth)), y)

    return loss, model, (x, y)


@sick(
    parameters={
        "backbone.0.weight": "unreached",
        "backbone.0.bias": "unreached",
        "head.weight": "reached",
        "head.bias": "reached",
    },
    fix=None,
    why_not="stop_gradient: remove the no_grad",
)
def backbone_left_under_no_grad():
    """The no_grad of the linear probe was forgotten when fine-tuning began."""
    torch.manual_seed(2)
    model = nn.ModuleDict({"backbone": nn.Sequential(nn.Linear(5, 8), nn.GELU()), "head": nn.Linear(8, 2)})
    x, y = torch.randn(12, 5), torch.randint(0, 2, (12,))

    def loss(model, x, y):
        with torch.no_grad():  # dies: cut stop_gradient|no_grad
            features = model["backbone"](x)
        return F.cross_entropy(model["head"](features), y)

    return loss, model, (x, y)


@sick(
    parameters={"u": "unreached", "v": "reached"},
    fix={"stop_gradient": "identity"},
)
def weight_tied_through_data():
    """A tied weight is taken as .data: a matrix factor never learns."""
    torch.manual_seed(3)
    params = nn.ParameterDict({"u": torch.randn(5, 2), "v": torch.randn(2, 5)})
    x = torch.randn(7, 5)

    def loss(params, x):
        u = params["u"].data  # dies: cut stop_gradient|data
        return (x @ u @ params["v"] - x).square().mean()

    return loss, params, (x,)


@sick(
    parameters={"h0": "unreached", "cell.weight_ih": "reached", "cell.weight_hh": "reached", "out": "reached"},
    fix={"stop_gradient": "identity"},
)
def truncation_that_cuts_the_first_state():
    """The state is detached between chunks: the learned first state stands before the first cut, the loss after it."""
    torch.manual_seed(4)
    model = nn.Module()
    model.h0 = nn.Parameter(torch.randn(6) * 0.1)
    model.cell = nn.RNNCell(3, 6, bias=False)
    model.out = nn.Parameter(torch.randn(6))
    x = torch.randn(4, 8, 3)

    def loss(model, x):
        h = model.h0.expand(len(x), -1)
        for t, now in enumerate(x.unbind(1)):
            if t % 4 == 0:
                h = h.detach()  # dies: cut stop_gradient
            h = model.cell(now, h)
        return (h @ model.out - x.sum((1, 2))).square().mean()

    return loss, model, (x,)
