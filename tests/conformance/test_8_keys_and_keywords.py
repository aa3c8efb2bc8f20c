"""Contract line 8: keys for random draws, and arguments by name.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

from typing import Any

import pytest

import straightthrough as ste
from conformance.refusals import arguments, refused
from native import JAX, TORCH, each_framework, each_pair
from straightthrough import _registry

# 23: keys.

WANTED_KEY = {
    "torch": "a torch.Generator, or None for torch's default one",
    "tensorflow": "a tf.random.Generator, or None for the global one",
    "jax": "one JAX key, as from jax.random.key(0)",
}


def test_23_jax_wants_a_key():
    message = f"stochastic_round: key must be {WANTED_KEY['jax']}, got None; JAX draws nothing without a key"
    refused(ste.ArgumentError, message, lambda: ste.stochastic_round(JAX.array([0.3])))
    refused(ste.ArgumentError, message, lambda: JAX.jax.jit(ste.stochastic_round)(JAX.array([0.3])))


def test_23_jax_wants_one_key():
    random = JAX.jax.random
    for keys in (random.split(random.key(0), 3), random.split(random.PRNGKey(0), 3)):
        message = (
            f"stochastic_round: key must be {WANTED_KEY['jax']}, got an array of shape {keys.shape}; "
            "use jax.vmap to draw once per key"
        )
        refused(ste.ArgumentError, message, lambda keys=keys: ste.stochastic_round(JAX.array([0.3]), keys))
        drawn = JAX.jax.vmap(lambda key: ste.stochastic_round(JAX.array([0.3]), key))(keys)
        assert drawn.shape == (3, 1)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_23_an_array_that_is_no_key(shape):
    array = JAX.jax.numpy.zeros(shape, "uint32")
    with pytest.raises(ste.ArgumentError, match=r"^stochastic_round: key must be one JAX key, as from .*, got "):
        ste.stochastic_round(JAX.array([0.3]), array)


def test_23_a_reused_key_is_found_by_jaxs_own_checker():
    jax = JAX.jax
    x, key = JAX.array([0.3, 0.7]), jax.random.key(0)

    def twice(x: Any, key: Any) -> Any:
        return ste.stochastic_round(x, key) + ste.stochastic_round(x, key)

    def once_each(x: Any, key: Any) -> Any:
        one, two = jax.random.split(key)
        return ste.stochastic_round(x, one) + ste.stochastic_round(x, two)

    with jax.debug_key_reuse(True):
        with pytest.raises(jax.errors.KeyReuseError):
            jax.jit(twice)(x, key)
        assert jax.jit(once_each)(x, jax.random.key(1)).shape == (2,)
        # Differentiating draws once: the same key must not look used twice.
        gradient = jax.jit(jax.grad(lambda x, key: ste.stochastic_round(x, key).sum()))(x, jax.random.key(2))
        assert gradient.tolist() == [1, 1]


@each_pair
def test_23_a_key_of_another_framework(native, other):
    key = other.generator(0)
    shown = f"{type(key).__module__}.{type(key).__qualname__}"
    message = f"stochastic_round: key must be {WANTED_KEY[native.name]}, got {shown}"
    refused(ste.FrameworkError, message, lambda: ste.stochastic_round(native.array([0.3]), key=key))


@pytest.mark.parametrize("bad", [0, "text", 1.5, [1]], ids=repr)
@each_framework
def test_23_a_seed_is_no_key(native, bad):
    message = f"stochastic_round: key must be {WANTED_KEY[native.name]}, got {bad!r}"
    refused(ste.FrameworkError, message, lambda: ste.stochastic_round(native.array([0.3]), key=bad))


# 24: keywords.

TAKES = {
    "round": "x, proxy",
    "sign": "x, proxy",
    "ternary": "x, threshold, proxy",
    "stochastic_round": "x, key, proxy",
    "clip": "x, low, high, proxy",
    "greater": "x, y, proxy",
    "one_hot_argmax": "x, axis, proxy",
    "top_k_mask": "x, k, axis, proxy",
}


@pytest.mark.parametrize("name", TAKES)
@each_framework
def test_24_an_unknown_keyword_names_those_there_are(native, name):
    operation = getattr(ste, name)
    message = f"{name}: {name} takes {TAKES[name]}; got an unexpected keyword argument 'dim'"
    refused(
        ste.ArgumentError,
        message,
        lambda: operation(native.array([0.3]), *arguments(native, operation), dim=1),
    )


@each_framework
def test_24_missing_and_superfluous_arguments(native):
    x = native.array([0.3])
    message = "greater: greater takes x, y, proxy; missing a required argument: 'y'"
    refused(ste.ArgumentError, message, lambda: ste.greater(x))
    message = "top_k_mask: top_k_mask takes x, k, axis, proxy; missing a required argument: 'k'"
    refused(ste.ArgumentError, message, lambda: ste.top_k_mask(x))
    refused(ste.ArgumentError, "sign: sign takes x, proxy; too many positional arguments", lambda: ste.sign(x, 1, 2))


def test_24_no_argument_at_all():
    for name, operation in _registry.operations.items():
        refused(ste.ArgumentError, f"{name}: the array must be given first, by position: {name}(x)", operation)


@each_framework
def test_24_x_by_keyword(native):
    message = "sign: the array must be given first, by position: sign(x)"
    refused(ste.ArgumentError, message, lambda: ste.sign(x=native.array([0.3])))


def test_24_a_parameter_that_the_proxy_does_not_take():
    cases = {
        "clipped_relu: there is no parameter 'widht'; clipped_relu takes width": (
            lambda: ste.sign(TORCH.array([0.3]), proxy="clipped_relu(widht=2)")
        ),
        "identity: there is no parameter 'width'; identity takes no parameters": (
            lambda: ste.proxies.identity(width=2.0)
        ),
        "ede: there is no parameter 'sharpness'; ede takes t, k": lambda: ste.proxies.ede(sharpness=1.0),
    }
    for message, call in cases.items():
        refused(ste.ArgumentError, message, call)


def test_24_parameters_are_given_by_name():
    message = "clipped_relu: parameters must be given by name, got 2.0; write clipped_relu(width=...)"
    refused(ste.ArgumentError, message, lambda: ste.proxies.clipped_relu(2.0))


class _Levels:
    def __call__(self, x: Any, levels: int = 3) -> Any:
        return x

    def as_method(self, x: Any, levels: int = 3) -> Any:
        return x


def _levels(x: Any, levels: int = 3) -> Any:
    return x


@pytest.mark.parametrize(
    "operator", [_levels, _Levels(), _Levels().as_method], ids=["function", "instance", "bound method"]
)
@each_framework
def test_24_a_users_operator_says_what_it_takes(native, operator):
    with pytest.raises(ste.ArgumentError, match=r"takes x, levels, proxy; .*unexpected keyword argument 'levls'$"):
        ste.with_proxy(operator, "relu")(native.array([0.3]), levls=2)


@pytest.mark.parametrize("proxy", ["identity", "relu", _levels], ids=["identity", "relu", "function"])
@each_framework
def test_24_a_type_error_inside_a_users_operator_is_the_users(native, proxy):
    def strict(x: Any, levels: int = 3) -> Any:
        raise TypeError("levels: my own complaint")

    def called_wrong(x: Any, levels: int = 3) -> Any:
        return _levels(x, levls=levels)

    for operator, complaint in ((strict, "my own complaint"), (called_wrong, "levls")):
        with pytest.raises(TypeError, match=complaint) as caught:
            ste.with_proxy(operator, proxy)(native.array([0.3]), levels=2)
        assert not isinstance(caught.value, ste.SteError)
