"""The PyTorch module: what it trains, keeps, saves and leaves behind."""

from __future__ import annotations

import copy
import importlib.util
import io
import pathlib
import pickle

import pytest

torch = pytest.importorskip("torch")

import straightthrough as ste  # noqa: E402
from straightthrough import _registry  # noqa: E402
from straightthrough._backends import torch as table  # noqa: E402
from straightthrough.torch import StraightThrough  # noqa: E402

pytestmark = pytest.mark.torch

ROWS = [[-3.0, -0.3, 0.0, 1.5], [0.2, 5.0, -1.0, 0.7]]


def spike(x: torch.Tensor) -> torch.Tensor:
    return x > 0.1


def double(x: torch.Tensor) -> torch.Tensor:
    return 2.0 * x


FORMS = {
    "name": lambda: StraightThrough("sign"),
    "operation": lambda: StraightThrough(ste.sign, "relu"),
    "another proxy": lambda: StraightThrough(ste.with_proxy(ste.round, "relu")),
    "own function": lambda: StraightThrough(spike),
    "own proxy": lambda: StraightThrough("sign", double),
    "torch's own": lambda: StraightThrough(torch.round),
    "keywords": lambda: StraightThrough("top_k_mask", k=2, axis=0),
    "threshold": lambda: StraightThrough("ternary", threshold=0.25),
    "level": lambda: StraightThrough("greater", y=0.5),
    "learned": lambda: StraightThrough("sign", "clipped_identity(width=2)", learn="width"),
    "learned, per column": lambda: StraightThrough(
        "sign", ste.proxies.clipped_identity(width=torch.tensor([1.0, 2.0, 3.0, 4.0])), learn=["width", "scale"]
    ),
    "parameter": lambda: StraightThrough(
        "sign", ste.proxies.clipped_identity(width=torch.nn.Parameter(torch.tensor(1.0)))
    ),
    "buffer": lambda: StraightThrough("sign", ste.proxies.ede(t=torch.tensor(0.5))),
    "temperature": lambda: StraightThrough("one_hot_argmax", "softmax(temperature=2)", learn="temperature"),
    "module as proxy": lambda: StraightThrough("sign", torch.nn.PReLU()),
    "module as operator": lambda: StraightThrough(torch.nn.Threshold(0.1, 0.0)),
}


def gradients(function: torch.nn.Module, layer: torch.nn.Module) -> list[torch.Tensor]:
    """The value, then the gradients of a weighted sum: with respect to x and to each parameter."""
    x = torch.tensor(ROWS, requires_grad=True)
    y = function(x)
    weights = torch.arange(1.0, 9.0).reshape(2, 4)
    wanted = [x, *layer.parameters()]
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), wanted, allow_unused=True)]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@pytest.fixture(params=FORMS)
def layer(request: pytest.FixtureRequest) -> StraightThrough:
    return FORMS[request.param]()


def test_gradient_is_that_of_the_operation(layer):
    x = torch.tensor(ROWS, requires_grad=True)
    arguments = layer.arguments
    y = arguments.operation(x, proxy=layer.proxy, **arguments.keywords)
    (expected,) = torch.autograd.grad((y * torch.arange(1.0, 9.0).reshape(2, 4)).sum(), [x])
    value, gradient, *rest = gradients(layer, layer)
    same([value, gradient], [y.detach(), expected])
    assert gradient.abs().sum() > 0
    assert all(one is not None and one.isfinite().all() for one in rest)


def test_compiled_in_one_graph_it_is_the_same(layer):
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    (value, *found), (expected, *wanted) = gradients(compiled, layer), gradients(layer, layer)
    same([value], [expected])
    torch.testing.assert_close(found, wanted)


def test_copies_and_pickles_are_the_same_and_independent(layer):
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        same(gradients(other, other), gradients(layer, layer))
        assert repr(other) == repr(layer)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.add_(1.0)
        assert all((a == b - 1.0).all() for a, b in zip(layer.parameters(), other.parameters(), strict=True))


def test_in_eval_mode_the_value_is_the_same_and_the_gradient_that_of_the_bare_operator(layer):
    x = torch.tensor(ROWS, requires_grad=True)
    trained = layer(x)
    bare = layer.eval()(x)
    assert bare.dtype == trained.dtype
    same([bare.detach()], [trained.detach()])
    if bare.requires_grad:
        (gradient,) = torch.autograd.grad(bare.sum(), [x])
        through = gradient[(bare != x).detach()]
        assert (through == 0).all(), "the proxy is still there in eval mode"
    same([layer.train()(x).detach()], [trained.detach()])


