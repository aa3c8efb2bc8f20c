"""The frames behind an equation: whose code they are, the user's line, and the library function that was called."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import jax
from jax._src import source_info_util

from straightthrough.programs._description import Place
from straightthrough.programs._places import _is_machinery, place_among

_JAX = os.path.join(os.path.dirname(jax.__file__), "")
_GROUPED = tuple(os.path.join(_JAX, "_src", part) for part in ("numpy", "nn", "random", "scipy", "image", "ops"))
"""Where functions stand that a user thinks of as one operator, though they are made of several."""

Frame = tuple[CodeType, int]


@functools.cache
def owner(file: str) -> str:
    """``"jax"``, ``"machinery"`` (other frameworks, Python itself), or ``"user"``."""
    if file.startswith(_JAX) or f"{os.sep}jaxlib{os.sep}" in file:
        return "jax"
    return "machinery" if _is_machinery(file) else "user"


def frames(equation: Any) -> list[Frame]:
    """Of the call that made an equation, innermost first."""
    traceback = equation.source_info.traceback
    if traceback is None:
        return []
    codes, offsets = traceback.raw_frames()
    return list(zip(codes, offsets, strict=True))


def users_frame(found: list[Frame]) -> Frame | None:
    """The innermost frame of the user's."""
    return next((frame for frame in found if owner(frame[0].co_filename) == "user"), None)


def entry(found: list[Frame]) -> CodeType | None:
    """The function of JAX's that the user (or another framework) called, if it is one that is known as an operator."""
    last = None
    for code, _ in found:
        if owner(code.co_filename) != "jax":
            break
        last = code
    if last is None or not last.co_filename.startswith(_GROUPED):
        return None
    return last


def places(equation: Any) -> tuple[Place | None, Place | None]:
    """The user's line and, where it is another, the line of the framework (not of JAX itself) that called."""
    return place_among(_located(frames(equation)))


def _located(found: list[Frame]) -> Iterator[tuple[str, int, str, int | None]]:
    for code, offset in found:
        if owner(code.co_filename) == "jax":
            continue
        frame = source_info_util.raw_frame_to_frame(code, offset)
        yield frame.file_name, frame.start_line, frame.function_name, frame.start_column


def is_library(jaxpr: Any) -> bool:
    """Whether a sub-function is JAX's own: defined there, and nothing of the user's called in it."""
    file, name = jaxpr.debug_info.func_filename, jaxpr.debug_info.func_name
    return file is not None and owner(file) == "jax" and not _calls_user(jaxpr, file, name)


def _calls_user(jaxpr: Any, file: str, name: str) -> bool:
    for equation in jaxpr.eqns:
        for code, _ in frames(equation):
            if code.co_filename == file and code.co_name == name:
                break
            if owner(code.co_filename) == "user":
                return True
    return False


def same_caller(jaxpr: Any, equation: Any) -> bool:
    """Whether a loop's body holds no code of the user's beyond the line that called the loop."""
    called = users_frame(frames(equation))
    code = called[0] if called else None
    return all((inner := users_frame(frames(eqn))) is None or inner[0] is code for eqn in _all_equations(jaxpr))


def _all_equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for inner in subfunctions(equation):
            yield from _all_equations(inner)


def subfunctions(equation: Any) -> Iterator[Any]:
    """The jaxprs in an equation's parameters."""
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            inner = getattr(item, "jaxpr", item)
            if hasattr(inner, "eqns"):
                yield inner


def scope_of(equation: Any, find: Callable[[str], int | None]) -> int | None:
    """The number of the operation of ours whose call made this equation."""
    stack = equation.source_info.name_stack
    return find(str(stack)) if stack.stack else None
