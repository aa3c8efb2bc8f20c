"""Programs whose deaths are known: the doctor's examination."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Death:
    """A place marked ``# dies: kinds operators``."""

    file: str
    line: int
    kinds: tuple[str, ...]
    operators: tuple[str, ...]


@dataclass
class Case:
    """A program with what is known about it."""

    build: Callable[[], tuple[Any, Any, tuple[Any, ...]]]
    sick: bool
    parameters: dict[str, Any] | None
    fix: dict[str, Any] | None
    why_not: str
    elsewhere: tuple[Callable[..., Any], ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.build.__module__.rsplit('.', 1)[-1]}.{self.build.__name__}"

    def marked(self, word: str) -> list[Death]:
        """The lines marked ``# <word>: ...`` in the program and in the functions it names as ``elsewhere``."""
        found = []
        for function in (self.build, *self.elsewhere):
            lines, first = inspect.getsourcelines(function)
            file = inspect.getsourcefile(function) or ""
            for number, text in enumerate(lines, first):
                for kinds, operators in re.findall(rf"# {word}: (\S+)(?: (\S+))?", text):
                    found.append(Death(file, number, tuple(kinds.split("|")), tuple((operators or kinds).split("|"))))
        return found

    @property
    def deaths(self) -> list[Death]:
        return self.marked("dies")


cases: dict[str, list[Case]] = {}
"""By module name: ``tests.doctor.programs.torch.routing`` -> its programs."""


def _register(case: Case) -> None:
    cases.setdefault(case.build.__module__, []).append(case)


def sick(parameters: dict[str, Any], fix: dict[str, Any] | None = None, why_not: str = "", elsewhere: Any = ()) -> Any:
    def register(build: Any) -> Any:
        _register(Case(build, True, parameters, fix, why_not, tuple(elsewhere)))
        return build

    return register


def healthy(parameters: dict[str, Any] | None = None, elsewhere: Any = ()) -> Any:
    def register(build: Any) -> Any:
        _register(Case(build, False, parameters, None, "", tuple(elsewhere)))
        return build

    return register
