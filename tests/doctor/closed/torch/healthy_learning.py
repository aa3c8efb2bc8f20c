"""Stops, draws and choices that belong to the method."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical
from torch.nn.utils import parametrize

from doctor.catalogue import healthy


@healthy()
def two_views_with_a_stopped_one():
    """SimSiam: each view is predicted from the other, whose gradient is stopped."""
    torch.manual_seed(100)
    model = nn.ModuleDict({"encoder": nn.Linear(6, 4), "predictor": nn.Linear(4, 4)})
    a, b = torch.randn(12, 6), torch.randn(12, 6)

    def loss(model, a, b):
        za, zb = model["encoder"](a), model["encoder"](b)
        first = F.cosine_similarity(model["predictor"](za), zb.detach(), dim=-1)  # stops: stop_gradient
        second = F.cosine_similarity(model["predictor"](zb), za.detach(), dim=-1)  # stops: stop_gradient
        return -(first + second).mean() / 2

    return loss, model, (a, b)


@healthy()
def reinforce_with_a_baseline():
    """Sampled actions carry no gradient and need none: the score function does; the advantage is stopped."""
    torch.manual_seed(101)
    model = nn.ModuleDict({"policy": nn.Linear(3, 4), "value": nn.Linear(3, 1)})
    states, payoff = torch.randn(30, 3), torch.randn(4)

    def loss(model, states, payoff):
        policy = Categorical(logits=model["policy"](states))
        action = policy.sample()
        reward = payoff[action]
        value = model["value"](states).squeeze(-1)
        advantage = (reward - value).detach()  # stops: stop_gradient
        return -(policy.log_prob(action) * advantage).mean() + 0.5 * F.mse_loss(value, reward)

    return loss, model, (states, payoff)


@healthy()
def switch_layer_with_a_balancing_loss():
    """Top-1 routing scaled by the chosen probability; the loads are counted with integers beside mean probabilities."""
    torch.manual_seed(102)
    model = nn.Module()
    model.router = nn.Linear(5, 3, bias=False)
    model.up = nn.Parameter(torch.randn(3, 5, 5) * 0.3)
    x = torch.randn(40, 5)

    def loss(model, x):
        p = model.router(x).softmax(-1)
        top, chosen = p.max(-1)
        y = torch.einsum("ni,nij->nj", x, model.up[chosen]) * top[:, None]
        load = torch.bincount(chosen, minlength=3) / len(x)
        return F.mse_loss(y, x.flip(-1)) + 0.01 * 3 * (load * p.mean(0)).sum()

    return loss, model, (x,)


@healthy()
def scheduled_sampling():
    """The greedy token is fed back, and every step's logits are judged as well."""
    torch.manual_seed(103)
    model = nn.ModuleDict({"embed": nn.Embedding(6, 5), "cell": nn.LSTMCell(5, 5), "head": nn.Linear(5, 6)})
    target = torch.randint(0, 6, (8, 5))

    def loss(model, target):
        state, token, total = None, target[:, 0], 0.0
        for t in range(1, 5):
            state = model["cell"](model["embed"](token), state)
            logits = model["head"](state[0])
            total = total + F.cross_entropy(logits, target[:, t])
            token = logits.argmax(-1) if t % 2 else target[:, t]
        return total / 4

    return loss, model, (target,)


class BinaryStraight(nn.Module):
    def forward(self, w):
        hard = torch.where(w >= 0, 1.0, -1.0)
        return w.clamp(-1, 1) + (hard - w.clamp(-1, 1)).detach()  # stops: stop_gradient


@healthy(elsewhere=(BinaryStraight,))
def binary_weights_that_learn():
    """A parametrisation with the clipped straight-through line, and rounding through .data of a copy."""
    torch.manual_seed(104)
    model = nn.Sequential(nn.Linear(6, 6), nn.Hardtanh(), nn.Linear(6, 2))
    parametrize.register_parametrization(model[0], "weight", BinaryStraight())
    x, y = torch.randn(14, 6) * 0.2, torch.randn(14, 2)

    def loss(model, x, y):
        out = model(x)
        shown = out.clone()
        shown.data = (out.data * 16).round() / 16  # stops: stop_gradient|data
        return (shown - y).pow(2).mean()

    return loss, model, (x, y)


@healthy()
def adversarial_pair():
    """Both players in one loss; the critic's term sees the forgeries detached, the forger's term does not."""
    torch.manual_seed(105)
    model = nn.ModuleDict({"forger": nn.Linear(3, 4), "critic": nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(0.2))})
    model["score"] = nn.Linear(6, 1)
    noise, real = torch.randn(16, 3), torch.randn(16, 4)

    def loss(model, noise, real):
        fake = model["forger"](noise)

        def judge(x):
            return model["score"](model["critic"](x))

        critic = F.softplus(-judge(real)).mean() + F.softplus(judge(fake.detach())).mean()  # stops: stop_gradient
        return critic + F.softplus(-judge(fake)).mean()

    return loss, model, (noise, real)


@healthy(
    {
        "teacher.weight": "frozen",
        "teacher.bias": "frozen",
        "student.0.weight": "reached",
        "student.0.bias": "reached",
        "student.2.weight": "reached",
        "student.2.bias": "reached",
        "spare": "unused",
    }
)
def distillation_with_hard_labels():
    """A frozen teacher gives soft targets, and hard ones by argmax; a moving average of the logits is kept."""
    torch.manual_seed(106)
    model = nn.Module()
    model.teacher = nn.Linear(5, 3)
    model.student = nn.Sequential(nn.Linear(5, 6), nn.Mish(), nn.Linear(6, 3))
    model.spare = nn.Parameter(torch.zeros(3))
    model.register_buffer("average", torch.zeros(3))
    model.teacher.requires_grad_(False)
    x = torch.randn(20, 5)

    def loss(model, x):
        taught = model.teacher(x)
        logits = model.student(x)
        with torch.no_grad():  # stops: stop_gradient|no_grad
            model.average.lerp_(logits.mean(0), 0.1)
        hard = F.cross_entropy(logits, taught.argmax(-1))
        soft = F.kl_div(logits.log_softmax(-1), taught.softmax(-1), reduction="batchmean")
        return hard + soft

    return loss, model, (x,)
