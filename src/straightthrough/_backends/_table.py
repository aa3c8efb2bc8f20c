"""The array functions that a framework's table offers, and what each promises.

Arithmetic (``+ - * /``), comparisons and ``& | ~`` on boolean arrays are the arrays' own operators: they
agree on all three frameworks when the other side has the same dtype or is a Python number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Array = Any
"""A ``torch.Tensor``, ``jax.Array`` or ``tf.Tensor``."""


class Curve(Protocol):
    """What a table needs of a proxy: its numbers fixed, its array parameters handed over beside it."""

    key: str
    array_names: tuple[str, ...]

    def slope(self, xp: Any, x: Array, *arrays: Array) -> Array: ...

    def window(self, xp: Any, x: Array, *arrays: Array) -> Array | None: ...

    def value(self, xp: Any, x: Array, *arrays: Array) -> Array: ...


class Table(Protocol):
    """One framework as a module. Every function keeps the dtype of its first array unless it says otherwise."""

    NAME: str

    # What an array is.
    def is_floating(self, x: Array) -> bool:
        """True for float64, float32, bfloat16 and float16; False for integers, booleans and complex numbers."""

    def dtype_name(self, x: Array) -> str:
        """``"float32"``, ``"bfloat16"``, ``"int64"``, ``"bool"``, ..."""

    def shape(self, x: Array) -> tuple[int | None, ...]:
        """The static shape; None where TensorFlow does not know it yet."""

    def device(self, x: Array) -> str | None:
        """A name for the place of an array, None while it is not known (tracing)."""

    # Casting and choosing.
    def cast(self, x: Array, like: Array) -> Array:
        """x in the dtype of ``like``."""

    def widen(self, x: Array) -> Array:
        """float32 for bfloat16 and float16; x itself otherwise."""

    def where(self, condition: Array, a: Array | float, b: Array | float) -> Array:
        """Element-wise choice; at least one of a, b is an array."""

    def mask(self, condition: Array, like: Array) -> Array:
        """1 where the condition holds, else 0, in the dtype of ``like``."""

    def clip(self, x: Array, low: Array | float, high: Array | float) -> Array:
        """x between low and high; nan stays nan; the derivative is 0 at both bounds and beyond."""

    def bound(self, x: Array, low: float, high: float) -> Array:
        """`clip` with two numbers, for bounds so far out that any finite derivative will do at them."""

    def magnitude(self, x: Array) -> Array:
        """abs(x) whose derivative at 0 is 0 on every framework (jax.numpy.abs has 1 there)."""

    def direction(self, x: Array) -> Array:
        """-1, 0, 1 or nan; derivative 0."""

    # Element-wise mathematics.
    def exp(self, x: Array) -> Array: ...
    def expm1(self, x: Array) -> Array: ...
    def log1p(self, x: Array) -> Array: ...
    def log(self, x: Array) -> Array: ...
    def sqrt(self, x: Array) -> Array: ...
    def sin(self, x: Array) -> Array: ...
    def cos(self, x: Array) -> Array: ...
    def tanh(self, x: Array) -> Array: ...
    def logistic_slope(self, u: Array, height: Array | float) -> Array:
        """height·σ(u)·(1 - σ(u)), for u <= 0: there it is right to a few units in the last place."""

    def arctan(self, x: Array) -> Array: ...
    def erf(self, x: Array) -> Array: ...
    def power(self, x: Array, exponent: Array | float) -> Array: ...
    def isnan(self, x: Array) -> Array: ...
    def isfinite(self, x: Array) -> Array: ...

    def binary_sign(self, x: Array) -> Array:
        """-1 or +1, and +1 at either zero; nan stays nan."""

    def step(self, x: Array) -> Array:
        """1 where x > 0, else 0, without a sign; nan stays nan."""

    def ternary(self, x: Array, threshold: float) -> Array:
        """-1 where x < -threshold, 1 where x > threshold, else 0, without a sign; nan stays nan."""

    def compare(self, relation: Callable[[Any, Any], Array], x: Array, y: Array | float) -> Array:
        """1 where ``relation(x, y)`` holds, else 0, in x's dtype; the relation is ``operator.gt``, ``ge``, ..."""

    def clamp(self, x: Array, low: float, high: float) -> Array:
        """`clip` of a hard operator: of the same values, and no derivative is promised."""

    # Rounding: keeps -0.0, nan and the infinities.
    def round(self, x: Array) -> Array:
        """To the nearest integer, half to even."""

    def floor(self, x: Array) -> Array: ...
    def ceil(self, x: Array) -> Array: ...
    def trunc(self, x: Array) -> Array: ...

    def stochastic_round(self, x: Array, key: Any) -> Array:
        """floor(x), or one more with probability x - floor(x), drawn in float32, for float64 in float64."""

    # Along an axis.
    def softmax(self, x: Array, axis: int) -> Array: ...
    def sum(self, x: Array, axis: int) -> Array:
        """The sum along an axis, which stays with length 1."""

    def cumsum(self, x: Array, axis: int) -> Array: ...
    def swap_to_last(self, x: Array, axis: int) -> Array:
        """The same axes with ``axis`` and the last one exchanged; its own inverse."""

    def order(self, x: Array) -> Array:
        """Integers that sort as x does: nan counts as the largest, -0.0 and 0.0 as equal."""

    def kth_largest(self, x: Array, k: int) -> Array:
        """The k-th largest integer along the last axis, which stays with length 1."""

    def argmax_mask(self, x: Array, axis: int) -> Array:
        """For `mask`: true, or 1 in x's dtype, at the largest element.

        nan counts as the largest, the first index wins.
        """

    def take(self, values: Array, indices: Array) -> Array:
        """Elements of a 1-d array."""

    def constant(self, values: Any, like: Array) -> Array:
        """Numbers as an array of the dtype (and device) of ``like``."""

    def to_index(self, x: Array) -> Array:
        """Whole-numbered floats as integers fit for `take`; nan gives some valid index."""

    def standard_deviation(self, x: Array) -> Array:
        """Of all elements, dividing by their number."""

    def as_float(self, x: Array) -> Array:
        """float32 for integers."""

    def from_numpy(self, values: Any) -> Array:
        """A numpy array as an array of this framework, of the same dtype."""

    def broadcast_to(self, x: Array, like: Array) -> Array: ...

    # Derivatives.
    def detach(self, x: Array) -> Array:
        """x without a derivative, at no cost; where the framework does not need it, x itself."""

    def stop_gradient(self, x: Array) -> Array:
        """Value of x, derivative 0."""

    def gradient_possible(self) -> bool:
        """False where no gradient can be asked for (export, torch.no_grad): then no proxy is evaluated."""

    def straight_through(self, result: Array, proxy: Array) -> Array:
        """Value of ``result``, derivative of ``proxy``; both of one shape and dtype. Nobody else holds ``result``."""

    def attach_slope(self, result: Array, x: Array, curve: Curve, arrays: tuple[Array, ...]) -> Array:
        """Value of ``result``; derivative ``curve.slope`` with respect to x and that of ``curve.value`` with
        respect to each of ``arrays``. Where the slope is 0 the derivative is exactly 0. Nobody else holds ``result``.
        """

    # What an eager framework gains by; None where a compiler does as much by itself.
    without_gradient: Callable[..., Array] | None
    """``hard(table, *args, **kwargs)`` from ``(table, hard, args, kwargs)``, of which no derivative is recorded."""

    attach_difference: Callable[..., Array | None] | None
    """As `attach_slope` at ``rule(x, y)``, from ``(result, rule, curve, x, y)``, keeping x and y instead; None where
    the general form is needed. ``rule`` is a `Difference`."""
