"""How a PyTorch program is examined: what the doctor sees, and that it leaves everything as it was."""

from __future__ import annotations

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import straightthrough as ste  # noqa: E402
from straightthrough._errors import ArgumentError, ShapeError  # noqa: E402
from straightthrough.doctor import doctor  # noqa: E402
from straightthrough.programs import examine  # noqa: E402
from straightthrough.programs._carried import width_of  # noqa: E402

pytestmark = pytest.mark.torch
F, nn = torch.nn.functional, torch.nn
X = torch.linspace(-1.3, 2.1, 32).reshape(8, 4).sin()


def weight(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape))).requires_grad_()


def found(loss, params, *batch):
    return {(f.kind, f.operator) for f in doctor(loss, params, *batch).findings}


class Stateful(nn.Module):
    """Keeps running numbers, a history and its last result, draws from three generators."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("mean", torch.zeros(3))
        self.history, self.last = [], None

    def forward(self, x):
        h = F.dropout(self.norm(self.inner(x)), 0.5, self.training) + random.random() + np.random.rand()
        self.mean.mul_(0.9).add_(h.detach().mean(0), alpha=0.1)
        with torch.no_grad():
            self.mean[0] = h.max()
        self.history.append(h.detach())
        self.last = h
        return torch.round(h).sum() + (h - self.mean).square().mean()


def test_nothing_is_left_changed():
    model = Stateful().train()
    model.inner.weight.grad = torch.ones(3, 4)
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    before = {name: (t, t.clone(), t.requires_grad, t.grad, t.is_leaf) for name, t in tensors.items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    patched = torch.autograd.Function.__dict__["apply"], type(ste.sign).__call__
    doctor(lambda model, x: model(x), model, X)
    after = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, (tensor, value, requires, gradient, leaf) in before.items():
        assert after[name] is tensor
        assert torch.equal(tensor, value)
        assert (tensor.requires_grad, tensor.is_leaf) == (requires, leaf)
        assert tensor.grad is gradient
    assert model.training
    assert (model.history, model.last) == ([], None)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()
    assert (torch.autograd.Function.__dict__["apply"], type(ste.sign).__call__) == patched


def test_the_draws_are_those_of_the_users_step():
    model = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5))
    torch.manual_seed(3)
    expected = model(X).square().sum().item()
    torch.manual_seed(3)
    assert examine(lambda model: model(X).square().sum(), model).value == expected


def test_a_batch_that_the_loss_writes_to_is_put_back():
    x = X.clone()

    def loss(w, x):
        x.add_(1.0)
        x[0] = w.detach()
        return (x @ w).sum()

    doctor(loss, weight(4), x)
    assert torch.equal(x, X)
    assert not x.requires_grad


def test_the_users_exception_is_raised_and_nothing_is_left_changed():
    model = Stateful()

    def loss(model, x):
        model(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        doctor(loss, model, X)
    assert model.history == []
    assert torch.equal(model.mean, torch.zeros(3))


def test_a_backward_pass_that_fails_fails_as_the_users():
    def loss(w):
        h = torch.exp(X @ w)
        h.add_(1)
        return h.sum()

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        doctor(loss, weight(4))


@pytest.mark.parametrize(
    ("loss", "error", "said"),
    [
        (lambda w: X @ w, ShapeError, "shape"),
        (lambda w: (X @ w > 0).sum(), ArgumentError, "int64"),
        (lambda w: None, ArgumentError, "None"),
        (lambda w: "text", ArgumentError, "text"),
    ],
)
def test_a_loss_that_is_no_floating_scalar_is_refused(loss, error, said):
    with pytest.raises(error, match=said):
        doctor(loss, weight(4))


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ArgumentError, match="params"):
        doctor(lambda model: torch.zeros(()), nn.ReLU())


def test_the_program_finds_its_tensors_as_it_left_them():
    seen = []

    def loss(w):
        h = (X @ w).detach()
        seen.extend([h.requires_grad, h.grad_fn, h.is_leaf, type(h.numpy()), np.asarray(h).shape])
        with torch.no_grad():
            seen.append((X @ w).requires_grad)
        mask = torch.zeros(8)
        mask[h.argmax()] = 1.0
        seen.append(mask.requires_grad)
        return (mask * (X @ w)).sum()

    doctor(loss, weight(4))
    assert seen[:7] == [False, None, True, np.ndarray, (8,), False, False]


def test_the_flow_is_seen_below_a_death():
    examination = examine(lambda w: torch.sin(torch.round(X @ w) * 0.5).sum(), weight(4))
    by_name = {node.operator: node for node in examination.nodes}
    assert by_name["round"].gradient > 0
    assert by_name["matmul"].gradient == 0
    assert by_name["parameter"].gradient == 0
    examination = examine(lambda w: (X @ w > 0).float().mul(0.5).sum(), weight(4))
    assert next(node for node in examination.nodes if node.operator == "cast").gradient > 0


def scattered(p):
    mask = torch.zeros(8, 3)
    mask.view(-1)[torch.arange(8) * 3 + (X @ p["w"]).argmax(-1)] = 1.0
    return (mask @ p["v"]).sum()


def in_inference_mode(p):
    with torch.inference_mode():
        h = (X @ p["w"]).sum(-1)
    return (h.clone() * p["u"]).sum()


def written_out(p):
    room = torch.empty(8, 3)
    torch.round((X @ p["w"]).detach(), out=room)
    return (room @ p["v"]).sum()


def by_numpy(p):
    return (torch.as_tensor(np.asarray((X @ p["w"]).detach())) @ p["v"]).sum()


def drawn(p):
    return p["v"][torch.distributions.Categorical(logits=X @ p["w"]).sample()].sum()


def checkpointed(p):
    from torch.utils.checkpoint import checkpoint

    return (checkpoint(lambda w: torch.round(X @ w), p["w"], use_reentrant=True) @ p["v"]).sum()


def branched(p):
    return (torch.cond(X.sum() > 0, torch.round, torch.ceil, (X @ p["w"],)) @ p["v"]).sum()


def differentiated(p):
    gradient = torch.func.vmap(torch.func.grad(lambda x: torch.sin(x @ p["w"]).sum()))(X)
    return torch.floor(gradient * 3).sum() + p["v"].sum()


@pytest.mark.parametrize(
    ("loss", "death"),
    [
        (scattered, ("cut", "argmax")),
        (in_inference_mode, ("cut", "stop_gradient")),
        (written_out, ("cut", "stop_gradient")),
        (by_numpy, ("cut", "numpy")),
        (drawn, ("cut", "multinomial")),
        (checkpointed, ("flat", "round")),
        (branched, ("flat", "round")),
        (differentiated, ("flat", "floor")),
        (lambda p: torch.heaviside(X @ p["w"], torch.tensor(0.5)).mean(), ("flat", "heaviside")),
        (lambda p: ((X @ p["w"]) // 0.3).mean(), ("flat", "floor_divide")),
        (lambda p: (X @ p["w"]).mean().item(), ("cut", "item")),
    ],
)
def test_a_death_is_seen_wherever_it_is(loss, death):
    params = {"w": weight(4, 3), "v": weight(3), "u": weight(8)}
    assert death in found(loss, params)
    assert doctor(loss, params).parameters["w"].status == "unreached"


def test_a_comparison_with_a_parameter_keeps_its_sign():
    p = nn.ParameterDict({"t": torch.tensor(0.1)})
    assert found(lambda p, x: (x * 2 > p["t"]).float().mean(), p, X) == {("cut", "greater")}


def test_usual_layers_are_healthy():
    model = nn.ModuleDict(
        {
            "rnn": nn.LSTM(4, 6, batch_first=True),
            "attention": nn.MultiheadAttention(6, 2, batch_first=True),
            "block": nn.TransformerEncoderLayer(6, 2, 8, batch_first=True),
        }
    )
    x = X.reshape(2, 4, 4)

    def loss(model, x):
        h, _ = model["rnn"](x)
        h, _ = model["attention"](h, h, h)
        return (model["block"](h) - 1).square().mean()

    diagnosis = doctor(loss, model, x)
    assert diagnosis.healthy
    reached = [n for n, p in diagnosis.parameters.items() if p.status == "reached"]
    assert len(reached) >= len(diagnosis.parameters) - 2


def test_a_gradient_that_the_program_takes_itself_is_followed():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1, bias=False))

    def loss(model):
        x = X.clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return (slope.norm(dim=1) - 1).square().mean()

    assert {p.status for p in doctor(loss, model).parameters.values()} == {"reached"}


def test_code_that_no_mode_sees_is_bridged():
    @torch.jit.script
    def hidden(x, w):
        return torch.tanh(x @ w)

    diagnosis = doctor(lambda w: hidden(X, w).square().sum(), weight(4))
    assert diagnosis.parameters["params"].status == "reached"


def test_compiled_functions_are_looked_into():
    inner = torch.compile(lambda h: torch.round(torch.sin(h)))
    assert found(lambda w: inner(X @ w).sum(), weight(4)) == {("flat", "round")}


class Stepped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x > 0).to(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


@pytest.mark.parametrize(
    ("loss", "operator", "proxy"),
    [
        (lambda w: ste.sign(X @ w).sum(), "sign", "clipped_identity(width=1.0)"),
        (lambda w: ste.round(X @ w).sum(), "round", "identity"),
        (lambda w: Stepped.apply(X @ w).sum(), "stepped", "by hand"),
        (lambda w: ((X @ w) + (torch.floor(X @ w) - (X @ w)).detach()).sum(), None, None),
    ],
)
def test_what_a_hard_operator_carries_is_listed(loss, operator, proxy):
    diagnosis = doctor(loss, weight(4))
    assert diagnosis.healthy
    assert [(c.key.split("@")[0], c.proxy) for c in diagnosis.carried] == ([(operator, proxy)] if operator else [])


def test_a_line_by_hand_is_listed():
    def loss(w):
        h = X @ w
        return (h + (torch.round(h) - h).detach()).sum()

    (carried,) = doctor(loss, weight(4)).carried
    assert (carried.key.split("@")[0], carried.proxy) == ("round", "by hand")


@pytest.mark.parametrize("width", [0.3, 1.0, 4.0])
def test_the_width_of_a_proxy_is_that_of_its_noise(width):
    for family in (ste.proxies.gaussian, ste.proxies.sigmoid, ste.proxies.triangle, ste.proxies.atan):
        proxy = family(**{name: float(value) for name, value in family.width_rule(width).items()})
        assert width_of(proxy) == pytest.approx(width)
    assert width_of(ste.proxies.identity()) is None
