"""Parameters by name: variables of models and modules, variables and tensors in lists, tuples and dictionaries."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

from straightthrough._errors import ArgumentError, short, wrong

Tensor = Any


@dataclass
class Owned:
    """A parameter as its owner holds it.

    Attributes:
        leaf: the variable or the tensor itself; of a Keras variable, what it wraps.
    """

    name: str
    leaf: Any
    trainable: bool

    @property
    def is_variable(self) -> bool:
        return isinstance(self.leaf, tf.Variable)

    @property
    def value(self) -> Tensor:
        return self.leaf.read_value() if self.is_variable else self.leaf


def owned(params: Any) -> list[Owned]:
    """Every parameter, in its owner's order; one that is held twice, once.

    Raises:
        ArgumentError: there is none.
    """
    found: dict[int, Owned] = {}
    for name, leaf, trainable in _leaves(params):
        value = leaf.value if _is_keras_variable(leaf) else leaf
        learns = trainable and bool(value.dtype.is_floating or value.dtype.is_complex)
        found.setdefault(id(value), Owned(name, value, learns))
    if not found:
        raise ArgumentError(wrong("doctor", "params", "at least one variable or tensor", short(params)))
    return list(found.values())


def _leaves(params: Any, prefix: str = "") -> list[tuple[str, Any, bool]]:
    variables = _variables(params)
    if variables is not None:
        return [(_joined(prefix, name), variable, bool(variable.trainable)) for name, variable in variables]
    if _is_keras_variable(params) or isinstance(params, tf.Variable):
        return [(prefix, params, bool(params.trainable))]
    if isinstance(params, ops.EagerTensor):
        return [(prefix, params, True)]
    if isinstance(params, dict):
        pairs = list(params.items())
    elif isinstance(params, list | tuple):
        names = getattr(params, "_fields", range(len(params)))
        pairs = list(zip(names, params, strict=True))
    else:
        return []
    return [leaf for key, value in pairs for leaf in _leaves(value, _joined(prefix, str(key)))]


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix and name else prefix or name


def _variables(params: Any) -> list[tuple[str, Any]] | None:
    """Those of a model, a layer or a module, of Keras 3, Keras 2 or TensorFlow."""
    keras = sys.modules.get("keras")
    layers: Any = getattr(keras, "Layer", ())
    if isinstance(params, layers):
        return [(getattr(variable, "path", variable.name), variable) for variable in params.weights]
    if isinstance(params, tf.Module) and not isinstance(params, tf.Variable):
        weights = getattr(params, "weights", None)
        return [(v.name.split(":")[0], v) for v in (params.variables if weights is None else weights)]
    return None


def _is_keras_variable(value: Any) -> bool:
    return any(base.__module__.startswith("keras.") and base.__name__ == "Variable" for base in type(value).__mro__)


def replaced(params: Any, values: dict[int, Tensor]) -> Any:
    """The parameters with other tensors in place of some; variables are left to be assigned."""
    if isinstance(params, ops.EagerTensor):
        return values.get(params._id, params)
    if isinstance(params, dict):
        return type(params)((key, replaced(value, values)) for key, value in params.items())
    if isinstance(params, list | tuple):
        items = [replaced(value, values) for value in params]
        return type(params)(*items) if hasattr(params, "_fields") else type(params)(items)
    return params
