"""Why an operator passes no gradient: its derivative again, one ulp away, nearby, and with its other inputs moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from straightthrough.programs._description import Why
from straightthrough.programs.jax.graph import Operator, is_floating
from straightthrough.programs.jax.moving import next_to_nothing
from straightthrough.programs.jax.running import cotangent

GOOD_SHARE = 0.1
"""A derivative that comes alive for this share of the elements one ulp away stood at a tie."""

MATERIAL = 1e-3
"""A derivative that differs relatively by more than this is another one."""

ROUNDS = 4
"""How many rounds of a loop are looked at."""

_compiled: dict[Any, Callable[..., Any]] = {}


@dataclass
class Reason:
    """What re-evaluation told about one edge.

    Attributes:
        alive_here, alive_at_an_ulp, alive_nearby, alive_with_others: shares of elements with a derivative.
        changes: whether the result changes when this input is moved.
        tied: the share of elements whose derivative is another one ulp away.
    """

    alive_at_an_ulp: float = 0.0
    alive_nearby: float = 0.0
    alive_with_others: float = 0.0
    changes: bool = True
    tied: float = 0.0

    @property
    def why(self) -> Why:
        if self.alive_at_an_ulp >= GOOD_SHARE:
            return "tie"
        if self.alive_nearby > 0:
            return "saturated"
        if self.alive_with_others > 0 or not self.changes:
            return "blocked"
        return "flat"


def reason(
    operator: Operator, rounds: list[list[Any]], output: int, position: int, *, only_ties: bool = False
) -> Reason:
    """Re-evaluates the derivative of one output by one input, at the inputs of some rounds."""
    key = (operator.key if operator.key is not None else id(operator), output, position, only_ties)
    function = _compiled.get(key)
    if function is None:
        function = jax.jit(lambda *arrays: _look(operator, list(arrays), output, position, only_ties))
        if operator.key is not None:
            if len(_compiled) > 500:
                _compiled.clear()
            _compiled[key] = function
    total = Reason(changes=False)
    for arrays in rounds:
        ulp, near, others, changes, tied = (float(x) for x in function(*arrays))
        total.alive_at_an_ulp = max(total.alive_at_an_ulp, ulp)
        total.alive_nearby = max(total.alive_nearby, near)
        total.alive_with_others = max(total.alive_with_others, others)
        total.changes = total.changes or bool(changes)
        total.tied = max(total.tied, tied)
    return total


def rounds_of(arrays: list[Any], operator: Operator) -> list[list[Any]]:
    """The inputs of a few rounds, from arrays that a loop may have stacked along leading axes."""
    extra = max((np.ndim(a) - len(v.aval.shape) for a, v in zip(arrays, operator.inputs, strict=True)), default=0)
    if extra == 0:
        return [arrays]
    lengths = next(
        np.shape(a)[:extra]
        for a, v in zip(arrays, operator.inputs, strict=True)
        if np.ndim(a) - len(v.aval.shape) == extra
    )
    count = int(np.prod(lengths))
    picked = sorted({round(i * (count - 1) / max(ROUNDS - 1, 1)) for i in range(ROUNDS)})
    return [[a.reshape((count, *a.shape[extra:]))[i] for a in arrays] for i in picked]


def _look(operator: Operator, arrays: list[Any], output: int, position: int, only_ties: bool) -> tuple[Any, ...]:
    x = arrays[position]

    def at(moved: Any, others: list[Any] | None = None) -> tuple[Any, Any]:
        base = list(arrays if others is None else others)

        def result(value: Any) -> Any:
            return operator.function(*base[:position], value, *base[position + 1 :])[output]

        made, back = jax.vjp(result, moved)
        return made, back(cotangent(made.shape, made.dtype))[0]

    here_result, here = at(x)
    _, beside = at(an_ulp_away(x))
    tied = _share(_differs(here, beside))
    if only_ties:
        return 0.0, 0.0, 0.0, True, tied
    near = [at(moved) for moved in nearby(x)]
    alive = jnp.max(jnp.stack([_share(_alive(slope)) for _, slope in near]))
    changed = jnp.stack([jnp.any(_unlike(made, here_result)) for made, _ in near])
    far = jnp.stack(
        [jnp.any(_unlike(operator.function(*_with(arrays, position, m))[output], here_result)) for m in afar(x)]
    )
    elsewhere = at(x, [a if i == position else moved_other(a, i) for i, a in enumerate(arrays)])[1]
    return _share(_alive(beside)), alive, _share(_alive(elsewhere)), jnp.any(changed) | jnp.any(far), tied


def _with(arrays: list[Any], position: int, array: Any) -> list[Any]:
    return [array if i == position else a for i, a in enumerate(arrays)]


def _share(mask: Any) -> Any:
    return jnp.mean(mask, dtype=jnp.float32) if mask.size else jnp.zeros((), jnp.float32)


def _alive(slope: Any) -> Any:
    return (slope != 0) & jnp.isfinite(slope)


def _unlike(one: Any, other: Any) -> Any:
    return (one != other) & ~((one != one) & (other != other))


def _differs(one: Any, other: Any) -> Any:
    one, other = jnp.abs(one - other), jnp.abs(one) + jnp.abs(other)
    return (one > MATERIAL * other) & (one > 1e-6 * jnp.max(other, initial=0))


def an_ulp_away(x: Any) -> Any:
    """Each element moved by about one ulp, up or down; an exact zero by a number next to nothing."""
    sign = jnp.sign(cotangent(x.shape, jnp.float32, 77)).astype(x.dtype)
    ulp = jnp.finfo(x.dtype).eps
    tiny = jnp.asarray(next_to_nothing(x.dtype), x.dtype)
    return jnp.where(x == 0, sign * tiny, x + x * sign * ulp)


def nearby(x: Any) -> Iterator[Any]:
    """Inputs such as this one might be on another batch, or after some steps."""
    noise = _noise(x)
    finite = jnp.where(jnp.isfinite(x), x, 0)
    spread = jnp.where(jnp.std(finite) > 0, jnp.std(finite), jnp.max(jnp.abs(finite), initial=0))
    spread = jnp.where(spread > 0, spread, 1).astype(x.dtype)
    yield x + noise * spread * 0.01
    yield x + noise * spread
    yield x * (jnp.clip(_noise(x, 5), -1, 1))
    yield x * 0.03
    yield x * 0.3


def afar(x: Any) -> Iterator[Any]:
    """Far enough that whatever depends on it must change."""
    yield x + _noise(x, 9)
    yield x + 30 * _noise(x, 11)


def moved_other(array: Any, seed: int) -> Any:
    """Another input in place of this one."""
    if not is_floating(array) or str(array.dtype).startswith("complex"):
        return array
    noise = _noise(array, 20 + seed)
    finite = jnp.where(jnp.isfinite(array), array, 0)
    scale = jnp.where(jnp.std(finite) > 0, jnp.std(finite), 1).astype(array.dtype)
    return finite + noise * scale


def _noise(x: Any, seed: int = 3) -> Any:
    return cotangent(x.shape, jnp.float32, seed).astype(x.dtype) * jnp.asarray(1.3, x.dtype)
