"""The public checks: they pass what is right, and name what is wrong."""

from __future__ import annotations

import pytest

import straightthrough as ste
from straightthrough import _registry, testing
from straightthrough.proxies._proxy import Family

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def spike(x):
    return (x > 0.5).to(x.dtype)


def bump(x):
    return torch.tanh(2 * x) * 0.5


@pytest.mark.parametrize(
    "proxy", ["clipped_identity", "clipped_relu(width=0.3)", "gaussian", "square_wave(terms=3)", "softmax"]
)
def test_built_in_proxies_pass(proxy):
    report = testing.check_proxy(proxy, framework="torch", dtypes=["float32", "bfloat16"])
    assert report.total >= 4
    assert "checks passed" in str(report)


def test_a_function_of_ones_own_passes_as_proxy():
    assert testing.check_proxy(bump, framework="torch").passed["3 slope is d value", "torch"] == 1


def test_a_wrong_slope_is_named_with_place_and_numbers(monkeypatch):
    wrong = Family(lambda xp, x: xp.tanh(x), {}, source="a test", mass=lambda: 2.0, name="wrong_tanh")
    wrong.slope(lambda xp, x: xp.mask(x == x, x))
    monkeypatch.setitem(_registry.noises, "wrong_tanh", wrong)
    with pytest.raises(
        testing.ConformanceError, match=r"check_proxy\(wrong_tanh\): \d+ of \d+ checks failed"
    ) as caught:
        testing.check_proxy(wrong, framework="torch")
    assert any("slope is d value" in failure and "wanted" in failure for failure in caught.value.failures)
    assert isinstance(caught.value, AssertionError)


def test_an_operation_of_ones_own_passes():
    operation = ste.with_proxy(spike, "atan")
    report = testing.check_operation(
        operation, framework="torch", proxies=["atan", "identity", bump], dtypes=["float32"]
    )
    assert report.passed["1 value", "torch"] == 3
    assert report.failures == []


def test_arguments_are_handed_over_anew():
    report = testing.check_operation(
        ste.stochastic_round,
        framework="torch",
        dtypes=["float32"],
        arguments=lambda framework: (torch.Generator().manual_seed(0),),
        transformations=["eager", "checkpoint"],
    )
    assert report.total == 4


def test_an_operator_that_cannot_be_mapped_is_named():
    operation = ste.with_proxy(lambda x: torch.full_like(x, float(x.sum() > 0)), "identity")
    with pytest.raises(testing.ConformanceError, match="torch vmap: <lambda>, identity, float32: 5 composes"):
        testing.check_operation(operation, framework="torch", dtypes=["float32"], transformations=["eager", "vmap"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: testing.check_proxy("atn", framework="torch"), "did you mean 'atan'"),
        (lambda: testing.check_proxy("atan", framework="pytorch"), "did you mean 'torch'"),
        (lambda: testing.check_operation(spike), "operation must be an Operation"),
        (
            lambda: testing.check_operation(ste.sign, framework="torch", transformations=["vmaps"]),
            "did you mean 'vmap'",
        ),
    ],
    ids=["proxy", "framework", "operation", "transformation"],
)
def test_what_is_asked_for_wrongly(call, message):
    with pytest.raises(ste.ArgumentError, match=message):
        call()
