"""Loss gradient × slope in PyTorch on the CPU: block by block, with ATen's own backward kernels where they fit.

Composing ``where(slope == 0, 0, gradient) * slope`` costs three to fourteen passes over memory. What a kernel of ATen's
does at a kink, at nan, and at 0 × inf is not what we promise: bounds are moved so that the kinks are ours, and a sum
over the block tells whether anything in it is not finite; such a block is done again by the plain rule.

Only where nothing but numbers is wanted: in-place kernels can be neither differentiated again, nor batched, nor traced.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from straightthrough._backends._torch_memory import HALF, SMALL, blocks, finite, only_numbers, plain_gradient

if TYPE_CHECKING:
    from straightthrough._backends._table import Curve

Tensor = torch.Tensor
Kernel = Callable[[Tensor, Tensor, Tensor], None]
"""Writes gradient × slope(x) into its last argument."""
Smooth = Callable[..., None]
"""A kernel that takes an array, of x's dtype and length, to work in: x itself, if x is not needed any more."""

_hardtanh_backward = torch.ops.aten.hardtanh_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


def times_slope(gradient: Tensor, x: Tensor, curve: Curve, arrays: Any) -> Tensor:
    """gradient × slope(x), exactly 0 where the slope is 0."""
    if only_numbers(x) and not torch.is_grad_enabled() and all(array.dim() == 0 for array in arrays):
        out = torch.empty_like(x)
        if plain_gradient(gradient, x) and x.stride() == out.stride():
            _in_blocks(gradient, x, out, curve, arrays)
            return out
    return plain_rule(gradient, x, curve, arrays)


def plain_rule(gradient: Tensor, x: Tensor, curve: Curve, arrays: Any) -> Tensor:
    """The definition: what every fused form is held to, and what can be differentiated, batched and traced."""
    from straightthrough._backends import torch as table

    slope: Tensor = curve.slope(table, x, *arrays)
    return torch.where(slope == 0, torch.zeros_like(gradient), gradient) * slope


def _in_blocks(gradient: Tensor, x: Tensor, out: Tensor, curve: Curve, arrays: Any) -> None:
    finish, working = finished(curve, arrays, x)
    if x.numel() <= SMALL:
        return finish(gradient, x, out)
    if gradient.stride() != x.stride():
        gradient = torch.empty_like(x).copy_(gradient)
    for block in blocks(gradient, x, out, working=working):
        finish(*block)
    return None


def finished(curve: Curve, arrays: Any, like: Tensor) -> tuple[Kernel, bool]:
    """The quickest kernel for this curve and dtype that does all that is promised; True if it makes arrays."""
    kernel, looks_at_x = _kernel(curve, arrays, like)

    def finish(gradient: Tensor, x: Tensor, out: Tensor) -> None:
        kernel(gradient, x, out)
        if not finite(x if looks_at_x else out):
            out.copy_(plain_rule(gradient, x, curve, arrays))

    return finish, not looks_at_x


def _kernel(curve: Any, arrays: Any, x: Tensor) -> tuple[Kernel, bool]:
    """The quickest form for this curve; True if it can hide a nan of x, so that x must be looked at."""
    if not arrays:
        window = _window(curve, x)
        if window is not None:
            return window, True
        make = _SMOOTH.get(curve.family.name)
        numbers = dict(curve.numbers)
        # Beyond these the rearranged formulas could overflow where the stated one does not.
        if make is not None and all(1e-6 < number < 1e6 for number in numbers.values()):
            return _widened(make(x, **numbers)) if x.dtype in HALF else make(x, **numbers), False
    return _composed(curve, arrays), False


# --- slopes that are one number on an interval and 0 outside -------------------------------------------------------

_windows: dict[tuple[str, torch.dtype], Kernel | None] = {}


def _window(curve: Any, x: Tensor) -> Kernel | None:
    # A boxcar states its slope, because inside it is not 1.
    if curve.family.window_rule is None and curve.family.name != "boxcar":
        return None
    key = (curve.key, x.dtype)
    if key not in _windows:
        _windows[key] = _made_window(curve, x)
    return _windows[key]


