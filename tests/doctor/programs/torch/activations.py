"""Hard and saturated activations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={
        "encoder.weight": "unreached",
        "encoder.bias": "unreached",
        "decoder.weight": "reached",
        "decoder.bias": "reached",
    },
    fix={"round": "identity"},
)
def rounding_in_a_bottleneck():
    """An autoencoder rounds its code: the encoder never learns."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"encoder": nn.Linear(6, 4), "decoder": nn.Linear(4, 6)})
    x = torch.randn(16, 6) * 3

    def loss(model, x):
        code = torch.round(model["encoder"](x))  # dies: flat round
        return F.mse_loss(model["decoder"](code), x)

    return loss, model, (x,)


@sick(
    parameters={"w1": "unreached", "w2": "unreached", "w3": "reached"},
    fix={"sign": "clipped_identity"},
)
def binary_activations_twice():
    """Two layers of signs, one after the other: a fix of the second alone revives w2 only."""
    torch.manual_seed(1)
    params = {
        "w1": (torch.randn(5, 12) * 0.2).requires_grad_(),
        "w2": (torch.randn(12, 12) * 0.2).requires_grad_(),
        "w3": (torch.randn(12, 1) * 0.2).requires_grad_(),
    }
    x = torch.randn(20, 5)
    y = (x.sum(1, keepdim=True) > 0).float()

    def loss(params, x, y):
        h = torch.sign(x @ params["w1"])  # dies: flat sign
        h = (h @ params["w2"]).sign()  # dies: flat sign
        return F.binary_cross_entropy_with_logits(h @ params["w3"], y)

    return loss, params, (x, y)


class LeakyCell(nn.Module):
    """A leaky integrate-and-fire layer without a surrogate."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(inputs, units)
        self.decay = nn.Parameter(torch.full((units,), 0.8))

    def forward(self, x, potential):
        potential = self.decay * potential + self.inputs(x)
        spike = (potential > 1.0).float()  # dies: cut greater
        return spike, potential - spike


@sick(
    parameters={
        "0.inputs.weight": "unreached",
        "0.inputs.bias": "unreached",
        "0.decay": "unreached",
        "1.weight": "reached",
        "1.bias": "reached",
    },
    fix={"greater": "fast_sigmoid"},
    elsewhere=(LeakyCell,),
)
def spikes_in_a_recurrent_loop():
    """Spikes are a comparison cast to float; the read-out learns, the neurons do not."""
    torch.manual_seed(2)
    model = nn.Sequential(LeakyCell(4, 10), nn.Linear(10, 3))
    x = torch.randn(8, 6, 4) * 2
    y = torch.randint(0, 3, (8,))

    def loss(model, x, y):
        potential = torch.zeros(len(x), 10)
        rate = torch.zeros(len(x), 10)
        for t in range(x.shape[1]):
            spike, potential = model[0](x[:, t], potential)
            rate = rate + spike
        return F.cross_entropy(model[1](rate / x.shape[1]), y)

    return loss, model, (x, y)


@sick(
    parameters={
        "gate.weight": "unreached",
        "gate.bias": "unreached",
        "value.weight": "reached",
        "value.bias": "reached",
    },
    fix={"sigmoid": "identity"},
)
def gate_initialised_wide_open():
    """The bias of a highway gate starts at 200: the sigmoid is exactly 1 and so is its slope exactly 0."""
    torch.manual_seed(3)
    model = nn.ModuleDict({"gate": nn.Linear(5, 5), "value": nn.Linear(5, 5)})
    nn.init.constant_(model["gate"].bias, 200.0)
    x = torch.randn(12, 5)

    def loss(model, x):
        gate = torch.sigmoid(model["gate"](x))  # dies: saturated sigmoid
        return (gate * model["value"](x) + (1 - gate) * x - x.flip(1)).square().mean()

    return loss, model, (x,)


@sick(
    parameters={"0.weight": "unreached", "0.bias": "unreached", "2.weight": "unreached", "2.bias": "reached"},
    fix={"relu": "leaky_relu"},
)
def dead_relu_after_a_bad_step():
    """One step with a huge rate left the biases at -30: no unit fires for any example."""
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    with torch.no_grad():
        model[0].bias.fill_(-30.0)
    x, y = torch.randn(32, 6), torch.randn(32, 1)

    def loss(model, x, y):
        h = model(x)  # dies: saturated relu
        return (h - y).square().mean()

    return loss, model, (x, y)


@sick(
    parameters={"mean.weight": "reached", "mean.bias": "reached", "log_std": "unreached"},
    fix={"clip": "identity"},
)
def log_std_clipped_far_outside():
    """A Gaussian policy clamps its log standard deviation to [-5, 2] but it stands at 6."""
    torch.manual_seed(5)
    model = nn.Module()
    model.mean = nn.Linear(3, 2)
    model.log_std = nn.Parameter(torch.full((2,), 6.0))
    states, actions = torch.randn(10, 3), torch.randn(10, 2)

    def loss(model, states, actions):
        log_std = torch.clamp(model.log_std, -5.0, 2.0)  # dies: saturated clip|clamp
        policy = torch.distributions.Normal(model.mean(states), log_std.exp())
        return -policy.log_prob(actions).sum(-1).mean()

    return loss, model, (states, actions)


@sick(
    parameters={"trunk.weight": "partly_reached", "trunk.bias": "partly_reached", "head.weight": "reached"},
    fix={"floor": "identity"},
)
def half_of_the_features_floored():
    """Half of the features are floored to bins, the other half stays: half of each tensor never learns."""
    torch.manual_seed(6)
    model = nn.ModuleDict({"trunk": nn.Linear(5, 8), "head": nn.Linear(8, 1, bias=False)})
    x, y = torch.randn(24, 5) * 2, torch.randn(24, 1)

    def loss(model, x, y):
        h = model["trunk"](x)
        coarse, fine = h.chunk(2, dim=-1)
        coarse = coarse.floor()  # dies: flat floor
        return F.smooth_l1_loss(model["head"](torch.cat([coarse, fine], -1)), y)

    return loss, model, (x, y)
