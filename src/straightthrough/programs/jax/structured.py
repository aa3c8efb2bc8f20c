"""Equations that hold functions (jitted bodies, loops, branches, checkpoints), made again around a rewritten body.

Custom derivative rules are left whole: what is hard in their forward pass has a derivative of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from straightthrough._errors import UnsupportedError
from straightthrough.programs._keys import short_place
from straightthrough.programs.jax import carriers as carry
from straightthrough.programs.jax import lines
from straightthrough.programs.jax.carriers import Carrier, OneHot

Array = Any
Tracked = tuple[Array, Carrier | None]


class Structured:
    """Runs the equations that hold functions, for a `Rewriter`."""

    def __init__(self, rewriter: Any):
        self._rewriter = rewriter

    def run(self, equation: Any, inputs: list[Tracked]) -> list[Tracked] | None:
        """The results, or None if the equation holds no function to look into."""
        name = str(equation.primitive.name)
        how = {
            "jit": self._jit,
            "pjit": self._jit,
            "closed_call": self._inline,
            "core_call": self._inline,
            "remat2": self._remat,
            "remat": self._remat,
            "checkpoint": self._remat,
            "scan": self._scan,
            "while": self._while,
            "cond": self._cond,
            "shard_map": self._shard_map,
        }.get(name)
        if how is None or not self._concerns(equation, inputs):
            return None
        return how(equation, inputs)

    def _concerns(self, equation: Any, inputs: list[Tracked]) -> bool:
        """Something inside is sought, or something carried goes in: else the unit is left as it is."""
        return any(carrier is not None for _, carrier in inputs) or self._holds_sought(equation)

    def _holds_sought(self, equation: Any) -> bool:
        for inner in lines.subfunctions(equation):
            for eqn in inner.eqns:
                sought = self._rewriter.sought(eqn)
                if sought is not None or self._holds_sought(eqn):
                    return True
        return False

    def _jit(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        closed = equation.params["jaxpr"]

        def body(*tracked: Tracked) -> list[Tracked]:
            return self._closed(closed, list(tracked))

        body.__name__ = str(equation.params.get("name", "body"))
        return list(jax.jit(body, inline=bool(equation.params.get("inline", False)))(*inputs))

    def _closed(self, closed: Any, inputs: list[Tracked]) -> list[Tracked]:
        made: list[Tracked] = self._rewriter.closed(closed, inputs)
        return made

    def _inline(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        inner = equation.params.get("call_jaxpr", equation.params.get("jaxpr"))
        return self._closed(inner, inputs) if hasattr(inner, "consts") else self._open(inner, inputs)

    def _open(self, jaxpr: Any, inputs: list[Tracked]) -> list[Tracked]:
        made: list[Tracked] = self._rewriter.jaxpr(jaxpr, [], inputs)
        return made

    def _remat(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        inner = equation.params["jaxpr"]

        def body(*tracked: Tracked) -> list[Tracked]:
            return self._open(inner, list(tracked))

        params = equation.params
        again = jax.checkpoint(body, prevent_cse=params["prevent_cse"], policy=params["policy"])
        return list(again(*inputs))

    def _shard_map(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        params = equation.params
        if any(carrier is not None for _, carrier in inputs):
            raise UnsupportedError(
                f"with_proxies: a carried integer enters the shard_map at {self._where(equation)}; make it a float "
                "(a mask, a one-hot) before it"
            )

        def body(*arrays: Array) -> list[Array]:
            made = self._open(params["jaxpr"], [(array, None) for array in arrays])
            self._drop([carrier for _, carrier in made], equation)
            return [value for value, _ in made]

        again = jax.shard_map(
            body, mesh=params["mesh"], in_specs=tuple(params["in_specs"]), out_specs=list(params["out_specs"])
        )
        return [(value, None) for value in again(*(value for value, _ in inputs))]

    def _drop(self, carriers: list[Carrier | None], equation: Any) -> None:
        where = f"{equation.primitive.name} at {self._where(equation)}"
        self._rewriter.substitutes.drop(carry.keys_of(carriers), where)

    def _where(self, equation: Any) -> str:
        return short_place(self._rewriter.place(equation))

    def _scan(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        params = equation.params
        consts, carries = params["num_consts"], params["num_carry"]
        fixed, start, sequence = inputs[:consts], inputs[consts : consts + carries], inputs[consts + carries :]
        closed = params["jaxpr"]

        def body(state: list[Tracked], each: list[Tracked]) -> tuple[list[Tracked], list[Tracked]]:
            made = self._closed(closed, [*fixed, *state, *each])
            return made[:carries], made[carries:]

        spread = [(value, _full(carrier)) for value, carrier in sequence]
        start = self._settled(start, lambda state: body(state, _first(spread))[0])
        stable = self._like(start, body)
        end, stacked = lax.scan(
            stable, start, spread, length=params["length"], reverse=params["reverse"], unroll=params["unroll"]
        )
        return [*end, *stacked]

    def _like(self, start: list[Tracked], body: Callable[..., Any]) -> Callable[..., Any]:
        def same(state: list[Tracked], each: list[Tracked]) -> tuple[list[Tracked], list[Tracked]]:
            made, stacked = body(state, each)
            return _matched(made, start), [(value, _full(carrier)) for value, carrier in stacked]

        return same

    def _settled(self, start: list[Tracked], step: Callable[[list[Tracked]], list[Tracked]]) -> list[Tracked]:
        """The carried state with a carrier wherever some iteration makes one: a first one without derivative."""
        for _ in range(len(start) + 1):
            after = jax.eval_shape(step, start)
            grown = [
                (value, _first_of(value, made)) if carrier is None and made is not None else (value, _full(carrier))
                for (value, carrier), (_, made) in zip(start, after, strict=True)
            ]
            if all((old is None) == (new is None) for (_, old), (_, new) in zip(start, grown, strict=True)):
                return grown
            start = grown
        return start

    def _while(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        params = equation.params
        n_test, n_body = params["cond_nconsts"], params["body_nconsts"]
        test_consts, body_consts = inputs[:n_test], inputs[n_test : n_test + n_body]
        start = inputs[n_test + n_body :]

        def step(state: Any) -> list[Tracked]:
            return self._closed(params["body_jaxpr"], [*body_consts, *state])

        def goes_on(state: Any) -> Array:
            (made,) = self._closed(params["cond_jaxpr"], [*test_consts, *state])
            self._drop([made[1]], equation)
            return made[0]

        start = self._settled(start, step)
        return list(lax.while_loop(goes_on, lambda state: _matched(step(state), start), start))

    def _cond(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        (choice, beside), operands = inputs[0], inputs[1:]
        self._drop([beside], equation)
        branches = [
            lambda *tracked, closed=closed: self._closed(closed, list(tracked))
            for closed in equation.params["branches"]
        ]
        shapes = [jax.eval_shape(branch, *operands) for branch in branches]
        wanted = [next((made[i][1] for made in shapes if made[i][1] is not None), None) for i in range(len(shapes[0]))]

        def matched(branch: Callable[..., list[Tracked]]) -> Callable[..., list[Tracked]]:
            return lambda *tracked: _matched(branch(*tracked), [(None, _full(carrier)) for carrier in wanted])

        if len(branches) == 1:
            return branches[0](*operands)
        return list(lax.switch(choice, [matched(branch) for branch in branches], *operands))


def _matched(made: list[Tracked], pattern: list[Tracked]) -> list[Tracked]:
    """Carriers of the pattern's structure: a loop's state and a branch's result must keep it."""
    found: list[Tracked] = []
    for (value, carrier), (_, wanted) in zip(made, pattern, strict=True):
        if wanted is None:
            found.append((value, None))
        elif carrier is None or type(carrier) is not type(wanted):
            found.append((value, _first_of(value, wanted) if carrier is None else _as(value, carrier, wanted)))
        else:
            found.append((value, _as(value, carrier, wanted)))
    return found


