"""Units with steps, plateaus and windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={"w": "unreached", "delta": "unreached", "alpha": "reached"},
    fix={"greater": "sigmoid", "less": "sigmoid"},
)
def ternary_convolution():
    """Ternary kernels by two comparisons on one line, side by side."""
    torch.manual_seed(10)
    params = nn.ParameterDict(
        {"w": torch.randn(3, 2, 3), "delta": torch.tensor(0.4), "alpha": torch.full((3, 1, 1), 0.5)}
    )
    signal, wanted = torch.randn(7, 2, 12), torch.randn(7, 3, 10)

    def loss(params, signal, wanted):
        w, t = params["w"], params["delta"]
        kernel = (w > t).float() - (w < -t).float()  # dies: cut greater # dies: cut less
        return F.mse_loss(F.conv1d(signal, kernel * params["alpha"]), wanted)

    return loss, params, (signal, wanted)


@sick(
    parameters={"drive.weight": "unreached", "drive.bias": "unreached", "read": "reached"},
    fix={"heaviside": "sigmoid"},
)
def perceptron_with_heaviside():
    """Rosenblatt's unit; torch does not even have a backward pass for heaviside."""
    torch.manual_seed(11)
    model = nn.Module()
    model.drive = nn.Linear(4, 7)
    model.read = nn.Parameter(torch.randn(7))
    x, y = torch.randn(13, 4), torch.randn(13)

    def loss(model, x, y):
        fired = torch.heaviside(model.drive(x), torch.zeros(()))  # dies: cut|flat heaviside
        return F.huber_loss(fired @ model.read, y)

    return loss, model, (x, y)


class Window(torch.autograd.Function):
    """A triangular surrogate of width one."""

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return torch.where(u > 0, 1.0, 0.0)

    @staticmethod
    def backward(ctx, gradient):
        (u,) = ctx.saved_tensors
        return gradient * (1 - u.abs()).clamp(min=0)


@sick(
    parameters={"current.weight": "unreached", "current.bias": "unreached", "readout.weight": "reached"},
    fix=None,
    why_not="custom_rule: the window belongs to a backward of the user's own",
)
def surrogate_window_missed():
    """The membrane stands some ten units below threshold: no element falls into the surrogate's window."""
    torch.manual_seed(12)
    model = nn.ModuleDict({"current": nn.Linear(3, 6), "readout": nn.Linear(6, 2, bias=False)})
    nn.init.constant_(model["current"].bias, 4.0)
    x, y = torch.rand(9, 3), torch.randn(9, 2)

    def loss(model, x, y):
        u = model["current"](x) * 5.0 - 1.0
        s = Window.apply(u)  # dies: saturated Window
        return (model["readout"](s) - y).square().sum()

    return loss, model, (x, y)


@sick(
    parameters={"rnn.weight": "unreached", "rnn.bias": "unreached", "carry": "unreached", "out.weight": "reached"},
    fix={"tanh": "identity"},
)
def exploded_recurrence_in_tanh():
    """Inputs in raw pascal: tanh is +1 or -1 in every unit at every step."""
    torch.manual_seed(13)
    model = nn.Module()
    model.rnn = nn.Linear(1, 5)
    model.carry = nn.Parameter(torch.eye(5))
    model.out = nn.Linear(5, 1, bias=False)
    pressure = 101325.0 + 200 * torch.randn(6, 4, 1)

    def loss(model, pressure):
        h = pressure.new_zeros(6, 5)
        for t in range(4):
            h = torch.tanh(model.rnn(pressure[:, t]) + h @ model.carry)  # dies: saturated tanh
        return (model.out(h) - pressure[:, -1] / 1e5).abs().mean()

    return loss, model, (pressure,)


@sick(
    parameters={"colour": "unreached", "light": "reached"},
    fix={"clip": "identity"},
)
def overexposed_picture():
    """A learned colour map is hard-clipped to [0, 1], all of it far above."""
    torch.manual_seed(14)
    params = {
        "colour": (torch.rand(3, 3) + 2).requires_grad_(),
        "light": torch.ones(3, requires_grad=True),
    }
    pixels = torch.rand(5, 5, 3) + 0.5

    def loss(params, pixels):
        developed = pixels @ params["colour"]
        shown = F.hardtanh(developed, 0.0, 1.0)  # dies: saturated clip|hardtanh
        return (shown * params["light"] - pixels).pow(2).mean()

    return loss, params, (pixels,)


@sick(
    parameters={"scale": "reached", "logits": "unreached"},
    fix={"floor": "identity"},
)
def stochastic_rounding_by_hand():
    """floor(x + u): unbiased in the mean, flat in the derivative."""
    torch.manual_seed(15)
    params = nn.ParameterDict({"scale": torch.full((1, 6), 0.3), "logits": torch.randn(4, 6)})
    x, u = torch.randn(8, 4), torch.rand(4, 6)

    def loss(params, x, u):
        integer = (params["logits"] * 4 + u).floor()  # dies: flat floor
        return (x @ (integer * params["scale"])).logsumexp(-1).mean()

    return loss, params, (x, u)


@sick(
    parameters={"tower.weight": "unreached", "tower.bias": "unreached", "payload.weight": "reached"},
    fix={"softmax": "identity"},
)
def attention_at_a_cold_temperature():
    """A temperature of 1e-5 makes softmax exactly one-hot in float32, with an exactly zero Jacobian."""
    torch.manual_seed(16)
    model = nn.ModuleDict({"tower": nn.Linear(4, 5), "payload": nn.Linear(5, 4, bias=False)})
    x = torch.randn(10, 4)

    def loss(model, x):
        weights = torch.softmax(model["tower"](x) / 1e-5, dim=-1)  # dies: saturated softmax
        return F.mse_loss(model["payload"](weights), x)

    return loss, model, (x,)
