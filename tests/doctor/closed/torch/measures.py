"""Scores of evaluation sheets used to train."""

from __future__ import annotations

import torch
from torch import nn

from doctor.catalogue import sick


@sick(parameters={"0.weight": "unreached", "0.bias": "unreached"}, fix={"greater": "sigmoid"})
def area_under_the_curve():
    """The AUC by its definition, all pairs compared."""
    torch.manual_seed(50)
    model = nn.Sequential(nn.Linear(4, 1))
    x, y = torch.randn(22, 4), torch.arange(22) % 3 == 0

    def loss(model, x, y):
        s = model(x).squeeze(1)
        won = s[y].unsqueeze(1) > s[~y].unsqueeze(0)  # dies: cut greater
        return 1.0 - won.float().mean()

    return loss, model, (x, y)


@sick(parameters={"weight": "unreached", "bias": "unreached"}, fix={"round": "identity"})
def f1_of_rounded_probabilities():
    """F1 with probabilities rounded to 0 and 1."""
    torch.manual_seed(51)
    model = nn.Linear(3, 1)
    x, y = torch.randn(33, 3), (torch.rand(33) > 0.4).float()

    def loss(model, x, y):
        said = model(x).squeeze(-1).sigmoid().round()  # dies: flat round
        hits = (said * y).sum()
        return 1 - 2 * hits / (said.sum() + y.sum())

    return loss, model, (x, y)


@sick(parameters={"weight": "unreached"}, fix=None, why_not="counts: edit distance is counted in Python")
def edit_distance_in_python():
    """Decoded letters go to a list and an edit distance is counted with integers."""
    torch.manual_seed(52)
    model = nn.Linear(4, 5, bias=False)
    frames = torch.randn(7, 4)

    def distance(a, b):
        row = list(range(len(b) + 1))
        for i, p in enumerate(a, 1):
            above, row[0] = row[0], i
            for j, q in enumerate(b, 1):
                above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (p != q))
        return row[-1]

    def loss(model, frames):
        letters = model(frames).argmax(-1).tolist()  # dies: cut argmax # dies: cut item|tolist
        return torch.tensor(float(distance(letters, [0, 3, 1, 4])))

    return loss, model, (frames,)


@sick(
    parameters={"user.weight": "unreached", "item.weight": "unreached"},
    fix=None,
    why_not="counts: a place in the list is an address",
)
def discounted_gain():
    """NDCG: relevance gathered in the order of the scores."""
    torch.manual_seed(53)
    model = nn.ModuleDict({"user": nn.Embedding(6, 4), "item": nn.Embedding(11, 4)})
    users, gain = torch.arange(6), torch.randint(0, 4, (6, 11)).float()

    def loss(model, users, gain):
        scores = model["user"](users) @ model["item"].weight.T
        order = scores.argsort(dim=-1, descending=True)  # dies: cut argsort
        discount = 1 / torch.log2(torch.arange(11) + 2.0)
        got = (gain.gather(-1, order) * discount).sum(-1)
        best = (gain.sort(-1, descending=True).values * discount).sum(-1)
        return 1 - (got / best).mean()

    return loss, model, (users, gain)


@sick(
    parameters={"mask.weight": "unreached", "mask.bias": "unreached", "edge": "reached"},
    fix={"not_equal": "sigmoid", "floor": "identity"},
)
def boundary_length_of_a_segmentation():
    """Labels by floor, boundary where neighbours differ: two deaths in a chain."""
    torch.manual_seed(54)
    model = nn.Module()
    model.mask = nn.Conv2d(1, 1, 3, padding=1)
    model.edge = nn.Parameter(torch.tensor(0.7))
    picture = torch.randn(3, 1, 6, 6)

    def loss(model, picture):
        label = torch.floor(model.mask(picture) * 3)  # dies: flat floor
        border = label[..., 1:] != label[..., :-1]  # dies: cut not_equal
        return (border.float().mean() * model.edge - 0.2).square()

    return loss, model, (picture,)


@sick(
    parameters={"weight": "unreached"},
    fix=None,
    why_not="counts: a histogram counts",
)
def histogram_match():
    """Grey levels are matched by torch.histc, which has no backward pass."""
    torch.manual_seed(55)
    model = nn.Linear(3, 1, bias=False)
    pixels, wanted = torch.rand(60, 3), torch.tensor([10.0, 20.0, 20.0, 10.0])

    def loss(model, pixels, wanted):
        grey = model(pixels).tanh()
        counts = torch.histc(grey, bins=4, min=-1.0, max=1.0)  # dies: cut|flat histogram|histc
        return (counts / 60 - wanted / 60).abs().sum()

    return loss, model, (pixels, wanted)
