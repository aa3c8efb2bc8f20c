"""What the tests of line 8 share: the call that must be refused, the sentences' common parts, the bad inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import straightthrough as ste
from native import JAX
from straightthrough import _registry

TO_CONVERT = "make it an array with torch.as_tensor(x), jnp.asarray(x) or tf.convert_to_tensor(x)"
TO_CAST = "cast it to float32, or use the framework's own operator"
AN_ARRAY = "an array of TensorFlow, PyTorch or JAX"

# What a ready operation needs beside x. One that needs more and is not here fails below, and asks for its row.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"), (0.5,)),
    "clip": (-1.0, 1.0),
    "top_k_mask": (1,),
}

each_operation = pytest.mark.parametrize("operation", _registry.operations.values(), ids=_registry.operations)
COMPARISONS = (ste.greater, ste.greater_equal, ste.less, ste.less_equal, ste.equal, ste.not_equal)


def refused(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    """The call raises exactly this error with exactly this sentence."""
    with pytest.raises(ste.SteError) as caught:
        call()
    assert str(caught.value) == message
    assert type(caught.value) is error
    assert "\n" not in message


def arguments(native: Any, operation: ste.Operation) -> tuple[Any, ...]:
    if operation is ste.stochastic_round:
        return (native.generator(0),)
    return ARGUMENTS.get(operation.name, ())


NOT_ARRAYS = {
    "none": (None, "None"),
    "string": ("text", "'text'"),
    "float": (3.0, "3.0"),
    "integer": (3, "3"),
    "boolean": (True, "True"),
    "ragged list": ([[1.0], [1.0, 2.0]], "[[1.0], [1.0, 2.0]]"),
    "list": ([1.0, 2.0], "[1.0, 2.0]"),
    "tuple": ((1.0, 2.0), "(1.0, 2.0)"),
    "dictionary": ({"x": 1}, "{'x': 1}"),
    "numpy array": (np.ones(2, np.float32), "numpy.ndarray"),
    "numpy scalar": (np.float32(1), "numpy.float32"),
    "class": (int, "<class 'int'>"),
}
not_an_array = pytest.mark.parametrize(("value", "shown"), NOT_ARRAYS.values(), ids=NOT_ARRAYS)


DTYPES = ("int8", "uint8", "int32", "int64", "bool", "complex64")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def _of(native: Any, dtype: str, values: Any = (1, 0)) -> Any:
    if native is JAX and dtype == "int64":
        pytest.skip("JAX has int64 in its 64-bit mode only")
    return native.array(list(values), dtype)
