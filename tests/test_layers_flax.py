"""The Flax NNX module: what it trains, keeps, saves and leaves behind."""

from __future__ import annotations

import copy
import importlib.util
import pathlib
import pickle

import pytest

pytest.importorskip("flax")
jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402
from flax import nnx  # noqa: E402

import straightthrough as ste  # noqa: E402
from straightthrough._backends import jax as table  # noqa: E402
from straightthrough.flax import ProxyState, StraightThrough  # noqa: E402

pytestmark = pytest.mark.jax

X = jnp.array([[-3.0, -0.3, 0.0, 1.5], [0.2, 5.0, -1.0, 0.7]])


class Tanh(nnx.Module):
    def __init__(self):
        self.sharpness = nnx.Param(jnp.float32(2.0))

    def __call__(self, x):
        return jnp.tanh(self.sharpness[...] * x)


def spike(x):
    return x > 0.1


def double(x):
    return 2.0 * x


clipped = ste.proxies.clipped_identity
FORMS = {
    "name": lambda: StraightThrough("sign"),
    "operation": lambda: StraightThrough(ste.sign, "relu"),
    "another proxy": lambda: StraightThrough(ste.with_proxy(ste.round, "relu")),
    "own function": lambda: StraightThrough(spike),
    "own proxy": lambda: StraightThrough("sign", double),
    "keywords": lambda: StraightThrough("top_k_mask", k=2, axis=0),
    "level": lambda: StraightThrough("greater", y=0.5),
    "learned": lambda: StraightThrough("sign", "clipped_identity(width=2)", learn="width"),
    "learned, per column": lambda: StraightThrough(
        "sign", clipped(width=jnp.array([1.0, 2.0, 3.0, 4.0])), learn=["width", "scale"]
    ),
    "annealed": lambda: StraightThrough("sign", ste.proxies.ede(t=jnp.float32(0.5))),
    "temperature": lambda: StraightThrough("one_hot_argmax", "softmax(temperature=2)", learn="temperature"),
    "module as proxy": lambda: StraightThrough("sign", Tanh()),
}


def loss(layer, x):
    y = layer(x)
    return (y * jnp.arange(1.0, 9.0).reshape(2, 4)).sum(), y


gradients = nnx.value_and_grad(loss, argnums=(0, 1), has_aux=True)
compiled_gradients = nnx.jit(gradients)


def numbers(result):
    """Value, input gradient and parameter gradients, bit by bit."""
    (_, y), (state, x) = result
    return [y.tolist(), x.tolist(), *(leaf.tolist() for leaf in jax.tree.leaves(state))]


def close(a, b):
    for one, other in zip(a, b, strict=True):
        assert jnp.allclose(jnp.asarray(one), jnp.asarray(other), rtol=1e-5, atol=1e-6), (one, other)


@pytest.fixture(params=FORMS)
def layer(request):
    return FORMS[request.param]()


def test_gradient_is_that_of_the_operation(layer):
    arguments = layer.arguments

    def expected(x):
        y = arguments.operation(x, proxy=layer.proxy, **arguments.keywords)
        return (y * jnp.arange(1.0, 9.0).reshape(2, 4)).sum(), y

    (_, y), gradient = jax.value_and_grad(expected, has_aux=True)(X)
    value, found, *rest = numbers(gradients(layer, X))
    assert (value, found) == (y.tolist(), gradient.tolist())
    assert jnp.abs(gradient).sum() > 0
    assert len(rest) == len(jax.tree.leaves(nnx.state(layer, nnx.Param)))


def test_under_nnx_jit_it_is_the_same(layer):
    eager, jitted = numbers(gradients(layer, X)), numbers(compiled_gradients(layer, X))
    assert eager[0] == jitted[0]
    close(eager, jitted)


def test_copies_and_pickles_are_the_same(layer):
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), nnx.clone(layer)):
        assert numbers(gradients(other, X)) == numbers(gradients(layer, X))
        assert repr(other.arguments) == repr(layer.arguments)


def test_in_eval_mode_the_bare_operator_is_left(layer):
    trained = layer(X)
    layer.eval()
    assert layer(X).tolist() == trained.tolist()
    (_, y), (_, gradient) = gradients(layer, X)
    assert not jnp.any(jnp.where(y != X, gradient, 0.0)), "the proxy is still there in eval mode"
    arguments = layer.arguments
    programs = [
        jax.jit(function).lower(X).as_text()
        for function in (
            lambda x: layer(x),
            lambda x: arguments.operation.hard(table, x, **arguments.keywords).astype(x.dtype),
        )
    ]
    assert programs[0] == programs[1]
    layer.train()
    assert jnp.any(gradients(layer, X)[1][1])


