"""Runs a JAX function again with proxies at the operators that were named, wherever in it they stand.

The function is traced to a jaxpr and evaluated equation by equation: the same primitives on the same values, so that
the result is bitwise the same under the same compiler. Jitted bodies stay compiled units, loops stay loops, and beside
a value that cannot carry a gradient a carrier travels (`carriers`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from straightthrough.programs._description import Place
from straightthrough.programs._names import canonical
from straightthrough.programs._substitutes import Rewrite, Substitutes
from straightthrough.programs.jax import carriers as carry
from straightthrough.programs.jax import lines
from straightthrough.programs.jax.carriers import Carrier, Numeric, OneHot
from straightthrough.programs.jax.equations import bind
from straightthrough.programs.jax.grouping import RULES
from straightthrough.programs.jax.operators import hard_result, is_float, is_hard, operator_of, replaced
from straightthrough.programs.jax.structured import Structured

Array = Any
Tracked = tuple[Array, Carrier | None]
"""A hard value and what travels beside it."""


def rewritten(function: Callable[..., Any], substitutes: Substitutes) -> Callable[..., Any]:
    """The function with proxies at what ``substitutes`` seeks."""

    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = jax.tree.flatten((args, kwargs))
        dynamic = [i for i, leaf in enumerate(leaves) if _is_array(leaf)]

        def of(*arrays: Any) -> Any:
            filled = list(leaves)
            for position, array in zip(dynamic, arrays, strict=True):
                filled[position] = array
            again, named = jax.tree.unflatten(tree, filled)
            return function(*again, **named)

        arrays = [leaves[i] for i in dynamic]
        closed, shape = jax.make_jaxpr(of, return_shape=True)(*arrays)
        substitutes.start()
        _look_through(closed.jaxpr, substitutes)
        substitutes.check_matched()
        made = Rewriter(substitutes).closed(closed, [(array, None) for array in arrays])
        substitutes.drop(carry.keys_of([carrier for _, carrier in made]), "the result, which is no float")
        substitutes.check_landed()
        return jax.tree.unflatten(jax.tree.structure(shape), [value for value, _ in made])

    return run


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _look_through(jaxpr: Any, substitutes: Substitutes, around: Place | None = None) -> None:
    """Goes through the program in its order, so that keys are numbered, and matched, as the doctor does."""
    for equation in jaxpr.eqns:
        place = lines.places(equation)[0] or around
        operator = operator_of(equation)
        substitutes.key_of(operator, place)
        sought = substitutes.sought(operator, place) if is_hard(equation) else None
        if sought is None and equation.primitive.name not in RULES:
            for inner in lines.subfunctions(equation):
                _look_through(inner, substitutes, place)


class Rewriter:
    """Evaluates jaxprs on tracked values."""

    def __init__(self, substitutes: Substitutes):
        self.substitutes = substitutes
        self._structured = Structured(self)
        # The line that called what is being run: a library's body has none of its own.
        self._around: Place | None = None

    def closed(self, closed: Any, inputs: list[Tracked]) -> list[Tracked]:
        return self.jaxpr(closed.jaxpr, [(c, None) for c in closed.consts], inputs)

    def jaxpr(self, jaxpr: Any, consts: list[Tracked], inputs: list[Tracked]) -> list[Tracked]:
        """The results of a jaxpr."""
        known: dict[Any, Tracked] = {}
        known.update(zip(jaxpr.constvars, consts, strict=True))
        known.update(zip(jaxpr.invars, inputs, strict=True))

        def read(atom: Any) -> Tracked:
            return (atom.val, None) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            made = self.equation(equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, made, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, equation: Any, inputs: list[Tracked]) -> list[Tracked]:
        rewrite = self.sought(equation)
        if rewrite is not None:
            return self._substituted(equation, inputs, rewrite)
        outside, self._around = self._around, self.place(equation)
        try:
            inside = self._structured.run(equation, inputs)
        finally:
            self._around = outside
        if inside is not None:
            return inside
        hard = [value for value, _ in inputs]
        results = bind(equation, hard)
        beside = [carrier for _, carrier in inputs]
        if all(carrier is None for carrier in beside):
            return [(result, None) for result in results]
        return self._carried(equation, hard, beside, results)

    def sought(self, equation: Any) -> Rewrite | None:
        """The rewrite of this equation, if it is one that a key fits."""
        return self.substitutes.sought(operator_of(equation), self.place(equation)) if is_hard(equation) else None

    def place(self, equation: Any) -> Place | None:
        return lines.places(equation)[0] or self._around

    def _substituted(self, equation: Any, inputs: list[Tracked], rewrite: Rewrite) -> list[Tracked]:
        hard = [value for value, _ in inputs]
        # What is already carried stands for the integer: comparing two rounded numbers is a step of their difference.
        subjects = [carry.number(c) if c is not None else value for value, c in inputs]
        results = hard_result(equation, hard, bind)
        made = replaced(equation, hard, subjects, results, rewrite)
        keys = (rewrite.key, *carry.keys_of([carrier for _, carrier in inputs]))
        tracked: list[Tracked] = []
        for result, substitute in zip(results, made, strict=True):
            if substitute is None:
                tracked.append((result, None))
            elif isinstance(substitute, Numeric | OneHot):
                tracked.append((result, _with_keys(substitute, keys)))
            else:
                tracked.append((substitute, None))
                self.substitutes.land(keys, rewrite.key)
        return tracked

    def _carried(
        self, equation: Any, hard: list[Array], beside: list[Carrier | None], results: list[Array]
    ) -> list[Tracked]:
        """An equation that has a carried input: it lands, travels on, or is dropped."""
        name = equation.primitive.name
        keys = carry.keys_of(beside)
        where = self.substitutes.key_of(canonical(name), self.place(equation))
        landed = self._lands(equation, hard, beside, results)
        if landed is not None:
            self.substitutes.land(keys, where)
            return [(landed, None)]
        travelled = self._travels(name, equation, hard, beside)
        if len(travelled) != len(results) or all(carrier is None for carrier in travelled):
            self.substitutes.drop(keys, where)
            return [(result, None) for result in results]
        tracked: list[Tracked] = []
        for result, carrier in zip(results, travelled, strict=True):
            if carrier is not None and is_float(result):
                tracked.append((carry.joined(result, carrier), None))
                self.substitutes.land(keys, where)
            else:
                tracked.append((result, carrier))
        return tracked

    def _lands(
        self, equation: Any, hard: list[Array], beside: list[Carrier | None], results: list[Array]
    ) -> Array | None:
        name, result = equation.primitive.name, results[0]
        if not is_float(result):
            return None
        first = beside[0]
        if name == "convert_element_type" and first is not None:
            return carry.joined(result, first)
        if name == "select_n" and first is not None and len(hard) == 3:
            return carry.chosen(result, first, hard[1:])
        if name == "gather" and isinstance(beside[1], OneHot):
            return carry.looked_up(equation, bind, hard, result, beside[1])
        if name == "dynamic_slice":
            return carry.sliced(equation, bind, hard, result, beside)
        if name in ("scatter", "scatter-add", "scatter_add") and isinstance(beside[1], OneHot):
            return carry.scattered(equation, bind, hard, result, beside[1])
        return None

    def _travels(
        self, name: str, equation: Any, hard: list[Array], beside: list[Carrier | None]
    ) -> list[Carrier | None]:
        keys = carry.keys_of(beside)
        if name == "convert_element_type" and isinstance(beside[0], Numeric):
            return [beside[0]]
        if name in carry.ELEMENTWISE:
            made = carry.candidate_by_candidate(equation, bind, hard, beside)
            if made is not None:
                return [made]
        numbers = [
            carry.number(carrier) if carrier is not None else jnp.asarray(value).astype(jnp.float32)
            for value, carrier in zip(hard, beside, strict=True)
        ]
        if name in carry.LOGIC and all(jnp.asarray(value).dtype == bool for value in hard):
            return [Numeric(carry.LOGIC[name](*numbers), keys)]
        if name in carry.SHAPING or (name == "select_n" and beside[0] is None):
            return carry.moved(equation, bind, hard, beside)
        if name == "select_n":
            choice, cases = numbers[0], numbers[1:]
            return [Numeric(cases[0] + choice * (cases[1] - cases[0]), keys)] if len(cases) == 2 else [None]
        if name in carry.ARITHMETIC:
            return [Numeric(made, keys) for made in bind_floats(equation, numbers)]
        return [None] * len(equation.outvars)


def _with_keys(carrier: Carrier, keys: tuple[str, ...]) -> Carrier:
    if isinstance(carrier, Numeric):
        return Numeric(carrier.value, keys)
    return OneHot(carrier.weights, carrier.values, carrier.name, keys)


def bind_floats(equation: Any, values: list[Array]) -> list[Array]:
    """The same arithmetic on floats: parameters that name an integer dtype would refuse them."""
    params = dict(equation.params)
    if params.get("preferred_element_type") is not None:
        params["preferred_element_type"] = jnp.dtype("float32")
    with equation.ctx.manager:
        made = equation.primitive.bind(*values, **params)
    return list(made) if equation.primitive.multiple_results else [made]
