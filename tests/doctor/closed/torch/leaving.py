"""Lost graphs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick
from doctor.closed.torch import toolbox


@sick(
    parameters={"0.weight": "unreached", "0.bias": "unreached", "1.weight": "reached", "1.bias": "reached"},
    fix=None,
    why_not="counts: a list of Python numbers",
)
def list_of_numbers_made_a_tensor_again():
    """Scores are collected as numbers and made a tensor again."""
    torch.manual_seed(80)
    model = nn.Sequential(nn.Linear(3, 1), nn.Linear(5, 2))
    bags, y = torch.randn(4, 5, 3), torch.randint(0, 2, (4,))

    def loss(model, bags, y):
        rows = []
        for bag in bags:
            rows.append([model[0](thing).item() for thing in bag])  # dies: cut item
        return F.cross_entropy(model[1](torch.tensor(rows)), y)

    return loss, model, (bags, y)


class Memory(nn.Module):
    """A slot memory in a buffer."""

    def __init__(self):
        super().__init__()
        self.write = nn.Linear(3, 4)
        self.read = nn.Linear(4, 3)
        self.register_buffer("slots", torch.zeros(5, 4))

    def forward(self, x):
        slots = self.slots.clone()
        for i, row in enumerate(x):
            slots[i % 5] = self.write(row).detach()  # dies: cut stop_gradient
        self.slots.copy_(slots)
        return self.read(slots)


@sick(
    parameters={
        "write.weight": "unreached",
        "write.bias": "unreached",
        "read.weight": "reached",
        "read.bias": "reached",
    },
    fix={"stop_gradient": "identity"},
    elsewhere=(Memory,),
)
def memory_written_detached():
    """An error about a second backward was silenced by a detach at the write."""
    torch.manual_seed(81)
    model = Memory()
    x = torch.randn(5, 3)

    def loss(model, x):
        return (model(x) - x.flip(0)).square().mean()

    return loss, model, (x,)


@sick(
    parameters={"start": "reached", "rate": "reached", "prior": "unreached"},
    fix=None,
    why_not="stop_gradient: create_graph=True is missing",
)
def meta_learning_without_create_graph():
    """The inner step's gradient is a constant: what is only inside the inner loss is never learned."""
    torch.manual_seed(82)
    params = {
        "start": torch.randn(4, requires_grad=True),
        "rate": torch.tensor(0.1, requires_grad=True),
        "prior": torch.tensor(0.5, requires_grad=True),
    }
    x, y, x2, y2 = torch.randn(6, 4), torch.randn(6), torch.randn(6, 4), torch.randn(6)

    def loss(params, x, y, x2, y2):
        w = params["start"]
        inner = F.mse_loss(x @ w, y) + params["prior"] * w.square().sum()
        (step,) = torch.autograd.grad(inner, w)  # dies: cut grad|stop_gradient
        return F.mse_loss(x2 @ (w - params["rate"] * step), y2)

    return loss, params, (x, y, x2, y2)


@sick(
    parameters={"low": "unreached", "high": "unreached", "out.weight": "reached", "out.bias": "reached"},
    fix=None,
    why_not="stop_gradient: a new Parameter is a new leaf",
)
def parameter_made_in_the_forward_pass():
    """Low-rank factors are multiplied and wrapped as a Parameter again in each step."""
    torch.manual_seed(83)
    model = nn.Module()
    model.low = nn.Parameter(torch.randn(6, 2))
    model.high = nn.Parameter(torch.randn(2, 6))
    model.out = nn.Linear(6, 1)
    x, y = torch.randn(9, 6), torch.randn(9, 1)

    def loss(model, x, y):
        weight = nn.Parameter(model.low @ model.high)  # dies: cut stop_gradient|Parameter
        return (model.out(torch.tanh(F.linear(x, weight))) - y).square().mean()

    return loss, model, (x, y)


@sick(
    parameters={"0.weight": "unreached", "0.bias": "unreached", "2.weight": "reached", "2.bias": "reached"},
    fix=None,
    why_not="counts: an integer buffer",
)
def written_into_an_integer_buffer():
    """A result is collected in a tensor made with the labels' dtype: the write truncates in silence."""
    torch.manual_seed(84)
    model = nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 2))
    x, labels = torch.randn(8, 3) * 3, torch.randint(0, 2, (8,))

    def loss(model, x, labels):
        h = labels.new_zeros(8, 4)
        h[:] = model[1](model[0](x))  # dies: cut cast|setitem|copy
        return F.cross_entropy(model[2](h.float()), labels)

    return loss, model, (x, labels)


@sick(
    parameters={"gain": "unreached", "net.weight": "reached"},
    fix={"cast": "identity"},
    elsewhere=(toolbox.Digitiser.__call__,),
)
def digitiser_in_a_toolbox():
    """An eight-level converter, an object in another file, on one of two branches."""
    torch.manual_seed(85)
    model = nn.Module()
    model.gain = nn.Parameter(torch.ones(4))
    model.net = nn.Linear(4, 4, bias=False)
    convert = toolbox.Digitiser(-2.0, 2.0)
    x = torch.randn(12, 4)

    def loss(model, x):
        seen = convert(x * model.gain)
        return (model.net(x) + seen - 2 * x).square().mean()

    return loss, model, (x,)


@sick(
    parameters={"s": "unreached", "w": "reached"},
    fix=None,
    why_not="custom_rule: a backward of the user's own",
)
def custom_rule_that_forgets_one_input():
    """A fused kernel whose backward returns None for the scale."""
    torch.manual_seed(86)
    params = [torch.randn(4, 4, requires_grad=True), torch.full((4,), 0.5, requires_grad=True)]
    params = dict(zip("ws", params, strict=True))
    x = torch.randn(6, 4)

    def loss(params, x):
        y = toolbox.ScaleForgotten.apply(x @ params["w"], params["s"])  # dies: cut ScaleForgotten
        return (y - x).abs().mean()

    return loss, params, (x,)
