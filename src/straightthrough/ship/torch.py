"""PyTorch: a program of torch.export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from straightthrough._hard import hard
from straightthrough.ship.shipping import Exported, refuse_residue

FORMAT = "torch.export program"
SUFFIX = ".pt2"
EXECUTION = "eager"

# They change no value: all they do is stop a gradient.
_RESIDUE = ("aten.detach", "aten.detach_", "aten.alias")


class _HardOnly(nn.Module):
    """The model, run with its hard operators only; torch.export asks for a module."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, *arguments: Tensor) -> Any:
        return hard(self.model)(*arguments)


def version() -> str:
    """The framework and its version."""
    return f"torch {torch.__version__}"


def loader() -> str:
    """The program that runs the file; with the same threads, because their number decides how a sum is rounded."""
    return f"""
import torch
torch.set_num_threads({torch.get_num_threads()})
model = torch.export.load(path).module()
with torch.no_grad():
    outputs = model(*[torch.from_numpy(x) for x in inputs])
outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
"""


def export(model: Any, example: tuple[Tensor, ...], path: Path) -> Exported:
    """Writes the file; returns what is in its graph, and the training model's outputs."""
    wanted = pytree.tree_leaves(model(*example))
    program = torch.export.export(_HardOnly(model), tuple(array.detach() for array in example))
    operations: dict[str, int] = {}
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            if node.op == "call_function":
                name = _name(node.target)
                operations[name] = operations.get(name, 0) + 1
    refuse_residue([name for name in operations if name in _RESIDUE or "autograd_function" in name])
    torch.export.save(program, path)
    return Exported(operations, [output.detach().cpu().numpy() for output in wanted])


def _name(target: Any) -> str:
    """``aten.linear.default`` -> ``aten.linear``."""
    return str(target).removesuffix(".default")
