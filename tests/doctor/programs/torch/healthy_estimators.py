"""Hard values with a live gradient: straight-through lines and surrogates of many spellings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

import straightthrough as ste
from doctor.catalogue import healthy


@healthy()
def straight_through_three_spellings():
    """Three layers, three spellings of the textbook line."""
    torch.manual_seed(0)
    model = nn.ModuleList(nn.Linear(5, 5) for _ in range(4))
    x = torch.randn(12, 5)

    def loss(model, x):
        h = model[0](x)
        h = h + (torch.round(h) - h).detach()  # stops: stop_gradient
        h = model[1](h)
        h = h.sign().detach() - h.detach() + h  # stops: stop_gradient
        h = model[2](h)
        with torch.no_grad():  # stops: stop_gradient|no_grad
            step = h.floor() - h
        h = h + step
        return (model[3](h) - x).square().mean()

    return loss, model, (x,)


class RoundIdentity(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class SpikeWithSurrogate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, potential):
        ctx.save_for_backward(potential)
        return (potential > 0).to(potential.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (potential,) = ctx.saved_tensors
        return gradient / (1 + 5 * potential.abs()) ** 2


@healthy()
def surrogate_spikes_and_a_custom_rounding():
    """A spiking layer with the fast sigmoid's slope, and rounding in a Function of its own."""
    torch.manual_seed(1)
    model = nn.ModuleDict({"inputs": nn.Linear(3, 9), "out": nn.Linear(9, 2), "last": nn.Linear(2, 2)})
    x, y = torch.randn(10, 7, 3), torch.randint(0, 2, (10,))

    def loss(model, x, y):
        potential, total = torch.zeros(10, 9), 0.0
        for t in range(7):
            potential = 0.9 * potential + model["inputs"](x[:, t])
            spike = SpikeWithSurrogate.apply(potential - 0.5)
            potential = potential - 0.5 * spike
            total = total + model["out"](spike)
        return F.cross_entropy(model["last"](RoundIdentity.apply(total)), y)

    return loss, model, (x, y)


@healthy()
def operations_of_this_library():
    """The library's own operators: they are hard in value only."""
    torch.manual_seed(2)
    params = {
        "first": torch.randn(6, 6, requires_grad=True),
        "router": torch.randn(6, 4, requires_grad=True),
        "experts": torch.randn(4, 6, requires_grad=True),
        "threshold": torch.tensor(0.1, requires_grad=True),
    }
    x = torch.randn(15, 6) * 0.5

    def loss(params, x):
        h = ste.round(x @ params["first"])
        h = ste.sign(h * 0.2 + 0.1)
        choice = ste.one_hot_argmax(h @ params["router"])
        mask = ste.greater(x, params["threshold"])
        return ((choice @ params["experts"]) * mask - x).square().mean()

    return loss, params, (x,)


@healthy()
def gumbel_softmax_both_ways():
    """Soft and hard Gumbel softmax of torch: the hard one has the soft one's gradient."""
    torch.manual_seed(3)
    model = nn.ModuleDict({"soft": nn.Linear(4, 3), "hard": nn.Linear(3, 5), "out": nn.Linear(5, 4)})
    x = torch.randn(20, 4)

    def loss(model, x):
        a = F.gumbel_softmax(model["soft"](x), tau=0.7)
        b = F.gumbel_softmax(model["hard"](a), tau=1.0, hard=True)
        return F.mse_loss(model["out"](b), x)

    return loss, model, (x,)


@healthy()
def vector_quantisation_with_a_commitment():
    """VQ as in the paper: half of the codes are never chosen, three stops, all on purpose."""
    torch.manual_seed(4)
    model = nn.ModuleDict({"encoder": nn.Linear(6, 2), "codes": nn.Embedding(16, 2), "decoder": nn.Linear(2, 6)})
    x = torch.randn(12, 6)

    def loss(model, x):
        z = model["encoder"](x)
        index = torch.cdist(z, model["codes"].weight).argmin(-1)
        q = model["codes"](index)
        codebook = F.mse_loss(q, z.detach())  # stops: stop_gradient
        commitment = F.mse_loss(z, q.detach())  # stops: stop_gradient
        q = z + (q - z).detach()  # stops: stop_gradient
        return F.mse_loss(model["decoder"](q), x) + codebook + 0.25 * commitment

    return loss, model, (x,)
