"""Tables, plots, HTML pages and results files, from plain data: lists, dictionaries, numbers and text.

Knows no framework, and nothing of the package but its errors. A file is imported when one of its names is first used,
because `import straightthrough` must stay fast and this package stands below nearly everything.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from straightthrough.report.colours import BAD, GOOD, PALETTE, colours_for
    from straightthrough.report.figures import save_png, svg
    from straightthrough.report.page import Page
    from straightthrough.report.plots import accuracy_bars, gradient_flow, loss_curves, value_and_slope
    from straightthrough.report.results import DamagedRecordWarning, Store, read_records
    from straightthrough.report.table import Cell, Column, Table, number
    from straightthrough.report.writing import read_json, write_bytes, write_json, write_text

_HOME = {
    "BAD": "colours",
    "GOOD": "colours",
    "PALETTE": "colours",
    "Cell": "table",
    "Column": "table",
    "DamagedRecordWarning": "results",
    "Page": "page",
    "Store": "results",
    "Table": "table",
    "accuracy_bars": "plots",
    "colours_for": "colours",
    "gradient_flow": "plots",
    "loss_curves": "plots",
    "number": "table",
    "read_json": "writing",
    "read_records": "results",
    "save_png": "figures",
    "svg": "figures",
    "value_and_slope": "plots",
    "write_bytes": "writing",
    "write_json": "writing",
    "write_text": "writing",
}

__all__ = [
    "BAD",
    "GOOD",
    "PALETTE",
    "Cell",
    "Column",
    "DamagedRecordWarning",
    "Page",
    "Store",
    "Table",
    "accuracy_bars",
    "colours_for",
    "gradient_flow",
    "loss_curves",
    "number",
    "read_json",
    "read_records",
    "save_png",
    "svg",
    "value_and_slope",
    "write_bytes",
    "write_json",
    "write_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
