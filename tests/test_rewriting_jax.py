"""`with_proxies` on JAX: the value stays the hard one; the gradient is that of a soft program written by hand."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

import straightthrough as ste  # noqa: E402
from straightthrough.rewriting import with_proxies  # noqa: E402

pytestmark = pytest.mark.jax

X = jnp.array([[0.5, 2.0, 1.0], [3.0, -1.0, 2.5]])
TABLE = jnp.arange(12.0).reshape(3, 4) ** 2 / 7
WEIGHTS = TABLE[:2, :3]


def soft(x):
    return jax.nn.softmax(x, -1)


def step(x):
    return jax.nn.sigmoid(4.0 * x)  # the default sharpness of the sigmoid proxy


# name: (hard program, proxies, a soft program whose gradient at X is the one that is wanted)
PROGRAMS = {
    "round": (lambda x: (jnp.round(x) * WEIGHTS).sum(), {"round": "identity"}, lambda x: (x * WEIGHTS).sum()),
    "floor_divide": (lambda x: (x // 2.0).sum(), {"floor_divide": "identity"}, lambda x: (x / 2.0).sum()),
    "cast through integer arithmetic": (
        lambda x: (x.astype(int) * 2 + 1).astype(float).sum(),
        {"cast": "identity"},
        lambda x: (2 * x + 1).sum(),
    ),
    "mask times float": (
        lambda x: (WEIGHTS * (x > 1.0)).sum(),
        {"greater": "sigmoid"},
        lambda x: (WEIGHTS * step(x - 1.0)).sum(),
    ),
    "where": (
        lambda x: jnp.where(x > 1.0, WEIGHTS, -1.0).sum(),
        {"greater": "sigmoid"},
        lambda x: (step(x - 1.0) * (WEIGHTS + 1.0)).sum(),
    ),
    "logic": (
        lambda x: ((x > 1.0) & ~(x > 5.0)).astype(float).sum(),
        {"greater": "identity"},
        # a · (1 - b) at a in {0, 1} and b = 0: the derivative is (1 - b) - a.
        lambda x: (x - jax.lax.stop_gradient((x > 1.0).astype(float)) * x).sum(),
    ),
    "index to one_hot": (
        lambda x: (jax.nn.one_hot(jnp.argmax(x, -1), 3) @ TABLE).sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x) @ TABLE).sum(),
    ),
    "index to look-up": (
        lambda x: TABLE[jnp.argmax(x, -1)].sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x) @ TABLE).sum(),
    ),
    "index beside a position": (
        lambda x: WEIGHTS[jnp.arange(2), jnp.argmax(x, -1)].sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x) * WEIGHTS).sum(),
    ),
    "take_along_axis": (
        lambda x: jnp.take_along_axis(WEIGHTS, jnp.argmax(x, -1)[:, None], 1).sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x) * WEIGHTS).sum(),
    ),
    "scatter of ones": (
        lambda x: (jnp.zeros((2, 3)).at[jnp.arange(2), jnp.argmax(x, -1)].set(1.0) * WEIGHTS).sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x) * WEIGHTS).sum(),
    ),
    "argmin": (
        lambda x: TABLE[jnp.argmin(x, -1)].sum(),
        {"argmin": "softmax"},
        lambda x: (soft(-x) @ TABLE).sum(),
    ),
    "vmap": (
        lambda x: jax.vmap(lambda row: TABLE[jnp.argmax(row)].sum())(x).sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x) @ TABLE).sum(),
    ),
    "jit": (
        lambda x: jax.jit(lambda y: jnp.round(y) * WEIGHTS)(x).sum(),
        {"round": "identity"},
        lambda x: (x * WEIGHTS).sum(),
    ),
    "checkpoint": (
        lambda x: jax.checkpoint(lambda y: jnp.round(2 * y).sum())(x),
        {"round": "identity"},
        lambda x: (2 * x).sum(),
    ),
    "cond": (
        lambda x: jax.lax.cond(x[0, 0] > 0, lambda y: jnp.round(y).sum(), lambda y: y.sum() * 3, x),
        {"round": "identity"},
        lambda x: x.sum(),
    ),
    "scan": (
        lambda x: jax.lax.scan(lambda c, row: (c + TABLE[jnp.argmax(row)], None), jnp.zeros(4), x)[0].sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x) @ TABLE).sum(),
    ),
    "an index carried by a scan": (
        lambda x: TABLE[jax.lax.scan(lambda _, row: (jnp.argmax(row), None), 0, x)[0]].sum(),
        {"argmax": "softmax"},
        lambda x: (soft(x[1]) @ TABLE).sum(),
    ),
    "stop_gradient": (
        lambda x: (jax.lax.stop_gradient(x) * WEIGHTS).sum(),
        {"stop_gradient": "identity"},
        lambda x: (x * WEIGHTS).sum(),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_value_is_the_hard_one_and_gradient_that_of_the_soft_program(name):
    hard, proxies, soft_program = PROGRAMS[name]
    rewritten = with_proxies(hard, proxies)
    assert np.asarray(rewritten(X)).tobytes() == np.asarray(hard(X)).tobytes()
    wanted = np.asarray(jax.grad(soft_program)(X))
    assert np.any(wanted)
    np.testing.assert_allclose(jax.grad(rewritten)(X), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.grad(rewritten))(X), wanted, rtol=1e-5, atol=1e-6)
    assert all(rewrite.landed for rewrite in rewritten.rewritten)


def test_containers_integers_and_keywords_come_back_as_they_are():
    def program(x, *, scale):
        index = jnp.argmax(x, -1)
        return {"index": index, "losses": (TABLE[index].sum() * scale, x)}

    made = with_proxies(program, {"argmax": "softmax"})(X, scale=2.0)
    wanted = program(X, scale=2.0)
    assert jax.tree.structure(made) == jax.tree.structure(wanted)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: a.dtype == b.dtype and bool((a == b).all()), made, wanted)))


def test_a_key_with_a_place_takes_one_line_and_leaves_the_others():
    def program(x):
        return (
            jnp.round(x).sum()
            + jnp.round(2 * x).sum()
        )  # fmt: skip

    lines = [rewrite.key for rewrite in _called(program, {"round": "identity"}).rewritten]
    assert len(lines) == 2
    first = with_proxies(program, {lines[0]: "identity"})
    np.testing.assert_array_equal(jax.grad(first)(X), np.ones((2, 3)))


def _called(program, proxies):
    made = with_proxies(program, proxies)
    made(X)
    return made


def test_native_spellings_are_taken():
    np.testing.assert_array_equal(
        jax.grad(with_proxies(lambda x: (x > 1.0).astype(float).sum(), {"gt": "identity"}))(X), 1
    )


def test_our_own_operations_and_custom_rules_are_left_alone():
    def program(x):
        return ste.sign(x, proxy="relu").sum() + jax.nn.relu(x).sum() + jnp.round(x).sum()

    made = with_proxies(program, {"round": "identity"})
    np.testing.assert_array_equal(jax.grad(made)(X), jax.grad(program)(X) + 1)


def test_an_operator_that_does_not_occur_is_an_error_that_lists_those_that_do():
    with pytest.raises(
        ste.UnknownNameError, match=r"no operator of the program fits 'floor'; .*round@test_rewriting_jax"
    ):
        with_proxies(lambda x: jnp.round(x).sum(), {"floor": "identity"})(X)


def test_a_proxy_that_never_lands_is_an_error_that_names_what_dropped_it():
    def program(x):
        return jnp.bincount(jnp.argmax(x, -1), length=3).astype(float) @ jnp.arange(3.0)

    with pytest.raises(ste.ArgumentError, match=r"the proxy of argmax@.* never lands: .*dropped by scatter-add@"):
        with_proxies(program, {"argmax": "softmax"})(X)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, {"round": "identity"}), ste.ArgumentError, "function must be callable, got None"),
        ((jnp.round, {}), ste.ArgumentError, "proxies must be a dictionary"),
        ((jnp.round, {"round": "identiti"}), ste.UnknownNameError, "did you mean 'identity'"),
    ],
)
def test_wrong_arguments_are_told(arguments, error, message):
    with pytest.raises(error, match=message):
        with_proxies(*arguments)


def test_a_call_without_arrays_and_a_framework_that_is_not_covered_are_told():
    made = with_proxies(lambda x: x, {"round": "identity"})
    with pytest.raises(ste.FrameworkError, match="no argument of the call is an array"):
        made(3)
    torch = pytest.importorskip("torch")
    with pytest.raises(ste.UnsupportedError, match="torch is not covered yet"):
        made(torch.ones(2))
