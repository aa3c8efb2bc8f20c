"""`ste.ship`: hard operators only, and the same bits in a process that cannot import straightthrough."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("numpy")

import numpy as np

import straightthrough as ste
from straightthrough import ArgumentError, DataError, FrameworkError, MissingDependencyError, UnsupportedError
from straightthrough.ship import shipping

FRAMEWORKS = [
    pytest.param("jax", marks=pytest.mark.jax),
    pytest.param("torch", marks=pytest.mark.torch),
    pytest.param("tensorflow", marks=pytest.mark.tensorflow),
]
KERNEL = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
X = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)


def arrays_of(framework: str):
    """A function from numpy arrays to a framework's."""
    module = pytest.importorskip(framework)
    return {
        "torch": lambda x: module.from_numpy(x),
        "jax": lambda x: module.numpy.asarray(x),
        "tensorflow": lambda x: module.constant(x),
    }[framework]


def textbook(framework: str):
    """The line that stays in a graph: x + stop_gradient(op(x) - x)."""
    module = pytest.importorskip(framework)
    sign = {"torch": module, "tensorflow": module}.get(framework) or module.numpy
    stop = {
        "torch": lambda x: x.detach(),
        "tensorflow": lambda x: module.stop_gradient(x),
        "jax": lambda x: module.lax.stop_gradient(x),
    }[framework]
    return lambda x: x + stop(sign.sign(x) - x)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_function_with_several_operations_two_inputs_and_two_outputs(framework, tmp_path):
    array = arrays_of(framework)
    kernel = array(KERNEL)

    def model(x, y):
        hidden = ste.sign(x @ kernel, proxy="sigmoid") + ste.round(y, proxy="clipped_identity(width=2)")
        return ste.one_hot_argmax(hidden), ste.heaviside(hidden, proxy="gaussian(std=0.5)")

    shipped = ste.ship(model, (array(X), array(X[:, :4])), tmp_path / "folder" / "model")
    assert shipped.equal
    assert shipped.compared == 40
    assert shipped.largest_difference == 0.0
    assert shipped.size > 0
    assert shipped.path.exists()
    assert shipped.framework.startswith(framework)
    expected = [np.asarray(output) for output in model(array(X), array(X[:, :4]))]
    assert [a.tobytes() for a in shipped.outputs] == [b.tobytes() for b in expected]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_graph_is_that_of_the_bare_operators(framework, tmp_path):
    array = arrays_of(framework)
    kernel = array(KERNEL)

    def with_proxies(x):
        return ste.sign(x @ kernel)

    def bare(x):
        return ste.hard(ste.sign)(x @ kernel)

    one, two = (ste.ship(f, array(X), tmp_path / f.__name__) for f in (with_proxies, bare))
    assert one.operations == two.operations
    assert not any("exp" in name.lower() or "grad" in name.lower() for name in one.operations)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_textbook_line_is_refused(framework, tmp_path):
    array = arrays_of(framework)
    with pytest.raises(
        UnsupportedError, match=r"ship: model must be one of hard operators only, got .* in its graph; use"
    ):
        ste.ship(textbook(framework), array(X), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.jax
def test_a_function_compiled_before_keeps_its_proxy_and_is_refused(tmp_path):
    jax = pytest.importorskip("jax")
    compiled = jax.jit(lambda x: ste.sign(x, proxy="sigmoid"))
    compiled(X)
    with pytest.raises(UnsupportedError, match="a proxy of straightthrough in its graph"):
        ste.ship(lambda x: compiled(x) * 2, jax.numpy.asarray(X), tmp_path / "model")


@pytest.mark.torch
def test_a_trained_module_ships_in_training_mode_with_its_loader(tmp_path):
    torch = pytest.importorskip("torch")

    class Binary(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.head = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)

        def forward(self, x):
            return self.head(ste.sign(self.first(x)))

    torch.manual_seed(0)
    model = Binary()
    x = torch.from_numpy(X)
    model(x).square().sum().backward()
    assert model.first.weight.grad.abs().sum() > 0
    shipped = ste.ship(model, x, tmp_path / "model.pt2")
    assert shipped.equal
    assert shipped.operations["aten.linear"] == 2
    assert model.training
    again = torch.export.load(shipped.path).module()(x)
    assert again.detach().numpy().tobytes() == model(x).detach().numpy().tobytes()


@pytest.mark.tensorflow
def test_a_keras_model_ships_as_a_saved_model(tmp_path):
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras runs on another backend here")
    model = keras.Sequential(
        [keras.layers.Input((6,)), keras.layers.Dense(8, activation=ste.sign), keras.layers.Dense(3)]
    )
    shipped = ste.ship(model, tf.constant(X), tmp_path / "model")
    assert shipped.equal
    assert "StopGradient" not in shipped.operations
    assert shipped.operations["MatMul"] == 2
    assert (tmp_path / "model" / "saved_model.pb").is_file()


@pytest.mark.jax
def test_parameters_are_inside_the_jax_file(tmp_path):
    jax = pytest.importorskip("jax")
    kernel = jax.numpy.asarray(KERNEL)
    shipped = ste.ship(lambda x: ste.sign(x @ kernel), jax.numpy.asarray(X), tmp_path / "model")
    assert shipped.path.name == "model.jaxexport"
    loaded = jax.export.deserialize(bytearray(shipped.path.read_bytes()))
    assert (np.asarray(loaded.call(X)) == shipped.outputs[0]).all()


@pytest.mark.torch
def test_a_difference_is_reported(tmp_path):
    torch = pytest.importorskip("torch")
    calls = []

    def model(x):
        calls.append(1)
        return x + len(calls)

    shipped = ste.ship(model, torch.from_numpy(X), tmp_path / "model")
    assert not shipped.equal
    assert shipped.largest_difference == pytest.approx(1.0)
    assert "✗ 30 outputs differ by up to 1" in str(shipped)


def test_the_fresh_process_cannot_import_straightthrough():
    program = shipping._BEFORE.split("import numpy")[0] + "import straightthrough"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "must load without straightthrough" in done.stderr


def test_signed_zeros_and_nans_are_compared_by_their_bits():
    zero, other = np.zeros(2, np.float32), -np.zeros(2, np.float32)
    assert shipping._compared([zero], [zero.copy()]) == (True, 2, 0.0)
    assert shipping._compared([zero], [other])[0] is False
    nan = np.full(3, np.nan, np.float32)
    assert shipping._compared([nan], [nan.copy()])[0] is True
    assert shipping._compared([zero], [zero.astype(np.float64)])[0] is False


@pytest.mark.torch
def test_wrong_arguments_are_named(tmp_path):
    torch = pytest.importorskip("torch")
    x = torch.ones(2, 2)
    with pytest.raises(ArgumentError, match="ship: model must be callable, got 3"):
        ste.ship(3, x, tmp_path / "m")
    with pytest.raises(ArgumentError, match="ship: example must be an array or a tuple of arrays, got none"):
        ste.ship(torch.sign, (), tmp_path / "m")
    with pytest.raises(FrameworkError, match="ship: example"):
        ste.ship(torch.sign, "text", tmp_path / "m")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DataError, match="ship: cannot write"):
        ste.ship(torch.sign, x, tmp_path / "file" / "m")


def test_ship_is_a_function_and_a_package():
    from straightthrough.ship import Shipped, ship

    assert callable(ste.ship)
    assert ste.ship.Shipped is Shipped
    assert ste.ship.ship is ship


@pytest.mark.torch
def test_without_numpy_it_says_what_to_install_and_writes_nothing(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(MissingDependencyError, match="ship: numpy is needed to compare the outputs; pip install numpy"):
        ste.ship(lambda x: ste.sign(x), torch.ones(2), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
