"""Contract line 7, as far as a test without a clock may go: what is kept for the backward pass, what is copied."""

from __future__ import annotations

import numpy as np
import pytest

import straightthrough as ste
from conformance.product import COMPARISONS, FIXED, PROXIES, Cell
from straightthrough import _registry
from straightthrough.testing import _numbers as num

pytestmark = pytest.mark.torch


def kept_by(function, x) -> list[int]:
    """Sizes in bytes of the tensors that autograd keeps, each storage once."""
    import torch

    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = function(x)
    assert y.requires_grad
    return list(kept.values())


@pytest.mark.parametrize("dtype", num.DTYPES)
@pytest.mark.parametrize("operation", [name for name in FIXED if name not in COMPARISONS])
def test_identity_keeps_nothing(ledger, operation, dtype):
    x = num.inputs(dtype)
    cell = Cell("torch", operation, "identity", dtype)
    kept = kept_by(cell.function(x), cell.array(x).requires_grad_())
    ledger.note(cell, "saved tensors", kept == [], f"keeps {kept} bytes")


@pytest.mark.parametrize("dtype", num.DTYPES)
@pytest.mark.parametrize("operation", FIXED)
def test_no_proxy_keeps_more_than_its_input(ledger, operation, dtype):
    x = num.inputs(dtype)
    for proxy in PROXIES:
        cell = Cell("torch", operation, proxy, dtype)
        leaf = cell.array(x).requires_grad_()
        kept = kept_by(cell.function(x), leaf)
        # The softmax keeps its own value instead, in float32 for half types.
        wide = proxy == "softmax" and dtype in ("bfloat16", "float16")
        # |x - y| is differentiated by the framework, which keeps the difference and its sign as well.
        times = (2 if wide else 1) + (2 if operation in ("equal", "not_equal") else 0)
        most = leaf.untyped_storage().nbytes() * times
        ledger.note(cell, "saved tensors", sum(kept) <= most, f"keeps {kept} bytes of {most}")


@pytest.mark.parametrize("operation", [name for name in FIXED if name not in COMPARISONS])
def test_array_parameters_are_all_that_is_kept_beside_it(ledger, operation):
    import torch

    x, width = num.inputs("float32"), torch.tensor(1.0)
    cell = Cell("torch", operation, "triangle", "float32")
    leaf = cell.array(x).requires_grad_()
    arguments = {"clip": (-0.75, 1.5), "top_k_mask": (3,)}.get(operation, ())
    kept = kept_by(lambda x: getattr(ste, operation)(x, *arguments, proxy=ste.proxies.triangle(width=width)), leaf)
    most = leaf.untyped_storage().nbytes() + width.untyped_storage().nbytes()
    ledger.note(cell, "saved tensors", sum(kept) <= most, f"keeps {kept} bytes of {most}")


@pytest.mark.parametrize("proxy", PROXIES)
def test_output_shares_memory_with_the_hard_result(ledger, proxy):
    """No pass over memory beyond the hard operator's own."""
    import torch

    result = torch.round(torch.linspace(-2, 2, 7))
    operator = ste.with_proxy(lambda x: result, proxy)
    y = operator(torch.linspace(-2, 2, 7, requires_grad=True))
    cell = Cell("torch", "with_proxy", proxy, "float32")
    ledger.note(cell, "memory", y.data_ptr() == result.data_ptr(), "the result was copied")
    assert np.isfinite(y.detach().numpy()).all()


@pytest.mark.parametrize("operation", FIXED)
def test_a_number_of_a_family_is_looked_up_once(operation):
    """Two calls with the same spelling find the same curve, so that no compiled function is made again."""
    proxy = _registry.operations[operation].proxy
    assert ste.proxies.get(str(proxy)).curve is proxy.curve
