"""Random draws from a learned distribution, and decoding loops."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={"policy.weight": "unreached", "policy.bias": "unreached", "critic.weight": "reached"},
    fix={"multinomial": "softmax"},
)
def multinomial_action_into_the_critic():
    """The sampled action is fed to a learned critic as an embedding; the policy hears nothing."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"policy": nn.Linear(4, 3), "critic": nn.Embedding(3, 4)})
    states = torch.randn(60, 4)

    def loss(model, states):
        probabilities = F.softmax(model["policy"](states), dim=-1)
        action = torch.multinomial(probabilities, 1).squeeze(-1)  # dies: cut multinomial
        value = (model["critic"](action) * states).sum(-1)
        return -value.tanh().mean()

    return loss, model, (states,)


@sick(
    parameters={"keep": "unreached", "net.weight": "reached", "net.bias": "reached"},
    fix={"bernoulli": "identity"},
)
def bernoulli_with_a_learned_rate():
    """Input features are kept with a learned probability."""
    torch.manual_seed(1)
    model = nn.Module()
    model.keep = nn.Parameter(torch.zeros(8))
    model.net = nn.Linear(8, 1)
    x = torch.randn(32, 8)

    def loss(model, x):
        rate = torch.sigmoid(model.keep).expand(len(x), -1)
        mask = torch.bernoulli(rate)  # dies: flat|cut bernoulli
        return (model.net(x * mask) - x.mean(-1, keepdim=True)).square().mean() + 0.01 * mask.mean()

    return loss, model, (x,)


@sick(parameters={"0": "unreached", "1": "reached"}, fix={"argmax": "softmax"})
def gumbel_argmax():
    """The Gumbel trick with the argmax left hard; parameters are a plain list."""
    torch.manual_seed(2)
    params = [torch.randn(6, 5, requires_grad=True), torch.randn(5, 6, requires_grad=True)]
    x = torch.randn(25, 6)
    noise = -torch.log(-torch.log(torch.rand(25, 5).clamp(1e-6, 1 - 1e-6)))

    def loss(params, x, noise):
        codes = (x @ params[0] + noise).argmax(-1)  # dies: cut argmax
        return (params[1][codes] - x).square().mean()

    return loss, params, (x, noise)


@sick(
    parameters={
        "embed.weight": "unreached",
        "cell.weight_ih": "unreached",
        "cell.weight_hh": "unreached",
        "cell.bias_ih": "unreached",
        "cell.bias_hh": "unreached",
        "head.weight": "unreached",
        "reader.weight": "reached",
        "judge.weight": "reached",
    },
    fix={"argmax": "softmax"},
)
def greedy_captions_for_a_reader():
    """A speaker writes greedily, token after token; only the reader of the tokens is trained."""
    torch.manual_seed(3)
    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(9, 6),
            "cell": nn.GRUCell(6, 6),
            "head": nn.Linear(6, 9, bias=False),
            "reader": nn.Embedding(9, 5),
            "judge": nn.Linear(5, 6, bias=False),
        }
    )
    images = torch.randn(40, 6)

    def loss(model, images):
        state, token, read = images, torch.zeros(len(images), dtype=torch.long), 0.0
        for _ in range(4):
            state = model["cell"](model["embed"](token), state)
            token = model["head"](state).argmax(-1)  # dies: cut argmax
            read = read + model["reader"](token)
        return (model["judge"](read) - images).square().mean()

    return loss, model, (images,)


@sick(
    parameters={
        "encoder.weight": "unreached",
        "encoder.bias": "unreached",
        "codes": "reached",
        "decoder.weight": "reached",
    },
    fix={"argmin": "softmax"},
)
def codebook_without_straight_through():
    """Vector quantisation whose straight-through line was forgotten: the codes learn, the encoder does not."""
    torch.manual_seed(4)
    model = nn.Module()
    model.encoder = nn.Linear(6, 3)
    model.codes = nn.Parameter(torch.randn(5, 3) * 0.7)
    model.decoder = nn.Linear(3, 6, bias=False)
    x = torch.randn(64, 6)

    def loss(model, x):
        z = model.encoder(x)
        distance = (z[:, None] - model.codes[None]).pow(2).sum(-1)
        nearest = distance.argmin(dim=1)  # dies: cut argmin
        return (model.decoder(model.codes[nearest]) - x).pow(2).mean()

    return loss, model, (x,)