def _as(value: Array, carrier: Carrier, wanted: Carrier) -> Carrier:
    if isinstance(wanted, OneHot) and isinstance(carrier, OneHot):
        return OneHot(carrier.weights, _full(carrier).values, wanted.name, wanted.keys)  # type: ignore[union-attr]
    if isinstance(wanted, carry.Numeric):
        return carry.Numeric(carry.number(carrier, wanted.value.dtype), wanted.keys)
    return carry.constant_like(value, wanted)


def _full(carrier: Carrier | None) -> Carrier | None:
    """Values of the weights' whole shape, so that loops and branches can hold them."""
    if not isinstance(carrier, OneHot):
        return carrier
    values = carrier.values
    if values.shape != carrier.weights.shape:
        values = (
            jax.ShapeDtypeStruct(carrier.weights.shape, values.dtype)
            if isinstance(values, jax.ShapeDtypeStruct)
            else jnp.broadcast_to(values, carrier.weights.shape)
        )
    return OneHot(carrier.weights, values, carrier.name, carrier.keys)


def _first_of(value: Array, made: Carrier) -> Carrier:
    """A carrier without derivative of the structure that an iteration makes (known by its shapes alone)."""
    if not isinstance(made, OneHot):
        return carry.Numeric(jnp.asarray(value).astype(made.value.dtype), made.keys)
    shape, count = made.weights.shape, made.weights.shape[-1]
    values = jnp.broadcast_to(jnp.arange(count, dtype=jnp.asarray(value).dtype), shape)
    weights = (values == jnp.asarray(value)[..., None]).astype(made.weights.dtype)
    return OneHot(weights, values, made.name, made.keys)


def _first(sequence: list[Tracked]) -> list[Tracked]:
    return jax.tree.map(lambda x: x[0], sequence)  # type: ignore[no-any-return]