def _made_window(curve: Any, x: Tensor) -> Kernel | None:
    """``hardtanh_backward`` keeps what lies strictly between its bounds."""
    from straightthrough._backends import torch as table

    kinks = curve.family.kink_rule(**{name: n for name, n in dict(curve.numbers).items() if name != "scale"})
    ends = sorted(kinks)
    middle = (ends[0] + ends[1]) / 2 if len(ends) == 2 else ends[0] + 1.0
    height = curve.slope(table, torch.tensor(middle, dtype=x.dtype)).item()
    # The kernel compares half types in float32, so that a bound may lie between two of their numbers.
    wide = _working(x)
    given = x.dtype if curve.family.rational else wide
    low, high = (torch.tensor(end, dtype=given).to(wide) for end in (ends[0], [*ends, math.inf][1]))
    if not math.isfinite(height) or height == 0:
        return None
    if kinks[ends[0]] != 0:
        # The slope at the ends is that inside: they move outwards by the least that there is.
        infinity = torch.tensor(math.inf, dtype=wide)
        low, high = torch.nextafter(low, -infinity), torch.nextafter(high, infinity)
    bounds = low.item(), high.item()

    def window(gradient: Tensor, x: Tensor, out: Tensor) -> None:
        _hardtanh_backward(gradient, x, *bounds, grad_input=out)
        if height != 1.0:
            out.mul_(height)

    return window


# --- smooth slopes -------------------------------------------------------------------------------------------------


def _logistic(x: Tensor, rate: float, height: float) -> Smooth:
    """height · σ(u)·σ(-u) with u = rate · x. σ of a negative number, or 1 - σ would lose its digits."""

    def kernel(gradient: Tensor, x: Tensor, out: Tensor, spare: Tensor | None = None) -> None:
        s = torch.abs(x, out=spare).mul_(-rate).sigmoid_()
        _sigmoid_backward(gradient, s, grad_input=out)
        out.mul_(height)

    return kernel


def _inverse_square(x: Tensor, height: float, rate: float) -> Smooth:
    """height / (1 + rate · |x|)², as 1 / (a + b · |x|)²."""
    root = math.sqrt(height)
    a = torch.tensor(1.0 / root, dtype=_working(x))

    def kernel(gradient: Tensor, x: Tensor, out: Tensor, spare: Tensor | None = None) -> None:
        d = torch.abs(x, out=spare)
        torch.add(a, d, alpha=rate / root, out=d)
        torch.div(gradient, d.mul_(d), out=out)

    return kernel


def _cauchy(x: Tensor, alpha: float, scale: float = 1.0) -> Smooth:
    """height / (1 + (rate · x)²), as 1 / (a + b · x²)."""
    height, rate = alpha * 0.5 * scale, alpha * (math.pi / 2)
    a = torch.tensor(1.0 / height, dtype=_working(x))

    def kernel(gradient: Tensor, x: Tensor, out: Tensor, spare: Tensor | None = None) -> None:
        torch.div(gradient, torch.addcmul(a, x, x, value=rate * rate / height, out=spare), out=out)

    return kernel


_SMOOTH: dict[str, Callable[..., Smooth]] = {
    "sigmoid": lambda x, sharpness, scale=1.0: _logistic(x, sharpness, sharpness * scale),
    "tanh": lambda x, sharpness, scale=1.0: _logistic(x, 2 * sharpness, 4 * sharpness * scale),
    "ede": lambda x, t, k, scale=1.0: _logistic(x, 2 * t, 4 * k * t * scale),
    "fast_sigmoid": lambda x, sharpness, scale=1.0: _inverse_square(x, scale, sharpness),
    "soft_sign": lambda x, alpha, scale=1.0: _inverse_square(x, alpha * 0.5 * scale, alpha),
    "atan": _cauchy,
}


def _working(x: Tensor) -> torch.dtype:
    return torch.float32 if x.dtype in HALF else x.dtype


def _widened(kernel: Smooth) -> Kernel:
    """The same in float32, for half types."""

    def through_float(gradient: Tensor, x: Tensor, out: Tensor) -> None:
        gradient, x = gradient.float(), x.float()
        kernel(gradient, x, gradient, x)
        out.copy_(gradient)

    return through_float


def _composed(curve: Curve, arrays: Any) -> Kernel:
    """Any other slope, as it is stated, with quicker kernels for what needs no derivative here."""

    def kernel(gradient: Tensor, x: Tensor, out: Tensor) -> None:
        torch.mul(gradient, curve.slope(_numeric_table(), x, *arrays), out=out)

    return kernel


def _clip(x: Tensor, low: Any, high: Any) -> Tensor:
    if isinstance(low, float) and isinstance(high, float):
        return torch.clamp(x, low, high)
    return torch.where(x >= high, high, torch.where(x <= low, low, x))


_numeric: list[Any] = []


def _numeric_table() -> Any:
    """The table, but for functions whose derivative at 0 or at a bound is ours and made at some cost."""
    if not _numeric:
        from straightthrough._backends import torch as table

        _numeric.append(types.SimpleNamespace(**{**vars(table), "magnitude": torch.abs, "clip": _clip, "bound": _clip}))
    return _numeric[0]
