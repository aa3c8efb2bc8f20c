"""What kind of call a call is, and the tensors in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

Tensor = torch.Tensor


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUIET = _words(
    """shape size dim ndim ndimension dtype device layout names is_cuda is_cpu is_mps is_sparse is_quantized is_meta
    is_contiguous is_floating_point is_complex is_signed is_conj is_neg is_inference is_same_size numel nelement stride
    storage_offset storage untyped_storage data_ptr element_size itemsize nbytes get_device __len__ __hash__ __repr__
    __str__ __format__ _version _is_view _base output_nr retain_grad retains_grad grad volatile name is_pinned
    is_shared is_nested __reduce_ex__ __dir__ __setstate__ _backward_hooks _grad has_names is_sparse_csr is_xla is_xpu
    result_type can_cast promote_types is_tensor is_storage get_default_dtype requires_grad_ is_distributed type_info
    is_set_to is_coalesced sparse_dim dense_dim element_size _nnz record_stream share_memory_
    _has_symbolic_sizes_strides"""
)
"""What tells something about a tensor that is not its values."""

SHAPE_ONLY = _words(
    """zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros new_ones new_empty
    new_full new_empty_strided"""
)
"""What takes the shape of a tensor and nothing else."""

FIRST_ONLY = _words("type_as expand_as view_as reshape_as resize_as_ to sum_to_size")
"""What takes the values of the first tensor, and of another no more than its shape or dtype."""

LEAVING = _words(
    """item tolist numpy __bool__ __int__ __float__ __index__ __complex__ __array__ __contains__ is_nonzero equal
    allclose __dlpack__"""
)
"""What gives a Python number or an array of numpy."""

MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
"""A comparison with its sides exchanged."""

NAMED_SO = _words("numpy tolist __contains__ equal allclose is_nonzero __dlpack__")
"""Those of them that keep their name; the others all read one number."""

STOPS = _words("detach detach_ data")

_IN_PLACE = _words("__setitem__ __iadd__ __isub__ __imul__ __itruediv__ __idiv__ __ifloordiv__ __imod__")
_IN_PLACE |= _words("__iand__ __ior__ __ixor__ __ilshift__ __irshift__ __ipow__")
_REFLECTED = _words("add sub mul truediv div floordiv mod pow matmul and or xor")


def native_name(func: Any) -> str:
    """``torch.Tensor.data.__get__`` is "data", ``aten.select.int`` is "select"."""
    name = str(getattr(func, "__name__", type(func).__name__))
    if name in ("__get__", "__set__", "__delete__"):
        owner = getattr(getattr(func, "__self__", None), "__name__", name)
        return owner if name == "__get__" else f"set {owner}"
    if isinstance(func, torch._ops.OpOverload):
        return func._overloadpacket.__name__
    return name


def shown_name(name: str) -> str:
    """The name without what marks a method of Python's or an in-place form."""
    plain = name.strip("_")
    if name.startswith("__r") and plain[1:] in (
        "add",
        "sub",
        "mul",
        "truediv",
        "div",
        "floordiv",
        "mod",
        "pow",
        "matmul",
    ):
        return plain[1:]
    if name in _IN_PLACE and name != "__setitem__":
        return plain[1:]
    return plain


def target_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The tensor that the call writes to."""
    out = kwargs.get("out")
    if isinstance(out, Tensor):
        return out
    named = name in _IN_PLACE or (name.endswith("_") and not name.endswith("__")) or name == "set data"
    if (named or kwargs.get("inplace") is True) and args and isinstance(args[0], Tensor):
        return args[0]
    first = kwargs.get("input")
    return first if kwargs.get("inplace") is True and isinstance(first, Tensor) else None


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested lists, tuples, dictionaries and slices, in order, as often as it occurs."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, slice):
        yield from tensors_in((value.start, value.stop, value.step))


def replaced(value: Any, by: Callable[[Tensor], Tensor]) -> Any:
    """The same structure with other tensors in it."""
    if isinstance(value, Tensor):
        return by(value)
    if isinstance(value, tuple) and type(value) is not tuple:
        parts = [replaced(part, by) for part in value]
        # torch.return_types take a sequence, named tuples their fields.
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, list | tuple):
        return type(value)(replaced(part, by) for part in value)
    if isinstance(value, dict):
        return {key: replaced(part, by) for key, part in value.items()}
    if isinstance(value, slice):
        return slice(*(replaced(part, by) for part in (value.start, value.stop, value.step)))
    return value


def differentiable(tensor: Tensor) -> bool:
    """Whether a tensor of this dtype can carry a gradient."""
    return tensor.is_floating_point() or tensor.is_complex()
