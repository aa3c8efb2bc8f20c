"""Search, clustering, dispatch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from doctor.catalogue import sick


@sick(
    parameters={"question.weight": "unreached", "passages.weight": "unreached", "answer.weight": "reached"},
    fix={"argmax": "softmax"},
)
def retriever_before_a_reader():
    """The best passage is read, by its index into a table of given texts; retriever towers never learn."""
    torch.manual_seed(20)
    model = nn.ModuleDict(
        {
            "question": nn.Linear(6, 4, bias=False),
            "passages": nn.Linear(5, 4, bias=False),
            "answer": nn.Linear(5, 3, bias=False),
        }
    )
    questions, texts, y = torch.randn(21, 6), torch.randn(8, 5), torch.randint(0, 3, (21,))

    def loss(model, questions, texts, y):
        match = torch.einsum("qd,pd->qp", model["question"](questions), model["passages"](texts))
        best = torch.max(match, dim=1)[1]  # dies: cut argmax|max
        read = texts.index_select(0, best)
        return F.cross_entropy(model["answer"](read), y)

    return loss, model, (questions, texts, y)


@sick(
    parameters={"embed": "reached", "centres": "unreached"},
    fix={"argmin": "softmax"},
)
def clusters_whose_centres_do_not_move():
    """Deep clustering: means of the members are recomputed, the centres only decide who is a member."""
    torch.manual_seed(21)
    params = {
        "embed": torch.randn(3, 2).requires_grad_(),
        "centres": torch.tensor([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0]]).requires_grad_(),
    }
    x = torch.randn(60, 3)

    def loss(params, x):
        z = x @ params["embed"]
        member = torch.cdist(z, params["centres"]).argmin(dim=1)  # dies: cut argmin
        member = F.one_hot(member, 3).type_as(z)
        mean = member.T @ z / member.sum(0).unsqueeze(1).clamp(min=1)
        return (z - member @ mean).square().sum(-1).mean() - z.var(0).log().sum()

    return loss, params, (x,)


@sick(
    parameters={"importance.weight": "unreached", "mix.weight": "reached", "head.weight": "reached"},
    fix=None,
    why_not="counts: the chosen positions are addresses of a gather; the score itself was left out",
)
def token_pruning_keeps_three():
    """A vision transformer keeps its three most important tokens, in order, by sorting positions."""
    torch.manual_seed(22)
    model = nn.ModuleDict(
        {
            "importance": nn.Linear(4, 1, bias=False),
            "mix": nn.Linear(4, 4, bias=False),
            "head": nn.Linear(4, 2, bias=False),
        }
    )
    tokens, y = torch.randn(10, 7, 4), torch.randint(0, 2, (10,))

    def loss(model, tokens, y):
        _, where = torch.topk(model["importance"](tokens).squeeze(-1), 3)  # dies: cut top_k|topk
        where = where.sort(dim=-1).values
        kept = torch.take_along_dim(tokens, where.unsqueeze(-1), dim=1)
        return F.cross_entropy(model["head"](F.elu(model["mix"](kept)).mean(1)), y)

    return loss, model, (tokens, y)


@sick(
    parameters={"0.weight": "unreached", "0.bias": "unreached", "1.weight": "reached", "1.bias": "reached"},
    fix=None,
    why_not="counts: how often a phoneme is repeated",
)
def durations_of_phonemes():
    """Speech: a predicted length says how often each phoneme's vector is repeated."""
    torch.manual_seed(23)
    model = nn.Sequential(nn.Linear(4, 1), nn.Linear(4, 3))
    phonemes = torch.randn(6, 4)
    mel = torch.randn(40, 3)

    def loss(model, phonemes, mel):
        length = model[0](phonemes).exp().squeeze(-1) * 3
        length = length.int().clamp(1, 6)  # dies: cut cast
        frames = phonemes.repeat_interleave(length, dim=0)
        voice = model[1](frames)
        return F.l1_loss(voice, mel[: len(voice)])

    return loss, model, (phonemes, mel)


@sick(
    parameters={"key": "unreached", "table": "reached"},
    fix=None,
    why_not="counts: the order of a sort is a list of addresses",
)
def sorted_by_a_learned_key():
    """Rows are put in the order of a learned key and weighted by place."""
    torch.manual_seed(24)
    params = {"key": torch.randn(5, requires_grad=True), "table": torch.randn(9, 5, requires_grad=True)}
    place = 1 / torch.arange(1.0, 10.0)

    def loss(params, place):
        order = torch.sort(params["table"] @ params["key"], descending=True)[1]  # dies: cut sort|argsort
        return (params["table"][order] * place.unsqueeze(1)).sum(0).square().sum()

    return loss, params, (place,)


@sick(
    parameters={"0": "partly_reached", "1": "reached"},
    fix={"greater": "sigmoid"},
)
def non_maximum_suppression():
    """Score and box come from one matrix; suppression and threshold use the score as a bool only."""
    torch.manual_seed(25)
    head, bias = (torch.randn(6, 3) * 0.5).requires_grad_(), torch.zeros(2, requires_grad=True)
    x = torch.randn(12, 6)

    def loss(params, x):
        head, bias = params
        out = x @ head
        score, span = out[:, 0], out[:, 1:] + bias
        overlap = (span.detach()[:, None] - span.detach()[None]).abs().sum(-1) < 1.0  # stops: stop_gradient
        stronger = score[None, :] > score[:, None]  # dies: cut greater
        survives = ~(overlap & stronger).any(1)
        return (span.square().sum(-1) * survives).sum() / 12

    return loss, (head, bias), (x,)