def test_a_view_is_in_inference_mode_and_the_layer_is_not():
    layer = FORMS["name"]()
    view = nnx.view(layer, deterministic=True)
    assert (view.deterministic, layer.deterministic) == (True, False)
    assert not jnp.any(gradients(view, X)[1][1])


def test_state_is_what_is_learned_and_what_is_annealed():
    learned, annealed, bare = FORMS["learned"](), FORMS["annealed"](), FORMS["name"]()
    assert isinstance(learned.width, nnx.Param)
    assert jax.tree.leaves(nnx.state(learned, nnx.Param)) == [2.0]
    assert isinstance(annealed.t, ProxyState)
    assert jax.tree.leaves(nnx.state(annealed, nnx.Param)) == []
    assert jax.tree.leaves(nnx.state(annealed)) == [0.5]
    assert jax.tree.leaves(nnx.state(bare)) == []
    fresh = FORMS["learned"]()
    learned.width[...] = 7.0
    nnx.update(fresh, nnx.state(learned))
    assert fresh.proxy.parameters["width"] == 7.0


def test_state_goes_through_an_orbax_checkpoint(tmp_path):
    checkpoint = pytest.importorskip("orbax.checkpoint")
    layer, fresh = FORMS["learned, per column"](), FORMS["learned, per column"]()
    layer.width[...] = jnp.array([4.0, 3.0, 2.0, 1.0])
    with checkpoint.StandardCheckpointer() as saver:
        saver.save(tmp_path / "state", nnx.to_pure_dict(nnx.state(layer)))
        saver.wait_until_finished()
        state = saver.restore(tmp_path / "state", nnx.to_pure_dict(nnx.state(fresh)))
    nnx.update(fresh, state)
    assert numbers(gradients(fresh, X)) == numbers(gradients(layer, X))


def test_annealing_compiles_nothing_again():
    layer = StraightThrough("sign", clipped(width=jnp.float32(1.0)))
    traced = []

    @nnx.jit
    def gradient(layer, x):
        traced.append(layer)
        return gradients(layer, x)[1][1]

    passed = []
    for width in (1.0, 2.0, 6.0):
        layer.width[...] = width
        passed.append(int(jnp.count_nonzero(gradient(layer, X))))
    assert passed == [5, 6, 8]
    assert len(traced) == 1


def test_keys_come_from_the_layer_or_with_the_call():
    half = jnp.full((64,), 0.5)
    layer = StraightThrough("stochastic_round", rngs=nnx.Rngs(0))
    draws = [nnx.jit(lambda layer, x: layer(x))(layer, half).tolist() for _ in range(2)]
    assert draws[0] != draws[1]
    given = [layer(half, key=jax.random.key(3)).tolist() for _ in range(2)]
    assert given[0] == given[1]
    with pytest.raises(ste.ArgumentError, match="stochastic_round: key must be one JAX key"):
        StraightThrough("stochastic_round")(half)


def test_bfloat16_keeps_dtype_and_value():
    y = FORMS["learned"]()(jnp.array([258.0, -516.0], jnp.bfloat16))
    assert (y.dtype, y.tolist()) == (jnp.bfloat16, [1.0, -1.0])


def test_under_vmap_and_scan():
    layer = FORMS["name"]()
    expected = gradients(layer, X)[1][1]
    rows, weights = jnp.ones((3, *X.shape)) * X, jnp.arange(1.0, 9.0).reshape(2, 4)
    found = jax.grad(lambda x: (jax.vmap(layer)(x) * weights).sum())(rows)
    assert found.tolist() == [expected.tolist()] * 3
    found = jax.grad(lambda x: (jax.lax.scan(lambda c, row: (c, layer(row)), 0.0, x)[1] * weights).sum())(rows)
    assert found.tolist() == [expected.tolist()] * 3


def test_bad_arguments_are_refused_when_the_layer_is_made():
    with pytest.raises(ste.UnknownNameError, match=r"no operation is named 'sing'; did you mean 'sign'\?"):
        StraightThrough("sing")
    with pytest.raises(ste.ArgumentError, match="ternary has no argument 'treshold'; it takes threshold"):
        StraightThrough("ternary", treshold=0.5)
    with pytest.raises(ste.ArgumentError, match="learn must be among width, scale for clipped_identity"):
        StraightThrough("sign", learn="sharpness")
    with pytest.raises(ste.ArgumentError, match="operator must be a name or a function, got Tanh"):
        StraightThrough(Tanh())


def test_example_learns():
    pytest.importorskip("optax")
    path = pathlib.Path(__file__).parent.parent / "examples" / "layers_flax.py"
    spec = importlib.util.spec_from_file_location("layers_flax", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result = module.main()
    assert result["last"] < 0.6 * result["first"]
    assert result["accuracy"] > 0.75
    assert result["width"] != 1.0
