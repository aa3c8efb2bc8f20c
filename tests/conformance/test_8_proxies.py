"""Contract line 8: unknown names, things that are no proxy, and what a proxy function returns.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import straightthrough as ste
from conformance.refusals import _of, arguments, each_dtype, refused
from native import TORCH, each_framework
from straightthrough import _registry

# 13 and 14: names; things that are no proxy.


@each_framework
def test_13_an_unknown_proxy_names_the_nearest(native):
    x = native.array([[0.3, -1.2]])
    for name, operation in _registry.operations.items():
        message = f"{name}: no proxy is named 'clipd_relu'; did you mean 'clipped_relu'?"
        refused(ste.UnknownNameError, message, lambda o=operation: o(x, *arguments(native, o), proxy="clipd_relu"))


def test_13_unknown_names_everywhere():
    known = ", ".join(sorted([*_registry.families, *_registry.aliases]))
    operations = ", ".join(sorted(_registry.operations))
    cases = {
        "with_proxy": (
            lambda: ste.with_proxy(abs, "sigmod"),
            "abs: no proxy is named 'sigmod'; did you mean 'sigmoid'?",
        ),
        "get": (
            lambda: ste.proxies.get("hardtan"),
            "proxies.get: no proxy is named 'hardtan'; did you mean 'hardtanh'?",
        ),
        "get, far": (lambda: ste.proxies.get("xyzzy"), f"proxies.get: no proxy is named 'xyzzy'; there are: {known}"),
        "get, empty": (lambda: ste.proxies.get(""), f"proxies.get: no proxy is named ''; there are: {known}"),
        "describe": (
            lambda: ste.proxies.describe("reluu"),
            "proxies.describe: no proxy is named 'reluu'; did you mean 'relu'?",
        ),
        "plot": (lambda: ste.proxies.plot("reluu"), "proxies.plot: no proxy is named 'reluu'; did you mean 'relu'?"),
        "plot, operator": (
            lambda: ste.proxies.plot("relu", operator="sgn"),
            "proxies.plot: no operation is named 'sgn'; did you mean 'sign'?",
        ),
        "operation": (
            lambda: _registry.operation_named("xyzzy"),
            f"operation: no operation is named 'xyzzy'; there are: {operations}",
        ),
        "matched": (
            lambda: ste.proxies.matched("gausian", None),
            "proxies.matched: no proxy is named 'gausian'; did you mean 'gaussian'?",
        ),
        "scaled": (
            lambda: ste.proxies.scaled("triangel", 2.0),
            "proxies.scaled: no proxy is named 'triangel'; did you mean 'triangle'?",
        ),
    }
    for call, message in cases.values():
        refused(ste.UnknownNameError, message, call)


@pytest.mark.parametrize("text", ["clipped_relu(width=2", "clipped_relu(2)", "atan(alpha=three)", "atan(alpha)"])
def test_13_a_text_that_is_no_proxy(text):
    message = f"sign: proxy must be a name, or a name with numbers such as 'atan(alpha=3)', got {text!r}"
    refused(ste.UnknownNameError, message, lambda: ste.sign(TORCH.array([1.0]), proxy=text))


def test_13_a_text_that_stands_for_an_array():
    """The text of a proxy with an array parameter must not silently become the default width."""
    proxy = ste.proxies.clipped_relu(width=TORCH.array(3.0))
    for text in ("clipped_relu(width=array)", str(proxy)):
        with pytest.raises(ste.ArgumentError, match=r"^sign: .*width"):
            ste.sign(TORCH.array([1.0]), proxy=text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3.0, "3.0"), (2, "2"), (True, "True"), (["relu"], "['relu']")],
    ids=["float", "integer", "boolean", "list"],
)
@each_framework
def test_14_a_proxy_is_a_name_or_a_callable(native, value, shown):
    message = f"must be a name or a callable, got {shown}"
    refused(ste.ArgumentError, f"sign: proxy {message}", lambda: ste.sign(native.array([1.0]), proxy=value))
    refused(ste.ArgumentError, f"abs: proxy {message}", lambda: ste.with_proxy(abs, value))
    refused(ste.ArgumentError, f"proxies.get: proxy {message}", lambda: ste.proxies.get(value))


@each_framework
def test_14_an_array_is_no_proxy(native):
    x = native.array([1.0])
    with pytest.raises(ste.ArgumentError, match=r"^sign: proxy must be a name or a callable, got "):
        ste.sign(x, proxy=x)


def test_14_an_operator_is_callable_and_takes_arrays():
    refused(ste.ArgumentError, "with_proxy: operator must be callable, got 3", lambda: ste.with_proxy(3, "relu"))
    refused(
        ste.ArgumentError, "with_proxy: operator must be callable, got 'sign'", lambda: ste.with_proxy("sign", "relu")
    )
    refused(ste.ArgumentError, "hard: function must be callable, got 3", lambda: ste.hard(3))
    message = (
        "with_proxy: operator must take arrays, got Python's round, which fails on them or gives an int; "
        "use straightthrough.round"
    )
    refused(ste.ArgumentError, message, lambda: ste.with_proxy(round, "identity"))


# 15 and 16: a proxy function's result.


@pytest.mark.parametrize(
    ("stand_in", "shape"), [(lambda x: x[:1], (1,)), (lambda x: x[:, None], (2, 1)), (lambda x: x[0], ())]
)
@each_framework
def test_15_a_proxy_function_must_keep_the_operators_shape(native, stand_in, shape):
    message = f"sign: what the proxy <lambda> returns must be of the operator's shape (2,), got {shape}"
    refused(ste.ShapeError, message, lambda: ste.sign(native.array([0.3, -1.2]), proxy=stand_in))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (1, "1"),
        (1.5, "1.5"),
        ("text", "'text'"),
        ([1.0], "[1.0]"),
        (np.ones(2, "f"), "numpy.ndarray"),
    ],
    ids=["none", "integer", "float", "string", "list", "numpy array"],
)
@each_framework
def test_16_a_proxy_function_must_return_an_array(native, value, shown):
    def stand_in(x: Any) -> Any:
        return value

    message = f"sign: what the proxy stand_in returns must be a floating array of {native.name}, got {shown}"
    refused(ste.FrameworkError, message, lambda: ste.sign(native.array([0.3, -1.2]), proxy=stand_in))


@each_dtype
@each_framework
def test_16_a_proxy_function_must_return_floats(native, dtype):
    bad = _of(native, dtype)

    def stand_in(x: Any) -> Any:
        return bad

    message = (
        f"sign: what the proxy stand_in returns must be a floating array, got an array of {dtype}; "
        "only floats carry a gradient"
    )
    refused(ste.DtypeError, message, lambda: ste.sign(native.array([0.3, -1.2]), proxy=stand_in))
