"""The quick kernels of PyTorch's hard operators give bit for bit what the definitions give."""

from __future__ import annotations

import math
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from straightthrough._backends import _torch_memory as memory  # noqa: E402
from straightthrough._backends import _torch_values as values  # noqa: E402

pytestmark = pytest.mark.torch

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 5e-324, 1e-7, -1e-7, 0.5, -0.5, 1.0, -1.0, 1e5, math.inf, -math.inf, math.nan]
NUMBERS = st.one_of(st.sampled_from(SPECIAL), st.floats())
DEFINITIONS = {
    "binary_sign": lambda x: torch.where(x >= 0, 1.0, torch.where(x < 0, -1.0, x)),
    "step": lambda x: torch.where(x.isnan(), x, (x > 0).to(x.dtype)),
    "ternary": lambda x: torch.where(x.isnan(), x, (x > 0.3).to(x.dtype) - (x < -0.3).to(x.dtype)),
}
QUICK = {"binary_sign": values.binary_sign, "step": values.step, "ternary": lambda x: values.ternary(x, 0.3)}
RELATIONS = [operator.gt, operator.ge, operator.lt, operator.le, operator.eq, operator.ne]


def same_bits(got, want):
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert torch.equal(got.isnan(), want.isnan())
    number = ~want.isnan()
    assert torch.equal(got[number], want[number])
    assert torch.equal(got[number].signbit(), want[number].signbit())


def forms(function, x):
    """The same value by every path: in place, with a gradient wanted, batched, over several blocks."""
    yield function(x)
    yield function(x.clone().requires_grad_()).detach()
    yield torch.func.vmap(function)(x)
    yield function(torch.stack([x, x], 1)[:, 1])
    yield function(x.repeat(7))[len(x) * 3 : len(x) * 4]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", DEFINITIONS)
def test_sign_and_step(name, dtype, monkeypatch):
    monkeypatch.setattr(memory, "BLOCK", 16)
    monkeypatch.setattr(values, "SMALL", 0)
    x = torch.tensor(SPECIAL * 3, dtype=dtype)
    for got in forms(QUICK[name], x):
        same_bits(got, DEFINITIONS[name](x))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(DTYPES), st.sampled_from(sorted(DEFINITIONS)), st.lists(NUMBERS, max_size=70))
def test_sign_and_step_of_any_numbers(dtype, name, numbers):
    x = torch.tensor(numbers, dtype=dtype)
    same_bits(QUICK[name](x), DEFINITIONS[name](x))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("relation", RELATIONS)
def test_comparisons(relation, dtype):
    x = torch.tensor(SPECIAL, dtype=dtype)
    for y in (0.0, 0.1, -0.5, math.inf, 3):
        for got in forms(lambda x, y=y: values.compare(relation, x, y), x):
            same_bits(got, relation(x, y).to(dtype))
    for y in (x.flip(0), x[:, None], x[None, :], torch.tensor(0.5, dtype=dtype)):
        same_bits(values.compare(relation, x, y), relation(x, y).to(dtype))
        same_bits(values.compare(relation, x, y.clone().requires_grad_()), relation(x, y).to(dtype))
    same_bits(torch.func.vmap(lambda a: values.compare(relation, x, a))(x[:3]), relation(x, x[:3, None]).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_argmax(axis, dtype):
    x = torch.randint(0, 3, (23, 29), generator=torch.Generator().manual_seed(0)).to(dtype)
    x[3, 4] = x[3, 7] = x[9, 4] = math.nan
    want = torch.zeros_like(x)
    rows, wanted = (x, want) if axis else (x.t(), want.t())
    for row, mask in zip(rows.tolist(), wanted, strict=True):
        nan = [i for i, number in enumerate(row) if math.isnan(number)]
        mask[nan[0] if nan else row.index(max(row))] = 1
    same_bits(values.argmax_mask(x, axis), want)
    same_bits(values.argmax_mask(x.clone().requires_grad_(), axis), want)
    same_bits(torch.func.vmap(lambda x: values.argmax_mask(x, axis))(x.expand(2, -1, -1))[1], want)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (0.0, 1.0), (-1.0, 0.0), (-0.3, 0.7)])
def test_clamp(bounds, dtype):
    x = torch.tensor(SPECIAL, dtype=dtype)
    low, high = bounds
    same_bits(values.clamp(x, low, high), torch.where(x >= high, high, torch.where(x <= low, low, x)))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_compiled_values_are_the_eager_ones(name):
    x = torch.tensor(SPECIAL)
    compiled = torch.compile(QUICK[name], fullgraph=True, backend="aot_eager")
    same_bits(compiled(x), DEFINITIONS[name](x))
