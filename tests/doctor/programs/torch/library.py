"""A helper of the user's, in a file of its own."""

from __future__ import annotations

import torch


def to_grid(points, pitch):
    """Snap to a grid."""
    steps = points / pitch
    return torch.round(steps) * pitch  # dies: flat round


class OneBit(torch.autograd.Function):
    """Somebody meant to write the slope later."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        return torch.zeros_like(gradient)
