"""Which line of the user's a call came from."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterable
from types import FrameType

from straightthrough.programs._description import Place

_FRAMEWORKS = (
    "torch",
    "functorch",
    "tensorflow",
    "keras",
    "tf_keras",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "ml_dtypes",
    "straightthrough",
    "absl",
)
"""Packages whose frames are machinery: what a person wants to see is who called them."""


@functools.cache
def _machinery() -> tuple[str, ...]:
    """Folders of Python itself and of the frameworks."""
    folders = [sysconfig.get_paths()["stdlib"]]
    for name in _FRAMEWORKS:
        module = sys.modules.get(name)
        origin = getattr(module, "__file__", None)
        if origin:
            folders.append(os.path.dirname(origin))
    return tuple(os.path.join(folder, "") for folder in folders)


@functools.cache
def _is_machinery(file: str) -> bool:
    if file.startswith("<"):
        return True
    if f"{os.sep}site-packages{os.sep}" in file:
        package = file.split(f"{os.sep}site-packages{os.sep}")[-1].split(os.sep)[0].removesuffix(".py")
        return package in _FRAMEWORKS
    return file.startswith(_machinery())


def place_among(frames: Iterable[tuple[str, int, str, int | None]]) -> tuple[Place | None, Place | None]:
    """The user's line and, where it is another, the innermost line of a framework.

    Args:
        frames: (file, line, function, column) of a call, innermost first.
    """
    inside = None
    for file, line, function, column in frames:
        if not _is_machinery(file):
            return _place(file, line, function, column), inside
        if inside is None and not file.startswith("<"):
            inside = _place(file, line, function, column)
    return None, inside


def frames_from(frame: FrameType | None) -> Iterable[tuple[str, int, str, int | None]]:
    """The frames of a running call, innermost first, as `place_among` takes them."""
    while frame is not None:
        code = frame.f_code
        column = None
        if not _is_machinery(code.co_filename):
            column = _column(frame)
        yield code.co_filename, frame.f_lineno, code.co_qualname, column
        frame = frame.f_back


def _column(frame: FrameType) -> int | None:
    positions = list(frame.f_code.co_positions())
    where = frame.f_lasti // 2
    return positions[where][2] if where < len(positions) else None


def _place(file: str, line: int, function: str, column: int | None) -> Place:
    return Place(file, line, function, linecache.getline(file, line).strip(), column)
