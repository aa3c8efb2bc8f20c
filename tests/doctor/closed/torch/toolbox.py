"""The user's own tools."""

from __future__ import annotations

import torch


class Digitiser:
    """An eight-level converter."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.step = low, (high - low) / 7

    def __call__(self, volts):
        level = (volts - self.low) / self.step
        whole = level.type(torch.int32)  # dies: cut cast
        return whole * self.step + self.low


class ScaleForgotten(torch.autograd.Function):
    """y = x * s, with the gradient of s left out."""

    @staticmethod
    def forward(ctx, x, s):
        ctx.save_for_backward(s)
        return x * s

    @staticmethod
    def backward(ctx, gradient):
        (s,) = ctx.saved_tensors
        return gradient * s, None
