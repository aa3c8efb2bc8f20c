"""The derivative of one call with respect to each of its inputs, measured through the loss's own graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from straightthrough.programs._description import Edge
from straightthrough.programs.torch._levels import lowest_level
from straightthrough.programs.torch._numbers import Cotangents, is_finite, zeros_in

Tensor = torch.Tensor

Handle = Any
"""A tensor, or where it is about to be written to, its place in the graph."""


class NoDerivativeError(Exception):
    """The framework has no derivative for the operator, and would say so in the backward pass."""


def pulled_back(result: Tensor, inputs: Sequence[Handle], cotangents: Cotangents) -> list[Tensor | None]:
    """A random cotangent of the result, brought to each input; None where the graph has no way there.

    Raises:
        NoDerivativeError: an operator has none.
    """
    if not result.requires_grad or not inputs:
        return [None] * len(inputs)
    try:
        with lowest_level():
            cotangent = cotangents.like(result)
            return list(torch.autograd.grad([result], inputs, [cotangent], retain_graph=True, allow_unused=True))
    except NotImplementedError as error:
        raise NoDerivativeError(str(error)) from error
    except RuntimeError as error:
        if "not implemented" in str(error):
            raise NoDerivativeError(str(error)) from error
        raise


def edge_of(source: int, gradient: Tensor | None) -> Edge:
    """What a derivative tells by itself."""
    if gradient is None:
        return Edge(source, "absent", 1.0)
    if gradient.is_sparse:
        gradient = gradient.coalesce().values()
    count = max(gradient.numel(), 1)
    if not is_finite(gradient):
        bad = gradient.numel() - int(torch.isfinite(gradient).sum())
        return Edge(source, "non_finite", bad / count)
    zeros = zeros_in(gradient)
    if zeros == gradient.numel():
        return Edge(source, "zero", 1.0)
    return Edge(source, "passes", zeros / count)
