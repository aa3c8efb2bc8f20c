"""The fused backward kernels of PyTorch are held to the plain rule, where(slope == 0, 0, gradient) · slope."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import straightthrough as ste

torch = pytest.importorskip("torch")
from straightthrough._backends import _torch_fused as fused  # noqa: E402
from straightthrough._backends import _torch_memory as memory  # noqa: E402

pytestmark = pytest.mark.torch

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
WINDOWS = [
    "relu",
    "clipped_relu",
    "clipped_relu(width=0.1)",
    "clipped_identity",
    "clipped_identity(width=0.3)",
    "clipped_identity(width=100000)",
    "clipped_identity(width=1e-6)",
    "range_mask(low=-0.1, high=2.7)",
    "range_mask(low=0.0, high=1.0)",
    "range_mask(low=1.0, high=1.0000001)",
    "boxcar",
    "boxcar(width=0.3)",
    "boxcar(width=3.0)",
]
SCALED = [
    ste.proxies.scaled(name, scale) for name in ("relu", "clipped_identity", "boxcar") for scale in (0.1, -3.0, 0.0)
]
SMOOTH = [name for name in ste.proxies.names() if ste.proxies.get(name).family.elementwise and name not in WINDOWS] + [
    "atan(alpha=0.5)",
    "atan(alpha=30)",
    "sigmoid(sharpness=25)",
    "fast_sigmoid(sharpness=100)",
    "tanh(sharpness=0.1)",
    "atan(alpha=1e-9)",
]
FINITE = [0.0, -0.0, 0.1, -0.1, 0.3, 1.0, -1.0, 2.7, 0.5, -0.5, 1e-6, 1e-30, 5e-324, 300.0, 1e5, 1e10]
SPECIAL = [*FINITE, math.inf, -math.inf, math.nan]
NUMBERS = st.one_of(st.sampled_from(SPECIAL), st.floats(-4, 4, width=16), st.floats())


def near(value: float, dtype: torch.dtype) -> list[float]:
    """A number and its neighbours in this dtype: where a kink can go wrong."""
    here = torch.tensor(value, dtype=dtype)
    bits = here.view({8: torch.int64, 4: torch.int32, 2: torch.int16}[dtype.itemsize])
    return [(bits + step).view(dtype).item() for step in (-1, 0, 1)]


def both(proxy, x, gradient):
    proxy = ste.proxies.get(proxy)
    with torch.no_grad():
        assert fused.only_numbers(x)
        return (
            fused.times_slope(gradient, x, proxy.curve, proxy.arrays),
            fused.plain_rule(gradient, x, proxy.curve, proxy.arrays),
        )


def same(a, b):
    return bool(((a == b) | (a.isnan() & b.isnan())).all())


def check_close(proxy, x, gradient):
    got, want = both(proxy, x, gradient)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert torch.equal(got.isnan(), want.isnan())
    proxy = ste.proxies.get(proxy)
    slope = proxy.slope(x).double()
    # The condition number of the slope, as the contract has it: an argument rounded twice may differ in its last bit.
    step = 1 + 1e-6
    moved = (proxy.slope(x.double() * step) / proxy.slope(x.double() / step)).log().abs() / 2e-6
    allowed = 4 * torch.finfo(x.dtype).eps * moved.nan_to_num(1, 1).clamp(min=1) * (gradient.double() * slope).abs()
    small = 100 * torch.finfo(x.dtype).tiny * gradient.double().abs().clamp(min=1)
    difference = (got.double() - want.double()).abs()
    fine = (difference <= allowed + small) | (got == want) | got.isnan()
    assert fine.all(), (proxy, x[~fine], gradient[~fine], got[~fine], want[~fine])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("proxy", [*WINDOWS, *SCALED], ids=str)
def test_windows_are_the_plain_rule_at_and_beside_every_kink(proxy, dtype):
    proxy = ste.proxies.get(proxy)
    places = [near(place, dtype) for place in proxy.kinks] if proxy.kinks else []
    numbers = [*SPECIAL, *(number for three in places for number in three)]
    gradients = [2.0, -0.3, math.inf, -math.inf, math.nan, 0.0, -0.0]
    x = torch.tensor(numbers, dtype=dtype).repeat_interleave(len(gradients))
    gradient = torch.tensor(gradients, dtype=dtype).repeat(len(numbers))
    # One by one, all at once, and many times over: the vectorised part of a kernel and its tail must agree.
    assert same(*both(proxy, x, gradient))
    assert same(*both(proxy, x.repeat(5), gradient.repeat(5)))
    for i in range(0, len(x), 5):
        assert same(*both(proxy, x[i : i + 1], gradient[i : i + 1]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_windows_on_any_numbers(dtype, data):
    proxy = data.draw(st.sampled_from([*WINDOWS, *SCALED]))
    pairs = data.draw(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=70))
    x, gradient = (torch.tensor(side, dtype=dtype) for side in zip(*pairs, strict=True))
    assert same(*both(proxy, x, gradient))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_smooth_slopes_on_any_numbers(dtype, data):
    proxy = data.draw(st.sampled_from(SMOOTH))
    finite = st.one_of(st.sampled_from(SPECIAL), st.floats(-1e4, 1e4, width=16))
    pairs = data.draw(st.lists(st.tuples(finite, NUMBERS), min_size=1, max_size=70))
    x, gradient = (torch.tensor(side, dtype=dtype) for side in zip(*pairs, strict=True))
    check_close(proxy, x, gradient)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("proxy", SMOOTH)
def test_smooth_slopes_are_near_the_plain_rule(proxy, dtype):
    far = torch.randn(500, generator=torch.Generator().manual_seed(0)) * 50
    x = torch.cat([torch.linspace(-3, 3, 997), far]).to(dtype)
    gradient = torch.randn(len(x), generator=torch.Generator().manual_seed(1)).to(dtype)
    check_close(proxy, x, gradient)


@pytest.mark.parametrize("proxy", ["atan", "sigmoid", "fast_sigmoid", "triangle", "gaussian", "approx_sign", "tanh"])
def test_infinite_loss_gradient_where_the_slope_is_zero(proxy):
    x = torch.tensor([math.inf, -math.inf, 0.5] * 40)
    gradient = torch.tensor([math.inf, math.nan, 1.0] * 40)
    got, want = both(proxy, x, gradient)
    assert torch.equal(got, want)
    assert (got[0::3] == 0).all()
    assert (got[1::3] == 0).all()


def test_several_blocks_and_one_bad_block(monkeypatch):
    monkeypatch.setattr(memory, "BLOCK", 16)
    monkeypatch.setattr(fused, "SMALL", 0)
    x = torch.linspace(-2, 2, 1001)
    x[500] = math.nan
    x[12] = math.inf
    gradient = torch.linspace(-1, 1, 1001)
    gradient[1000] = math.inf
    assert same(*both("clipped_identity", x, gradient))
    assert same(*both("relu", x, gradient))
    check_close("sigmoid", x, gradient)


LAYOUTS = {
    "no elements": lambda t: t[:0],
    "no dimension": lambda t: t[3],
    "matrix": lambda t: t.view(10, 10),
    "transposed": lambda t: t.view(10, 10).t(),
    "every second": lambda t: t[::2],
    "a row of a matrix": lambda t: t.view(10, 10)[:, 3],
    "shifted": lambda t: t[7:],
    "channels last": lambda t: t[:72].view(2, 4, 3, 3).to(memory_format=torch.channels_last),
    "expanded": lambda t: t[:1].expand(30),
    "length-one axes": lambda t: t.view(1, 100, 1),
}


@pytest.mark.parametrize("proxy", ["clipped_relu", "atan", "triangle"])
@pytest.mark.parametrize("of_gradient", LAYOUTS)
@pytest.mark.parametrize("of_x", LAYOUTS)
def test_any_layout(proxy, of_x, of_gradient):
    numbers = torch.linspace(-2, 2, 100)
    x = LAYOUTS[of_x](numbers)
    gradient = LAYOUTS[of_gradient](numbers.flip(0))
    if x.shape != gradient.shape:
        if of_gradient != "every second":
            return
        gradient = torch.linspace(-1, 1, 2 * x.numel())[::2].reshape(x.shape)
    got, want = both(proxy, x, gradient)
    assert got.shape == want.shape
    torch.testing.assert_close(got, want, rtol=1e-6, atol=0)


def test_gradient_spread_from_a_sum_and_parameter_leaves():
    x = torch.nn.Parameter(torch.linspace(-2, 2, 12).view(3, 4).t())
    ste.sign(x).sum().backward()
    assert x.grad.tolist() == ((x >= -1) & (x <= 1)).float().tolist()


def counted(monkeypatch):
    """How often the fused loop ran."""
    calls = []
    run = fused._in_blocks
    monkeypatch.setattr(fused, "_in_blocks", lambda *args: (calls.append(1), run(*args)))
    return calls


def test_gradients_of_gradients_take_the_plain_rule(monkeypatch):
    calls = counted(monkeypatch)
    x = torch.linspace(-2, 2, 50, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(ste.heaviside(x).square().sum(), x, create_graph=True)
    assert calls == []
    (second,) = torch.autograd.grad(first.sum(), x)
    proxy = ste.proxies.get("sigmoid")
    slope = proxy.slope(x.detach())
    bend = torch.func.vmap(torch.func.grad(proxy.slope))(x.detach())
    y = ste.hard(ste.heaviside)(x.detach())
    torch.testing.assert_close(second, 2 * slope * slope + 2 * y * bend)


def test_an_ordinary_backward_is_fused(monkeypatch):
    calls = counted(monkeypatch)
    x = torch.linspace(-2, 2, 50, requires_grad=True)
    ste.sign(x).sum().backward()
    assert calls == [1]


@pytest.mark.parametrize("proxy", ["clipped_identity", "sigmoid"])
def test_batched_and_traced_gradients_take_the_plain_rule(proxy, monkeypatch):
    calls = counted(monkeypatch)
    x = torch.linspace(-2, 2, 12).view(3, 4)

    def loss(x):
        return (ste.sign(x, proxy=proxy) * torch.arange(4.0)).sum()

    want = ste.proxies.get(proxy).slope(x) * torch.arange(4.0)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), want)
    torch.testing.assert_close(torch.func.grad(loss)(x), want)
    torch.testing.assert_close(torch.func.vmap(torch.func.vjp(loss, x[0])[1])(torch.ones(2))[0], want[:1].expand(2, 4))
    traced = torch.fx.experimental.proxy_tensor.make_fx(torch.func.grad(loss))(x)
    torch.testing.assert_close(traced(x * 0.5), ste.proxies.get(proxy).slope(x * 0.5) * torch.arange(4.0))
    assert calls == []


def test_many_cotangents_at_once():
    x = torch.linspace(-2, 2, 5, requires_grad=True)
    (rows,) = torch.autograd.grad(ste.sign(x), x, torch.eye(5), is_grads_batched=True)
    assert torch.equal(rows, torch.diag((x.abs() <= 1).float()))
    jacobian = torch.autograd.functional.jacobian(ste.sign, x, vectorize=True)
    assert torch.equal(jacobian, rows)


def test_fake_and_meta_tensors():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.empty(4, requires_grad=True)
        ste.sign(x).sum().backward()
        assert x.grad.shape == (4,)
    x = torch.empty(4, device="meta", requires_grad=True)
    ste.sign(x).sum().backward()
    assert x.grad.shape == (4,)


def test_autocast_checkpoint_and_the_gradient_layout():
    from torch.utils.checkpoint import checkpoint

    x = torch.linspace(-2, 2, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = checkpoint(lambda x: ste.sign(x) @ torch.eye(16), x, use_reentrant=False)
        y.sum().backward()
    assert x.grad.dtype == torch.float32
    assert x.grad.tolist() == (x.abs() <= 1).float().tolist()


def test_forward_over_reverse():
    from torch.autograd import forward_ad

    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    _, got = torch.func.jvp(torch.func.grad(lambda x: ste.heaviside(x).sum()), (x,), (torch.ones_like(x),))
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x.clone().requires_grad_(), torch.ones_like(x))
        (gradient,) = torch.autograd.grad(ste.heaviside(dual).sum(), dual, create_graph=True)
        torch.testing.assert_close(forward_ad.unpack_dual(gradient).tangent, got)


def test_a_learned_scalar_parameter():
    sharpness = torch.tensor(3.0, requires_grad=True)
    x = torch.linspace(-1, 1, 21, requires_grad=True)
    ste.heaviside(x, proxy=ste.proxies.sigmoid(sharpness=sharpness)).sum().backward()
    torch.testing.assert_close(x.grad, ste.proxies.get("sigmoid(sharpness=3)").slope(x.detach()))
    assert sharpness.grad is not None


def test_threads_give_the_same_gradient():
    x = torch.randn(300_001, generator=torch.Generator().manual_seed(0))
    gradient = torch.randn(300_001, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two, _ = both("clipped_identity", x, gradient)
        torch.set_num_threads(1)
        one, want = both("clipped_identity", x, gradient)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one, want)
    assert torch.equal(two, want)
