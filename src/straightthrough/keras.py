"""A hard operator as a Keras layer, on the TensorFlow, PyTorch and JAX backends of Keras 3."""

from __future__ import annotations

import types
from typing import Any

import keras

from straightthrough import _registry
from straightthrough._backends import FRAMEWORKS
from straightthrough._errors import ArgumentError, UnsupportedError, short, wrong
from straightthrough._layer import Arguments, as_list

__all__ = ["StraightThrough"]


@keras.saving.register_keras_serializable(package="straightthrough")
class StraightThrough(keras.layers.Layer):
    """A hard operator with the gradient of a proxy, as a layer.

    training: y = operator(x), ∂y/∂x = the proxy's slope;   inference: y = operator(x), nothing else.

    A saved ``.keras`` file loads in a fresh process after ``import straightthrough.keras``, without ``custom_objects``.
    Keras up to 3.8 imports this module by itself; since 3.9 it imports nothing outside its own packages while loading.

    Args:
        operator: the name of a ready operation (``"sign"``), an operation, or a function of your own of a backend
            tensor; for saving, register that with ``keras.saving.register_keras_serializable``.
        proxy: a name (``"clipped_relu(width=2)"``), a proxy, a function or layer of the operator's arguments;
            the operation's own proxy (identity for a function of your own) unless given.
        learn: names of proxy parameters (``"width"``) to train: each becomes a trainable weight of that name, starting
            at the proxy's value, a number or an array.
        name, dtype, trainable: as in every Keras layer.
        **keywords: passed on to the operator (``axis=0``, ``k=3``, ``threshold=0.1``).

    Attributes:
        proxy: the proxy in effect. A proxy parameter given as an array, and not learned, is a weight that is not
            trained: ``layer.width.assign(0.5)`` anneals it, and nothing is compiled again.

    Returns:
        Called with x, with y too for a comparison of two tensors: what the operator returns.

    Gradient:
        The proxy's, unless called with ``training=False``: then the bare operator's own, 0 or none. Keras itself
        passes True in fit, False in evaluate, predict and the exports to ONNX and LiteRT. Where nobody says, as in a
        training loop by hand, the gradient is the proxy's. Nor does ``model.export`` to a SavedModel say: on
        TensorFlow an IdentityN stays in that graph, a copy without arithmetic. For the operator alone, export
        ``lambda x: model(x, training=False)`` with ``keras.export.ExportArchive``.

    Raises:
        UnknownNameError: no operation or proxy has this name.
        ArgumentError: an argument that the operator or the proxy does not take.
        UnsupportedError: a Keras backend without gradients (numpy, openvino).

    Example:
        >>> import numpy as np
        >>> layer = StraightThrough("sign", proxy="clipped_identity(width=2)", learn="width")
        >>> keras.ops.convert_to_numpy(layer(np.array([-0.3, 0.0, 5.0], "float32"))).tolist()
        [-1.0, 1.0, 1.0]
        >>> [weight.name for weight in layer.trainable_weights]
        ['width']

    Source:
        Courbariaux, Hubara, Soudry, El-Yaniv, Bengio 2016, arXiv 1602.02830.
    """

    def __init__(
        self,
        operator: Any,
        proxy: Any = None,
        *,
        learn: Any = (),
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **keywords: Any,
    ):
        backend = keras.backend.backend()
        if backend not in FRAMEWORKS:
            raise UnsupportedError(
                f"StraightThrough: the Keras backend {backend} computes no gradients; set KERAS_BACKEND to "
                "tensorflow, torch or jax before keras is imported"
            )
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.arguments = Arguments(operator, proxy, learn, keywords)
        self.supports_masking = True
        # Layers among the arguments are found here when weights are counted and saved.
        self.operator_layer = operator if isinstance(operator, keras.layers.Layer) else None
        self.proxy_layer = proxy if isinstance(proxy, keras.layers.Layer) else None
        state = self.arguments.state()
        for parameter, (start, learned) in state.items():
            setattr(self, parameter, self._weight(parameter, start, learned))
        self._state_names = tuple(state)
        # JAX draws nothing without a key; the other backends have a generator of their own.
        self._seed = keras.random.SeedGenerator() if backend == "jax" and self.arguments.takes("key") else None

    def _weight(self, parameter: str, start: Any, learned: bool) -> Any:
        value = keras.ops.convert_to_tensor(as_list(start), self.variable_dtype)
        shape = tuple(value.shape)
        return self.add_weight(name=parameter, shape=shape, initializer=lambda *_, **__: value, trainable=learned)

    def build(self, x_shape: Any, y_shape: Any = None) -> None:
        for layer in (self.operator_layer, self.proxy_layer):
            if layer is not None and not layer.built:
                layer.build(x_shape)

    @property
    def proxy(self) -> Any:
        return self.arguments.proxy_with({name: getattr(self, name) for name in self._state_names})

    def call(self, x: Any, y: Any = None, training: bool | None = None) -> Any:
        others = () if y is None else (y,)
        more = {} if self._seed is None else {"key": self._seed.next()}
        inference = training is not None and not training
        return self.arguments.call(None if inference else self.proxy, inference, x, others, more)

    def get_config(self) -> dict[str, Any]:
        config = self.arguments.config()
        config["operator"] = _registered(self.arguments.operation) or _saved("operator", config["operator"])
        config["proxy"] = _saved("proxy", config["proxy"])
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> StraightThrough:
        loaded = {"operator": _loaded(config["operator"]), "proxy": _loaded(config["proxy"])}
        layer: StraightThrough = super().from_config({**config, **loaded})
        return layer


def _registered(operation: Any) -> dict[str, Any] | None:
    """How Keras finds an operation that the user has registered, as it would a function."""
    name = keras.saving.get_registered_name(operation)
    if name == operation.__name__:
        return None
    return {"module": operation.__module__, "class_name": "function", "config": name, "registered_name": name}


def _saved(argument: str, value: Any) -> Any:
    """Plain data as it is; a function or an object of the user's in Keras' own form."""
    if not callable(value):
        return value
    if not isinstance(value, types.FunctionType) and not hasattr(value, "get_config"):
        wanted = "a name or a function registered with keras.saving.register_keras_serializable, for saving"
        raise ArgumentError(wrong("StraightThrough", argument, wanted, short(value), "wrap it in a function"))
    return keras.saving.serialize_keras_object(value)


def _loaded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "family" in value:
        arrays = {name: keras.ops.convert_to_tensor(array) for name, array in value["arrays"].items()}
        return _registry.family_named(value["family"], "StraightThrough")(**value["numbers"], **arrays)
    return keras.saving.deserialize_keras_object(value)
