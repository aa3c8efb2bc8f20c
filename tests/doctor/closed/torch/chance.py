"""Draws by library distributions, filters, decoding under uncertainty."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, Normal

from doctor.catalogue import sick


@sick(
    parameters={"actor.weight": "unreached", "actor.bias": "unreached", "model.weight": "reached"},
    fix={"categorical": "softmax"},
)
def world_model_rollout():
    """Actions are sampled by a distribution object and rolled out through a learned model."""
    torch.manual_seed(30)
    agent = nn.ModuleDict({"actor": nn.Linear(3, 4), "model": nn.Linear(7, 3, bias=False)})
    start = torch.randn(16, 3)

    def loss(agent, start):
        s = start
        for _ in range(3):
            a = Categorical(logits=agent["actor"](s)).sample()  # dies: cut categorical|multinomial
            s = torch.tanh(agent["model"](torch.cat([s, F.one_hot(a, 4).float()], -1)))
        return s.square().sum(-1).mean()

    return loss, agent, (start,)


@sick(
    parameters={"drift": "reached", "noise": "unreached", "likelihood": "unreached"},
    fix=None,
    why_not="counts: the ancestors of a resampling are addresses",
)
def particle_filter():
    """Systematic resampling: the weights are used only to find ancestors."""
    torch.manual_seed(31)
    params = {
        "drift": torch.tensor(0.2, requires_grad=True),
        "noise": torch.tensor(0.7, requires_grad=True),
        "likelihood": torch.tensor(1.5, requires_grad=True),
    }
    observed = torch.tensor([0.1, 0.4, 0.9])
    particles, shocks = torch.randn(12), torch.randn(3, 12)

    def loss(params, observed, particles, shocks):
        comb = (torch.arange(12) + 0.5) / 12
        for t in range(3):
            particles = particles + params["drift"] + 0.3 * shocks[t]
            spread = params["noise"] * params["likelihood"].exp()
            weight = (-((particles - observed[t]) ** 2) / spread).softmax(0)
            ancestor = torch.searchsorted(weight.cumsum(0), comb).clamp(max=11)  # dies: cut searchsorted
            particles = particles[ancestor]
        return (particles.mean() - 1.2) ** 2

    return loss, params, (observed, particles, shocks)


@sick(
    parameters={"mu.weight": "unreached", "mu.bias": "unreached", "log_sigma": "reached", "decode.weight": "reached"},
    fix=None,
    why_not="stop_gradient: sample() runs under no_grad; rsample() is meant",
)
def sample_instead_of_rsample():
    """A variational model with sample() where rsample() was meant; the KL of the means was left out too."""
    torch.manual_seed(32)
    model = nn.Module()
    model.mu = nn.Linear(5, 2)
    model.log_sigma = nn.Parameter(torch.zeros(2))
    model.decode = nn.Linear(2, 5, bias=False)
    x = torch.randn(14, 5)

    def loss(model, x):
        q = Normal(model.mu(x), model.log_sigma.exp())
        z = q.sample()  # dies: cut normal|stop_gradient|no_grad
        return (model.decode(z) - x).square().mean() - 0.1 * q.entropy().mean()

    return loss, model, (x,)


@sick(
    parameters={"rate.weight": "unreached", "rate.bias": "unreached", "cost": "reached"},
    fix={"poisson": "identity"},
)
def queue_with_poisson_arrivals():
    """Arrivals are drawn from a learned intensity; torch's backward of poisson is a zero."""
    torch.manual_seed(33)
    model = nn.Module()
    model.rate = nn.Linear(2, 1)
    model.cost = nn.Parameter(torch.tensor([0.3, 0.1]))
    hour = torch.randn(30, 2)

    def loss(model, hour):
        arrivals = torch.poisson(F.softplus(model.rate(hour) + 1).squeeze(-1))  # dies: flat|cut poisson
        return (arrivals * model.cost[0] + arrivals.square() * model.cost[1] - 2).square().mean()

    return loss, model, (hour,)


@sick(
    parameters={"drop": "unreached", "layer.weight": "reached", "layer.bias": "reached"},
    fix={"less": "sigmoid"},
)
def dropout_with_a_learned_rate():
    """Concrete dropout without the concrete: uniform noise is compared with a learned probability."""
    torch.manual_seed(34)
    model = nn.Module()
    model.drop = nn.Parameter(torch.tensor(-0.5))
    model.layer = nn.Linear(6, 6)
    x, noise = torch.randn(17, 6), torch.rand(17, 6)

    def loss(model, x, noise):
        dropped = noise < model.drop.sigmoid()  # dies: cut less
        h = x.masked_fill(dropped, 0.0)
        return (model.layer(h) - x).pow(2).mean()

    return loss, model, (x, noise)


@sick(
    parameters={"start": "unreached", "grammar": "unreached", "listen": "reached"},
    fix={"argmax": "softmax"},
)
def viterbi_path_read_by_a_listener():
    """Dynamic programming with backpointers: the path is integer, max itself carries the score that is not used."""
    torch.manual_seed(35)
    params = {
        "start": torch.randn(4, requires_grad=True),
        "grammar": torch.randn(4, 4, requires_grad=True),
        "listen": torch.randn(4, requires_grad=True),
    }
    emission = torch.randn(5, 4)

    def loss(params, emission):
        score, back = params["start"] + emission[0], []
        for now in emission[1:]:
            score, pointer = (score[:, None] + params["grammar"]).max(0)  # dies: cut argmax|max
            score = score + now
            back.append(pointer)
        path = [torch.argmax(score)]  # dies: cut argmax
        for pointer in reversed(back):
            path.append(pointer[path[-1]])
        return params["listen"][torch.stack(path)].sigmoid().sum()

    return loss, params, (emission,)
