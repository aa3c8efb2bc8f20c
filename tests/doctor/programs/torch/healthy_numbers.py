"""Small, masked, clipped and half-precise numbers that are all right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import healthy


@healthy()
def gradients_of_1e_18():
    """A deep product of small factors: the first layer's gradient is tiny and real."""
    torch.manual_seed(0)
    params = [(torch.randn(4, 4) * scale).requires_grad_() for scale in (1.0, 1e-6, 1e-6, 1e-6)]
    x, y = torch.randn(6, 4), torch.randn(6, 4)

    def loss(params, x, y):
        h = x
        for w in params:
            h = torch.tanh(h @ w)
        return (h - y).square().mean()

    return loss, params, (x, y)


@healthy()
def norm_with_a_double_where():
    """A vector of zeros is among the inputs; the safe form puts a one before the root."""
    torch.manual_seed(1)
    model = nn.Linear(3, 3, bias=False)
    x = torch.randn(5, 3)
    x[2] = 0

    def loss(model, x):
        squared = model(x).pow(2).sum(-1)
        zero = squared == 0
        length = torch.where(zero, 0.0, torch.where(zero, 1.0, squared).sqrt())
        return (length - 1).square().mean()

    return loss, model, (x,)


@healthy(
    {
        "query.weight": "reached",
        "query.bias": "reached",
        "key.weight": "reached",
        "key.bias": ("unreached", "invariant"),
        "value.weight": "reached",
        "value.bias": "reached",
    }
)
def attention_with_a_key_bias():
    """A bias of the keys shifts all scores of a row alike: softmax does not see it."""
    torch.manual_seed(2)
    model = nn.ModuleDict({name: nn.Linear(6, 6) for name in ("query", "key", "value")})
    x = torch.randn(4, 5, 6)
    padding = torch.arange(5)[None, None] >= torch.tensor([5, 4, 3, 2])[:, None, None]

    def loss(model, x, padding):
        scores = model["query"](x) @ model["key"](x).mT / 6**0.5
        attention = scores.masked_fill(padding, float("-inf")).softmax(-1)
        return (attention @ model["value"](x) - x).square().mean()

    return loss, model, (x, padding)


@healthy()
def clip_with_few_outside():
    """PPO's clipped ratio and a gradient-free advantage; a few samples lie outside."""
    torch.manual_seed(3)
    model = nn.Linear(4, 3)
    states, actions, advantage = torch.randn(60, 4), torch.randint(0, 3, (60, 1)), torch.randn(60)

    def loss(model, states, actions, advantage):
        new = F.log_softmax(model(states), -1).gather(1, actions).squeeze(1)
        old = (new + 0.15 * torch.sin(torch.arange(60.0))).detach()  # stops: stop_gradient
        ratio = torch.exp(new - old)
        return -torch.min(ratio * advantage, ratio.clamp(0.9, 1.1) * advantage).mean()

    return loss, model, (states, actions, advantage)


@healthy()
def bfloat16_and_positions():
    """A half-precise transformer layer with integer positions."""
    torch.manual_seed(4)
    model = nn.ModuleDict({"tokens": nn.Embedding(12, 8), "places": nn.Embedding(6, 8), "out": nn.Linear(8, 12)})
    model.to(torch.bfloat16)
    tokens = torch.randint(0, 12, (4, 6))

    def loss(model, tokens):
        places = torch.arange(tokens.shape[1]) // 1
        h = model["tokens"](tokens) + model["places"](places)
        logits = model["out"](F.gelu(h)).float()
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

    return loss, model, (tokens,)
