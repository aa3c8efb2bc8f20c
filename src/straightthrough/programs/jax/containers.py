"""What holds the parameters (a pytree, an nnx.Module, a Keras model), handed to the loss with other arrays in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from straightthrough._errors import ArgumentError, kind_of, wrong


@dataclass
class Container:
    """The arrays that can learn, by name, and the way back.

    Attributes:
        names: of every parameter, in their owner's order.
        arrays: for each, its array; None for one that cannot have a gradient (an integer).
        trainable: for each, whether it is meant to learn.
        holding: a context that gives the object to hand to the loss, with these arrays in it.
        mode: ``"training"``, ``"inference"`` or ``""``.
        shapes: for each, shape and dtype.
    """

    names: list[str]
    arrays: list[Any]
    trainable: list[bool]
    holding: Callable[[list[Any]], Any]
    mode: str = ""

    @property
    def moving(self) -> list[int]:
        """Positions of those that a derivative can be taken by."""
        return [i for i, array in enumerate(self.arrays) if _is_inexact(array)]


def container_of(params: Any) -> Container:
    """Recognises what the parameters come in.

    Raises:
        ArgumentError: there is none in it.
    """
    if _is_keras(params):
        found = _keras(params)
    elif _has_module(params):
        found = _nnx(params)
    else:
        found = _pytree(params)
    if not found.moving:
        wanted = "something with floating parameters in it"
        raise ArgumentError(wrong("doctor", "params", wanted, f"{kind_of(params)} without any"))
    return found


def _is_inexact(array: Any) -> bool:
    if isinstance(array, bool | str | bytes) or not isinstance(
        array, jax.Array | np.ndarray | np.generic | float | complex
    ):
        return False
    return bool(jnp.issubdtype(jnp.result_type(array), jnp.inexact))


def _module_types(name: str, *classes: str) -> tuple[type, ...]:
    module = sys.modules.get(name)
    return tuple(getattr(module, c) for c in classes) if module is not None else ()


def _is_keras(params: Any) -> bool:
    types = _module_types("keras", "Layer", "Variable")
    items = params if isinstance(params, list | tuple) else [params]
    return bool(types) and bool(items) and all(isinstance(item, types) for item in items)


def _has_module(params: Any) -> bool:
    types = _module_types("flax.nnx", "Module", "Variable")
    if not types:
        return False
    leaves = jax.tree.leaves(params, is_leaf=lambda x: isinstance(x, types))
    return any(isinstance(leaf, types) for leaf in [params, *leaves])


def _pytree(params: Any) -> Container:
    pairs, tree = jax.tree_util.tree_flatten_with_path(params)
    names = [".".join(map(_name, path)) or "params" for path, _ in pairs]
    leaves = [leaf for _, leaf in pairs]

    @contextmanager
    def holding(arrays: list[Any]) -> Iterator[Any]:
        yield tree.unflatten(arrays)  # type: ignore[attr-defined]

    return Container(names, leaves, [_is_inexact(leaf) for leaf in leaves], holding)


def _name(key: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key).strip(".[]'\"")


def _nnx(params: Any) -> Container:
    from flax import nnx

    graph, own, rest = nnx.split(params, nnx.Param, ...)
    pairs = list(nnx.to_flat_state(own))
    arrays = [variable[...] for _, variable in pairs]

    @contextmanager
    def holding(arrays: list[Any]) -> Iterator[Any]:
        state = nnx.from_flat_state([(path, v.replace(a)) for (path, v), a in zip(pairs, arrays, strict=True)])
        yield nnx.merge(graph, state, rest, copy=True)

    names = [".".join(map(str, path)) for path, _ in pairs]
    return Container(names, arrays, [_is_inexact(a) for a in arrays], holding, _nnx_mode(params))


def _nnx_mode(params: Any) -> str:
    from flax import nnx

    flags = []
    for _, module in nnx.iter_graph(params):
        for attribute in ("deterministic", "use_running_average"):
            if isinstance(module, nnx.Module) and isinstance(getattr(module, attribute, None), bool):
                flags.append(getattr(module, attribute))
    if not flags:
        return ""
    return "inference" if all(flags) else "training"


def _keras(params: Any) -> Container:
    import keras

    items = list(params) if isinstance(params, list | tuple) else [params]
    variables: list[Any] = []
    others: list[Any] = []
    for item in items:
        for variable in [item] if isinstance(item, keras.Variable) else item.variables:
            learns = variable.trainable or any(variable is w for w in getattr(item, "weights", ()))
            (variables if learns and _is_inexact(variable.value) else others).append(variable)

    @contextmanager
    def holding(arrays: list[Any]) -> Iterator[Any]:
        mapping = list(zip(variables, arrays, strict=True)) + [(v, v.value) for v in others]
        with keras.StatelessScope(state_mapping=mapping):
            yield params

    return Container(
        [v.path for v in variables], [v.value for v in variables], [bool(v.trainable) for v in variables], holding
    )
