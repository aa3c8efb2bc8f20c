"""The errors of straightthrough, and the one builder of their sentences.

SteError
├── ArgumentError         a value out of its range, or of the wrong kind          (also a ValueError)
│   ├── ShapeError        shapes that do not fit together
│   └── UnknownNameError  no operation, proxy or estimator of that name
├── DtypeError            a dtype that cannot carry a gradient, or that is too wide (also a TypeError)
├── FrameworkError        not an array of a framework, or arrays of two frameworks  (also a TypeError)
├── UnsupportedError      a framework cannot do it; says which, and the way around  (also a NotImplementedError)
├── MissingDependencyError  an optional package is not installed                    (also an ImportError)
└── DataError             a data or results file that is missing, damaged or too new
"""

from __future__ import annotations

from collections.abc import Iterable


class SteError(Exception):
    """Every error that straightthrough raises itself."""


class ArgumentError(SteError, ValueError):
    """An argument has a value, or is of a kind, that the function does not take."""


class ShapeError(ArgumentError):
    """Two arrays have shapes that do not fit together."""


class UnknownNameError(ArgumentError):
    """No operation, proxy or estimator has this name."""


class DtypeError(SteError, TypeError):
    """An array has a dtype that cannot carry a gradient, or that is wider than its proxy's."""


class FrameworkError(SteError, TypeError):
    """Something is not an array of TensorFlow, PyTorch or JAX, or the arrays belong to two of them."""


class UnsupportedError(SteError, NotImplementedError):
    """The framework cannot do this; the message says why, and the way around."""


class MissingDependencyError(SteError, ImportError):
    """An optional package is needed and is not installed."""


class DataError(SteError):
    """A data or results file is missing, damaged, or of a newer format."""


def wrong(function: str, argument: str, wanted: str, got: str, remedy: str = "") -> str:
    """The one form of our sentences: ``function: argument must be WANTED, got GOT; REMEDY``."""
    return f"{function}: {argument} must be {wanted}, got {got}" + (f"; {remedy}" if remedy else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'relu'?``, or the list of what there is when nothing is near."""
    import difflib  # only needed once something is already wrong

    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"


# torch.compile cannot trace the search, and would bury our sentence under its own: it takes the answer as a constant.
nearest._dynamo_marked_constant = True  # type: ignore[attr-defined]


def kind_of(value: object) -> str:
    """What a wrong value is: itself where Python knows it (``None``, ``'text'``, ``3``), else the name of its class."""
    kind = type(value)
    return short(value) if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def short(value: object, limit: int = 60) -> str:
    """A value as it can stand inside one sentence."""
    text = repr(value).replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 3] + "..."
