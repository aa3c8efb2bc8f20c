"""Doctor: where the loss gradient dies in a program, why, which parameters lose by it, and the line to write instead.

`straightthrough.doctor(loss, params, *batch)` runs the program once and returns a `Diagnosis`. This package is itself
that function: `ste.doctor` may be called.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from straightthrough.doctor.diagnosis import Diagnosis as Diagnosis
from straightthrough.doctor.diagnosis import UnhealthyError as UnhealthyError
from straightthrough.doctor.diagnosis import diagnose as diagnose
from straightthrough.doctor.findings import Finding as Finding
from straightthrough.doctor.parameters import ParameterStatus as ParameterStatus
from straightthrough.programs import examine

__all__ = ["Diagnosis", "Finding", "ParameterStatus", "UnhealthyError", "assert_gradient_reaches", "doctor"]


def doctor(loss: Any, params: Any, *batch: Any) -> Diagnosis:
    """Finds where the loss gradient dies in a program, on TensorFlow/Keras, PyTorch and JAX/Flax.

    Runs ``loss(params, *batch)`` as it is, and measures each operator's derivative at this batch and nearby. Nothing of
    yours is changed: training mode, random state, gradients and buffers are as before.

    Args:
        loss: a function of the parameters and the batch that returns a scalar.
        params: an ``nn.Module``, a ``keras.Model``, an ``nnx.Module``, or arrays in lists, tuples and dictionaries; the
            loss gets it unchanged.
        batch: what else the loss takes.

    Returns:
        A `Diagnosis`: prints as tables; ``.to_html(path)``, ``.to_json(path)``, ``.assert_healthy()``.

    Raises:
        FrameworkError: no framework is recognised by ``params``.
        ArgumentError: the loss does not return a scalar, or there are no parameters.

    An exception of the loss itself is not caught.

    Example:
        >>> import torch
        >>> w = torch.tensor([0.4, 1.6], requires_grad=True)
        >>> diagnosis = doctor(lambda w: torch.round(w).sum(), w)
        >>> diagnosis.findings[0].kind, diagnosis.findings[0].operator
        ('flat', 'round')
    """
    return diagnose(examine(loss, params, *batch))


def assert_gradient_reaches(loss: Any, params: Any, *batch: Any) -> None:
    """For tests: raises `UnhealthyError`, an AssertionError, if a parameter loses its gradient."""
    doctor(loss, params, *batch).assert_healthy()


class _Callable(ModuleType):
    """Importing `straightthrough.doctor` puts this module where the function of that name belongs: it must be both."""

    __call__ = staticmethod(doctor)


sys.modules[__name__].__class__ = _Callable
