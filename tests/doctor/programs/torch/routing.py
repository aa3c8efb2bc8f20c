"""Mixtures of experts and other hard choices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


def _experts(width, count):
    return nn.ModuleList(nn.Linear(width, width) for _ in range(count))


def _status(count, **others):
    found = {f"experts.{i}.{part}": "reached" for i in range(count) for part in ("weight", "bias")}
    return {**others, **found}


@sick(
    parameters=_status(3, **{"router.weight": "unreached", "router.bias": "unreached"}),
    fix={"argmax": "softmax"},
)
def experts_picked_by_index():
    """All experts run; the chosen one's output is looked up by index."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"router": nn.Linear(6, 3), "experts": _experts(6, 3)})
    x = torch.randn(30, 6)

    def loss(model, x):
        chosen = model["router"](x).argmax(dim=-1)  # dies: cut argmax
        outputs = torch.stack([expert(x) for expert in model["experts"]], dim=1)
        picked = outputs[torch.arange(len(x)), chosen]
        return (picked - x.roll(1, -1)).pow(2).mean()

    return loss, model, (x,)


@sick(
    parameters=_status(4, **{"router.weight": "unreached"}),
    fix={"argmax": "softmax"},
)
def experts_by_one_hot():
    """The textbook switch layer, but the probability of the chosen expert was forgotten."""
    torch.manual_seed(1)
    model = nn.ModuleDict({"router": nn.Linear(5, 4, bias=False), "experts": _experts(5, 4)})
    x, y = torch.randn(40, 5), torch.randn(40, 5)

    def loss(model, x, y):
        probabilities = model["router"](x).softmax(-1)
        choice = torch.argmax(probabilities, -1)  # dies: cut argmax
        gates = F.one_hot(choice, 4).to(x.dtype)
        outputs = torch.stack([expert(x) for expert in model["experts"]], -1)
        return F.mse_loss((outputs * gates.unsqueeze(1)).sum(-1), y)

    return loss, model, (x, y)


@sick(
    parameters={"scorer.weight": "unreached", "scorer.bias": "unreached", "slots.weight": "reached"},
    fix={"top_k": "softmax"},
)
def top_two_by_scatter_of_ones():
    """A mask of the two best slots is written with scatter_; the scores themselves are thrown away."""
    torch.manual_seed(2)
    model = nn.ModuleDict({"scorer": nn.Linear(4, 6), "slots": nn.Linear(6, 4, bias=False)})
    x = torch.randn(18, 4)

    def loss(model, x):
        scores = model["scorer"](x)
        best = scores.topk(2, dim=-1).indices  # dies: cut top_k|topk
        mask = torch.zeros_like(scores).scatter_(-1, best, 1.0)
        return (model["slots"](mask / 2) - x).abs().mean()

    return loss, model, (x,)


@sick(
    parameters={"query.weight": "unreached", "memory": "reached", "out.weight": "reached", "out.bias": "reached"},
    fix={"argmax": "softmax"},
)
def nearest_memory_slot_by_embedding():
    """A hard memory read: the most similar slot is fetched with an embedding look-up."""
    torch.manual_seed(3)
    model = nn.Module()
    model.query = nn.Linear(4, 4, bias=False)
    model.memory = nn.Parameter(torch.randn(7, 4))
    model.out = nn.Linear(4, 2)
    x, y = torch.randn(50, 4), torch.randint(0, 2, (50,))

    def loss(model, x, y):
        similarity = F.normalize(model.query(x), dim=-1) @ F.normalize(model.memory, dim=-1).T
        slot = similarity.max(dim=-1).indices  # dies: cut argmax|max
        return F.cross_entropy(model.out(F.embedding(slot, model.memory)), y)

    return loss, model, (x, y)


@sick(
    parameters={
        "gate.weight": "unreached",
        "gate.bias": "unreached",
        "short.weight": "reached",
        "long.weight": "reached",
    },
    fix={"greater": "sigmoid"},
)
def early_exit_by_where():
    """A confidence above one half takes the short path: torch.where passes nothing to its condition."""
    torch.manual_seed(4)
    model = nn.ModuleDict(
        {"gate": nn.Linear(3, 1), "short": nn.Linear(3, 2, bias=False), "long": nn.Linear(3, 2, bias=False)}
    )
    x, y = torch.randn(20, 3), torch.randn(20, 2)

    def loss(model, x, y):
        confidence = torch.sigmoid(model["gate"](x))
        sure = confidence.gt(0.5)  # dies: cut greater|gt
        answer = torch.where(sure, model["short"](x), torch.tanh(model["long"](x)))
        return (answer - y).square().sum(-1).mean()

    return loss, model, (x, y)
