"""The way off: the hard operators alone, for inference and export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from straightthrough._autograph import INFO, as_it_is
from straightthrough._errors import ArgumentError, short, wrong
from straightthrough._mode import mode


class Hard:
    """A function in which every straight-through operation is its hard operator alone; see `hard`."""

    autograph_info__ = INFO

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        before, mode.hard_only = mode.hard_only, True
        try:
            return self.function(*args, **kwargs)
        finally:
            mode.hard_only = before

    def __repr__(self) -> str:
        return f"<hard {self.function!r}>"


@as_it_is
def hard(function: Callable[..., Any]) -> Hard:
    """The way off: ``function`` with the hard operators only, for inference and export.

    Args:
        function: an `Operation`, a layer, a model, or any function that uses them.

    Returns:
        A function of the same arguments and the same values, bitwise; no proxy is evaluated or traced. A function
        that a compiler has traced before keeps its trace: give the one underneath.

    Raises:
        ArgumentError: function is not callable.

    Example:
        >>> import torch
        >>> import straightthrough as ste
        >>> hard(ste.sign)(torch.tensor([0.5], requires_grad=True)).grad_fn is None
        True
    """
    if not callable(function):
        raise ArgumentError(wrong("hard", "function", "callable", short(function)))
    return Hard(function)
