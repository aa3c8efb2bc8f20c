"""Contract line 8: dtypes without a gradient, and results of a wider dtype.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

from typing import Any

import pytest

import straightthrough as ste
from conformance.refusals import COMPARISONS, TO_CAST, _of, arguments, each_dtype, refused
from native import JAX, TENSORFLOW, TORCH, each_framework
from straightthrough import _registry

# 4 to 6: dtypes without a gradient.


@each_dtype
@each_framework
def test_4_to_6_an_operation_wants_floats(native, dtype):
    x = _of(native, dtype)
    for name, operation in _registry.operations.items():
        message = f"{name}: x must be a floating array, got an array of {dtype}; {TO_CAST}"
        refused(ste.DtypeError, message, lambda o=operation: o(x, *arguments(native, o)))


@each_dtype
@each_framework
def test_4_to_6_the_primitives_proxy_must_be_floating(native, dtype):
    x, bad = native.array([0.3, -1.2]), _of(native, dtype)
    message = f"straight_through: proxy must be a floating array, got an array of {dtype}; only floats carry a gradient"
    refused(ste.DtypeError, message, lambda: ste.straight_through(x, bad))
    refused(ste.DtypeError, message, lambda: ste.straight_through(bad, bad))


@each_dtype
@each_framework
def test_4_to_6_a_proxy_wants_floats(native, dtype):
    bad = _of(native, dtype)
    for name in ste.proxies.names():
        proxy = ste.proxies.get(name)
        message = f"{name}: x must be a floating array, got an array of {dtype}; only floats carry a gradient"
        refused(ste.DtypeError, message, lambda proxy=proxy: proxy(bad))
        if proxy.family.elementwise:
            refused(ste.DtypeError, message, lambda proxy=proxy: proxy.slope(bad))


@each_dtype
@each_framework
def test_4_to_6_matched_wants_floats(native, dtype):
    message = f"proxies.matched: x must be a floating array, got an array of {dtype}; cast it to float32"
    refused(ste.DtypeError, message, lambda: ste.proxies.matched("gaussian", _of(native, dtype)))


@each_dtype
@each_framework
def test_4_to_6_a_comparison_wants_one_dtype(native, dtype):
    x, y = native.array([0.3, 1.0]), _of(native, dtype)
    for operation in COMPARISONS:
        message = (
            f"{operation.name}: y must be a number, or an array of x's framework and dtype float32, "
            f"got an array of {dtype}; cast one of them"
        )
        refused(ste.DtypeError, message, lambda o=operation: o(x, y))


@each_framework
def test_6_a_complex_result_is_refused(native):
    x, bad = native.array([0.3, -1.2]), native.array([1, 0], "complex64")
    message = "straight_through: result must be floating, integer or boolean, got an array of complex64"
    refused(ste.DtypeError, message, lambda: ste.straight_through(bad, x))
    message = "levels: the result must be floating, integer or boolean, got an array of complex64"

    def levels(x: Any) -> Any:
        return bad

    refused(ste.DtypeError, message, lambda: ste.with_proxy(levels, "relu")(x))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_4_float8_carries_no_gradient(dtype):
    message = f"sign: x must be a floating array, got an array of {dtype}; {TO_CAST}"
    for x in (TORCH.torch.ones(2).to(getattr(TORCH.torch, dtype)), JAX.array([1.0, 1.0], dtype)):
        refused(ste.DtypeError, message, lambda x=x: ste.sign(x))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool"])
@each_framework
def test_4_and_5_integer_and_boolean_results_are_cast_to_the_proxys_dtype(native, dtype):
    x = native.array([0.3, -1.2], "bfloat16")
    y = ste.straight_through(native.array([1, 0], dtype), x)
    assert y.dtype == x.dtype
    assert native.numpy(y).tolist() == [1, 0]


# 11: a result of a wider dtype.


@pytest.mark.parametrize(
    ("have", "want"),
    [("float32", "bfloat16"), ("float32", "float16"), ("float16", "bfloat16"), ("bfloat16", "float16")],
)
@each_framework
def test_11_a_wider_result_is_refused(native, have, want):
    result, proxy = native.array([1.0, 2.0], have), native.array([1.0, 2.0], want)
    message = (
        f"straight_through: result must be of the proxy's dtype {want} or narrower, got {have}; "
        "a cast would change its value; cast the proxy, or the result yourself"
    )
    refused(ste.DtypeError, message, lambda: ste.straight_through(result, proxy))


@pytest.mark.parametrize("native", [TORCH, TENSORFLOW], ids=lambda native: native.name)
def test_11_float64_with_float32(native):
    result, proxy = native.array([1.0], "float64"), native.array([1.0])
    message = (
        "straight_through: result must be of the proxy's dtype float32 or narrower, got float64; "
        "a cast would change its value; cast the proxy, or the result yourself"
    )
    refused(ste.DtypeError, message, lambda: ste.straight_through(result, proxy))


@pytest.mark.parametrize("have", ["bfloat16", "float16"])
@each_framework
def test_11_a_narrower_result_is_cast(native, have):
    y = ste.straight_through(native.array([1.5], have), native.array([2.0]))
    assert y.dtype == native.array([2.0]).dtype
    assert native.numpy(y).tolist() == [1.5]
