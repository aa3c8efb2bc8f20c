"""What `ship` says about the file that it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from straightthrough.report import Cell, Table


@dataclass(frozen=True)
class Shipped:
    """A shipped model and what was found out about it.

    Attributes:
        path: the file, or the folder of a SavedModel.
        framework: "torch", "jax" or "tensorflow", with its version.
        format: the framework's own name for the format.
        size: bytes on the disk.
        operations: how often each operation stands in the shipped graph.
        equal: whether every output of the fresh process was bitwise that of the training model.
        compared: how many numbers were compared.
        largest_difference: 0 where they are equal; nan where a number became nan, or a shape changed.
        execution: how both were run, "eager" or "compiled": a compiler may round differently.
        loader: the program that ran the file in a fresh process, in which straightthrough could not be imported.
        outputs: what the fresh process computed, as numpy arrays.
    """

    path: Path
    framework: str
    format: str
    size: int
    operations: dict[str, int]
    equal: bool
    compared: int
    largest_difference: float
    execution: str
    loader: str
    outputs: list[Any]

    def table(self) -> Table:
        """The findings, a row each."""
        same = "bitwise equal" if self.equal else f"differ by up to {self.largest_difference:.3g}"
        counts = ", ".join(f"{name} × {count}" for name, count in self.operations.items())
        rows: list[list[Any]] = [
            ["file", f"{self.path.name}, {self.size:,} bytes"],
            ["format", f"{self.format}, {self.framework}"],
            ["operations", counts],
            ["proxies left", Cell(0, mark="good", text="none")],
            [
                "in a fresh process",
                Cell(f"{self.compared:,} outputs {same}", mark="good" if self.equal else "bad"),
            ],
            ["both run", self.execution],
        ]
        caption = "the fresh process could not import straightthrough"
        return Table("The shipped model", ["what", "found"], rows, caption)

    def to_dict(self) -> dict[str, Any]:
        """The findings as plain data, without the outputs."""
        plain = {name: value for name, value in vars(self).items() if name != "outputs"}
        return {**plain, "path": str(self.path)}

    def __str__(self) -> str:
        return self.table().to_text()