class Bare(torch.nn.Module):
    """The hard operator over the array table, without anything of ours around it."""

    def __init__(self, layer: StraightThrough):
        super().__init__()
        self.operation, self.keywords = layer.arguments.operation, layer.arguments.keywords

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.operation.hard(table, x, **self.keywords)


@pytest.mark.parametrize("form", ["name", "learned", "buffer", "another proxy", "level", "temperature", "keywords"])
def test_exported_in_eval_mode_only_the_operator_is_left(form):
    layer = FORMS[form]().eval()

    def calls(module: torch.nn.Module) -> list[str]:
        program = torch.export.export(module, (torch.tensor(ROWS),))
        return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]

    assert calls(layer) == calls(Bare(layer))


def test_state_dict_holds_what_is_learned_and_what_is_annealed():
    learned, annealed = FORMS["learned"](), FORMS["buffer"]()
    assert {name: value.item() for name, value in learned.state_dict().items()} == {"width": 2.0}
    assert [name for name, _ in learned.named_parameters()] == ["width"]
    assert {name: value.item() for name, value in annealed.state_dict().items()} == {"t": 0.5}
    assert not list(annealed.parameters())
    assert list(FORMS["name"]().state_dict()) == []
    fresh = FORMS["learned"]()
    with torch.no_grad():
        learned.width.fill_(7.0)
    file = io.BytesIO()
    torch.save(learned.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True), assign=True)
    assert fresh.proxy.parameters["width"].item() == 7.0
    same(gradients(fresh, fresh), gradients(learned, learned))


def test_a_parameter_in_the_proxy_is_the_modules_parameter():
    width = torch.nn.Parameter(torch.tensor(1.0))
    layer = StraightThrough("sign", ste.proxies.clipped_identity(width=width))
    assert next(layer.parameters()) is width
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    layer(torch.tensor([3.0, 0.1])).sum().backward()
    optimizer.step()
    # The clip's value at 3 is the width: its derivative there is 1.
    assert layer.proxy.parameters["width"].item() == 0.5


def test_a_modules_parameters_are_trained_as_the_proxys():
    layer = StraightThrough("sign", torch.nn.PReLU())
    layer(torch.tensor([-3.0, 2.0])).sum().backward()
    assert {name: p.grad.item() for name, p in layer.named_parameters()} == {"proxy_module.weight": -3.0}


def test_annealing_a_buffer_compiles_nothing_again():
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    layer = StraightThrough("sign", ste.proxies.clipped_identity(width=torch.tensor(1.0)))
    compiled = torch.compile(layer, fullgraph=True, backend=counter)
    slopes = []
    for width in (1.0, 2.0, 6.0):
        layer.width.fill_(width)
        slopes.append(int(gradients(compiled, layer)[1].count_nonzero()))
    assert slopes == [5, 6, 8]
    assert counter.frame_count == 1


def test_ede_without_a_height_keeps_the_height_that_follows_from_t():
    layer = FORMS["buffer"]()
    assert layer.proxy.parameters["k"].item() == 2.0
    layer.t.fill_(0.1)
    assert layer.proxy.parameters["k"].item() == pytest.approx(10.0)


def test_moving_and_casting_take_the_state_along():
    layer = FORMS["learned"]().to(torch.float64)
    assert layer.width.dtype == torch.float64
    assert layer(torch.tensor(ROWS, dtype=torch.float64)).dtype == torch.float64
    half = torch.tensor([[258.0, -516.0]], dtype=torch.bfloat16, requires_grad=True)
    y = FORMS["learned"]()(half)
    y.sum().backward()
    assert y.tolist() == [[1.0, -1.0]]
    assert y.dtype == half.grad.dtype == torch.bfloat16


def test_under_autocast_in_a_network():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), StraightThrough("sign"), torch.nn.Linear(8, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.tensor(ROWS))
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert model[0].weight.grad.abs().sum() > 0


def test_further_arguments_go_to_the_operator():
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([2.0, 1.0], requires_grad=True)
    out = StraightThrough("greater")(x, y)
    out.sum().backward()
    assert out.tolist() == [0.0, 1.0]
    assert (x.grad == -y.grad).all()
    assert (x.grad > 0).all()
    first, second = (StraightThrough("stochastic_round")(torch.full((64,), 0.5), key=_seeded()) for _ in range(2))
    assert first.tolist() == second.tolist()


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_ready_operations_all_make_a_layer():
    needs = {"clip": {"low": -1.0, "high": 1.0}, "top_k_mask": {"k": 2}}
    x = torch.tensor(ROWS)
    for name, operation in _registry.operations.items():
        arguments = needs.get(name, {"y": 0.5} if "equal" in name or name in ("greater", "less") else {})
        if name != "stochastic_round":
            assert torch.equal(StraightThrough(name, **arguments)(x), operation(x, **arguments)), name


