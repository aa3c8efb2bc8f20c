"""TensorFlow's programs, Keras' among them: run eagerly, each operator met as it is executed."""

from __future__ import annotations

from typing import Any

from straightthrough.programs._description import Examination
from straightthrough.programs.tensorflow._examining import Examiner


def examine(loss: Any, params: Any, batch: tuple[Any, ...]) -> Examination:
    """Runs ``loss(params, *batch)`` once and measures every operator on the way; see `programs.examine`."""
    return Examiner(loss, params, batch).examination()
