"""The contract as functions: hold your own operators and proxies to what the ready ones are held to.

`check_operation` and `check_proxy` raise `ConformanceError` with every failed check, or return a `Report` with the
counts. They need numpy, and run on the frameworks that you have imported.
"""

from straightthrough.testing._frameworks import adapter as _adapter
from straightthrough.testing._operations import check_operation as check_operation
from straightthrough.testing._proxies import check_proxy as check_proxy
from straightthrough.testing._report import ConformanceError as ConformanceError
from straightthrough.testing._report import Report as Report


def transformations(framework: str) -> list[str]:
    """Names of what `check_operation` can put around an operation on this framework.

    Args:
        framework: ``"torch"``, ``"jax"`` or ``"tensorflow"``.

    Example:
        >>> "vmap" in transformations("torch")
        True
    """
    return list(_adapter(framework).transformations)
