"""Ship: a trained model in its framework's own format, with the hard operators only, checked in a fresh process.

`straightthrough.ship(model, example, path)` writes the file, looks at every operation in it, and loads it again where
straightthrough cannot be imported. This package is itself that function: `ste.ship` may be called.
"""

from __future__ import annotations

import sys
from types import ModuleType

from straightthrough.ship.shipped import Shipped as Shipped
from straightthrough.ship.shipping import ship as ship

__all__ = ["Shipped", "ship"]


class _Callable(ModuleType):
    """Importing `straightthrough.ship` puts this module where the function of that name belongs: it must be both."""

    __call__ = staticmethod(ship)


sys.modules[__name__].__class__ = _Callable