def test_no_proxy_parameter_hides_an_attribute_of_a_framework():
    names = {name for family in _registry.families.values() for name in family.parameters} | {"scale"}
    classes = [StraightThrough]
    for framework in ("keras", "flax"):
        if importlib.util.find_spec(framework):
            classes.append(importlib.import_module(f"straightthrough.{framework}").StraightThrough)
    for one in classes:
        assert not {name for name in names if hasattr(one, name)}, one


def test_repr_shows_what_was_asked_for():
    shown = {form: repr(FORMS[form]()) for form in ("name", "keywords", "learned", "own function", "own proxy")}
    assert shown == {
        "name": "StraightThrough(sign, proxy=clipped_identity(width=1.0))",
        "keywords": "StraightThrough(top_k_mask, proxy=softmax(temperature=1.0), k=2, axis=0)",
        "learned": "StraightThrough(sign, proxy=clipped_identity(width=2.0), learn=['width'])",
        "own function": "StraightThrough(spike, proxy=identity)",
        "own proxy": "StraightThrough(sign, proxy=double)",
    }


BAD = [
    (("sing",), {}, ste.UnknownNameError, "StraightThrough: no operation is named 'sing'; did you mean 'sign'?"),
    (
        (3,),
        {},
        ste.ArgumentError,
        "StraightThrough: operator must be a name such as 'sign', an operation or a callable, got 3",
    ),
    (
        ("sign", "clipd_relu"),
        {},
        ste.UnknownNameError,
        "StraightThrough: no proxy is named 'clipd_relu'; did you mean 'clipped_relu'?",
    ),
    (("sign", 3), {}, ste.ArgumentError, "StraightThrough: proxy must be a name or a callable, got 3"),
    (
        ("ternary",),
        {"treshold": 0.5},
        ste.ArgumentError,
        "StraightThrough: ternary has no argument 'treshold'; it takes threshold",
    ),
    (
        ("sign",),
        {"axis": 0},
        ste.ArgumentError,
        "StraightThrough: sign has no argument 'axis'; it takes nothing but its input",
    ),
    (
        ("sign",),
        {"learn": "sharpness"},
        ste.ArgumentError,
        "StraightThrough: learn must be among width, scale for clipped_identity, got 'sharpness'",
    ),
    (
        ("sign",),
        {"learn": 3},
        ste.ArgumentError,
        "StraightThrough: learn must be the name of a proxy parameter, or several, got 3",
    ),
    (
        ("sign", double),
        {"learn": "width"},
        ste.ArgumentError,
        "StraightThrough: learn must be empty for such a proxy, got ['width']; "
        "a function of your own holds its parameters itself",
    ),
    (
        ("heaviside", "square_wave"),
        {"learn": "terms"},
        ste.ArgumentError,
        "StraightThrough: learn must be a parameter with a derivative, got 'terms'; it counts terms",
    ),
]


@pytest.mark.parametrize(("arguments", "keywords", "error", "sentence"), BAD, ids=lambda value: str(value)[:30])
def test_bad_arguments_are_refused_when_the_layer_is_made(arguments, keywords, error, sentence):
    with pytest.raises(error) as raised:
        StraightThrough(*arguments, **keywords)
    assert str(raised.value) == sentence


def test_integers_are_refused():
    with pytest.raises(ste.DtypeError, match=r"sign: x must be a floating array, got .*int64"):
        StraightThrough("sign")(torch.tensor([1, 2]))


@pytest.mark.slow
def test_compiled_by_the_default_compiler_it_is_the_same(layer):
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True)
    expected = gradients(layer, layer)
    torch.testing.assert_close(gradients(compiled, layer), expected)
    same(gradients(compiled, layer)[:1], expected[:1])


def test_example_learns(example):
    result = example("layers_torch").main()
    assert result["last"] < 0.6 * result["first"]
    assert result["accuracy"] > 0.75
    assert result["width"] != 1.0


@pytest.fixture
def example():
    """A file of the examples as a module."""

    def load(name: str):
        path = pathlib.Path(__file__).parent.parent / "examples" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
