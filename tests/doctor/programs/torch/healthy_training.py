"""What a healthy training has beside the path of the gradient."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from doctor.catalogue import healthy


@healthy()
def q_learning_with_a_target_network():
    """The target is computed by a copy under no_grad, its best action by a max and an argmax."""
    torch.manual_seed(0)
    online = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    target = copy.deepcopy(online)
    state, following = torch.randn(20, 4), torch.randn(20, 4)
    action, reward = torch.randint(0, 3, (20, 1)), torch.randn(20)

    def loss(online, state, action, reward, following):
        value = online(state).gather(1, action).squeeze(1)
        with torch.no_grad():  # stops: stop_gradient|no_grad
            best = online(following).argmax(1, keepdim=True)
            goal = reward + 0.9 * target(following).gather(1, best).squeeze(1)
        return F.smooth_l1_loss(value, goal)

    return loss, online, (state, action, reward, following)


@healthy(
    {
        "0.weight": "reached",
        "0.bias": ("unreached", "invariant"),
        "1.weight": "reached",
        "1.bias": "reached",
        "4.weight": "reached",
        "4.bias": "reached",
    }
)
def accuracy_logged_beside_the_loss():
    """Accuracy and a rounded loss go to a log; the bias before the batch norm is invariant."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(5, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 4))
    x, y = torch.randn(40, 5), torch.randint(0, 4, (40,))
    log: list[float] = []

    def loss(model, x, y):
        logits = model(x)
        objective = F.cross_entropy(logits, y)
        log.append((logits.argmax(-1) == y).float().mean().item())
        log.append(objective.detach().round().item())
        return objective

    return loss, model, (x, y)


@healthy(
    {
        "embed.weight": "reached",
        "body.0.weight": "reached",
        "body.0.bias": "reached",
        "body.1.weight": "reached",
        "body.1.bias": "reached",
        "head.weight": "reached",
        "old_head.weight": "unused",
        "frozen.weight": "frozen",
        "frozen.bias": "frozen",
    }
)
def frozen_and_unused_parts():
    """A frozen projection, a head of last year's task, an embedding most of whose rows do not occur."""
    torch.manual_seed(2)
    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(30, 6),
            "body": nn.ModuleList(nn.Linear(6, 6) for _ in range(2)),
            "head": nn.Linear(6, 2, bias=False),
            "old_head": nn.Linear(6, 9, bias=False),
            "frozen": nn.Linear(6, 6),
        }
    )
    model["frozen"].requires_grad_(False)
    tokens, y = torch.randint(0, 30, (5, 3)), torch.randint(0, 2, (5,))

    def loss(model, tokens, y):
        h = model["frozen"](model["embed"](tokens)).mean(1)
        for layer in model["body"]:
            h = h + checkpoint(lambda h, layer=layer: F.relu(layer(h)), h, use_reentrant=False)
        return F.cross_entropy(model["head"](h), y)

    return loss, model, (tokens, y)


@healthy()
def convolutions_with_pooling():
    """Max pooling and relu with their usual zeros."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    )
    x, y = torch.randn(8, 1, 10, 10), torch.randint(0, 3, (8,))

    def loss(model, x, y):
        return F.nll_loss(F.log_softmax(model(x), -1), y)

    return loss, model, (x, y)


@healthy(
    {
        "a.weight": ("unreached", "zero_initialised"),
        "a.bias": ("unreached", "zero_initialised"),
        "b.weight": "reached",
        "b.bias": "reached",
        "skip.weight": "reached",
    }
)
def residual_branch_that_starts_at_zero():
    """The last layer of a residual branch starts at zero: what stands before it learns from the second step on."""
    torch.manual_seed(4)
    model = nn.ModuleDict({"a": nn.Linear(4, 7), "b": nn.Linear(7, 4), "skip": nn.Linear(4, 4, bias=False)})
    nn.init.zeros_(model["b"].weight)
    nn.init.zeros_(model["b"].bias)
    x = torch.randn(9, 4)

    def loss(model, x):
        return (model["skip"](x) + model["b"](F.silu(model["a"](x))) - x).square().mean()

    return loss, model, (x,)


@healthy()
def live_router():
    """Top-2 routing whose chosen probabilities stay in the sum; padding is masked out of the input."""
    torch.manual_seed(5)
    model = nn.ModuleDict({"router": nn.Linear(5, 4), "experts": nn.ModuleList(nn.Linear(5, 5) for _ in range(4))})
    x = torch.randn(50, 5)
    lengths = torch.randint(2, 6, (50,))

    def loss(model, x, lengths):
        keep = (torch.arange(5) < lengths[:, None]).float()
        weights, chosen = model["router"](x).softmax(-1).topk(2, dim=-1)
        outputs = torch.stack([expert(x * keep) for expert in model["experts"]], 1)
        picked = outputs.gather(1, chosen[..., None].expand(-1, -1, 5))
        mixed = (picked * (weights / weights.sum(-1, keepdim=True))[..., None]).sum(1)
        order = torch.argsort(torch.rand(50))
        return ((mixed - x) * keep)[order].square().mean()

    return loss, model, (x, lengths)
