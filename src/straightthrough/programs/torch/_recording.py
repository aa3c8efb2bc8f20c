"""The nodes of a run: their places, what was measured of them, and the loss gradient that arrives at each."""

from __future__ import annotations

import dis
import os
import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from straightthrough.programs._description import Edge, Node, Place
from straightthrough.programs._names import canonical
from straightthrough.programs._places import _is_machinery, frames_from, place_among
from straightthrough.programs.torch._numbers import norm

Tensor = torch.Tensor

_GRAD_MODE = (os.path.join("torch", "autograd", "grad_mode.py"), os.path.join("torch", "utils", "_contextlib.py"))
_SIGNS = {"lt": "<", "gt": ">", "le": "<=", "ge": ">="}


@dataclass(frozen=True)
class DeadInput:
    """Where a dead edge begins, to be given a gradient when one asks what could be revived."""

    node: int
    handle: GradientEdge
    like: tuple[tuple[int, ...], torch.dtype, torch.device]


@dataclass
class Recording:
    """What one run told."""

    nodes: list[Node] = field(default_factory=list)
    parameter_nodes: dict[int, int] = field(default_factory=dict)
    """The position of a parameter -> its node."""
    dead_inputs: list[DeadInput] = field(default_factory=list)
    gradients: dict[int, float] = field(default_factory=dict)
    moments: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Mean and standard deviation of what a hard operator was given, by its node."""
    listening: bool = False
    """Whether the loss's own backward pass runs: hooks fire in measurements too."""
    _places: dict[Any, tuple[Place | None, Place | None]] = field(default_factory=dict)

    def place(self) -> tuple[Place | None, Place | None]:
        """The line of the user's that is running, and the framework's line that it called."""
        frame: FrameType | None = sys._getframe(1)
        key: list[Any] = []
        start = None
        while frame is not None:
            file = frame.f_code.co_filename
            ours = f"{os.sep}straightthrough{os.sep}programs{os.sep}" in file or file.endswith(
                os.path.join("torch", "overrides.py")
            )
            if not ours:
                start = start or frame
                key.append((frame.f_code, frame.f_lasti))
                if not _is_machinery(file):
                    break
            frame = frame.f_back
        found = self._places.get(tuple(key))
        if found is None:
            found = self._places[tuple(key)] = _without_grad_mode(place_among(frames_from(start)))
        return found

    def compares_otherwise(self, name: str) -> bool:
        """Whether the running line compares, and by another sign than ``name``."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and _is_machinery(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is None or frame.f_lasti < 0:
            return False
        found = next((i for i in dis.get_instructions(frame.f_code) if i.offset == frame.f_lasti), None)
        if found is None or found.opname != "COMPARE_OP":
            return False
        return found.argrepr.removeprefix("bool(").rstrip(")") != _SIGNS[name]

    def add(self, native: str, places: tuple[Place | None, Place | None], edges: list[Edge], **facts: Any) -> Node:
        """A new node."""
        place, inside = places
        operator = facts.pop("operator", None) or canonical(native)
        node = Node(len(self.nodes), operator, native, place, inside, edges, **facts)
        self.nodes.append(node)
        return node

    def listen(self, tensor: Tensor, index: int) -> None:
        """Notes the norm of the loss gradient that arrives at a result."""

        def hear(gradient: Tensor | None) -> None:
            if self.listening and gradient is not None:
                self.gradients[index] = norm(gradient)

        tensor.register_hook(hear)


def _without_grad_mode(places: tuple[Place | None, Place | None]) -> tuple[Place | None, Place | None]:
    place, inside = places
    return place, None if inside is not None and inside.file.endswith(_GRAD_MODE) else inside


def dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
