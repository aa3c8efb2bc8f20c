"""straightthrough: gradients through operations that have none, on TensorFlow, PyTorch and JAX.

find where the gradient dies → fix it in one line → choose the proxy by measurement → train → ship the hard operator.

Importing this loads no framework: an operation finds its framework by the type of the array it is given.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from straightthrough import proxies as proxies
from straightthrough._errors import ArgumentError as ArgumentError
from straightthrough._errors import DataError as DataError
from straightthrough._errors import DtypeError as DtypeError
from straightthrough._errors import FrameworkError as FrameworkError
from straightthrough._errors import MissingDependencyError as MissingDependencyError
from straightthrough._errors import ShapeError as ShapeError
from straightthrough._errors import SteError as SteError
from straightthrough._errors import UnknownNameError as UnknownNameError
from straightthrough._errors import UnsupportedError as UnsupportedError
from straightthrough._hard import hard as hard
from straightthrough.core import Operation as Operation
from straightthrough.core import stop_gradient as stop_gradient
from straightthrough.core import straight_through as straight_through
from straightthrough.core import with_proxy as with_proxy
from straightthrough.rounding import ceil as ceil
from straightthrough.rounding import clip as clip
from straightthrough.rounding import floor as floor
from straightthrough.rounding import round as round
from straightthrough.rounding import stochastic_round as stochastic_round
from straightthrough.rounding import trunc as trunc
from straightthrough.selection import one_hot_argmax as one_hot_argmax
from straightthrough.selection import one_hot_argmin as one_hot_argmin
from straightthrough.selection import top_k_mask as top_k_mask
from straightthrough.thresholds import equal as equal
from straightthrough.thresholds import greater as greater
from straightthrough.thresholds import greater_equal as greater_equal
from straightthrough.thresholds import heaviside as heaviside
from straightthrough.thresholds import less as less
from straightthrough.thresholds import less_equal as less_equal
from straightthrough.thresholds import not_equal as not_equal
from straightthrough.thresholds import sign as sign
from straightthrough.thresholds import ternary as ternary

__version__ = "0.1.0"

if _TYPE_CHECKING:
    from straightthrough.ship import ship as ship

# The tools need more than the core does (a framework, matplotlib): each is loaded when it is first named.
_TOOLS = {"ship"}

__all__ = [
    "ArgumentError",
    "DataError",
    "DtypeError",
    "FrameworkError",
    "MissingDependencyError",
    "Operation",
    "ShapeError",
    "SteError",
    "UnknownNameError",
    "UnsupportedError",
    "ceil",
    "clip",
    "equal",
    "floor",
    "greater",
    "greater_equal",
    "hard",
    "heaviside",
    "less",
    "less_equal",
    "not_equal",
    "one_hot_argmax",
    "one_hot_argmin",
    "proxies",
    "round",
    "ship",
    "sign",
    "stochastic_round",
    "stop_gradient",
    "straight_through",
    "ternary",
    "top_k_mask",
    "trunc",
    "with_proxy",
]


def __getattr__(name: str) -> object:
    if name in _TOOLS:
        from importlib import import_module

        return import_module(f"straightthrough.{name}")  # a module that may be called: see straightthrough.ship
    raise AttributeError(f"module 'straightthrough' has no attribute {name!r}")
