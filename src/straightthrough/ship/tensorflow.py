"""TensorFlow: a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from straightthrough._hard import hard
from straightthrough.ship.shipping import Exported, refuse_residue

FORMAT = "SavedModel"
SUFFIX = ""
EXECUTION = "compiled"

_RESIDUE = {"StopGradient", "PreventGradient"}
# They hold a value or hand it on; they compute nothing.
_BOOKKEEPING = {"Placeholder", "Const", "NoOp", "Identity", "ReadVariableOp"}


def version() -> str:
    """The framework and its version."""
    return f"tensorflow {tf.__version__}"


def loader() -> str:
    """The program that runs the file."""
    return """
import tensorflow as tf
model = tf.saved_model.load(path)
outputs = tf.nest.flatten(model(*[tf.constant(x) for x in inputs]))
"""


def export(model: Any, example: tuple[Any, ...], path: Path) -> Exported:
    """Writes the folder; returns what is in its graph, and the training model's outputs."""
    signature = [tf.TensorSpec(array.shape, array.dtype) for array in example]
    training = tf.function(lambda *arguments: model(*arguments), autograph=False, input_signature=signature)
    wanted = tf.nest.flatten(training.get_concrete_function()(*example))
    function = tf.function(lambda *arguments: hard(model)(*arguments), autograph=False, input_signature=signature)
    graph = function.get_concrete_function().graph
    nodes = list(_nodes(graph.as_graph_def()))
    refuse_residue([node.op for node in nodes if node.op in _RESIDUE])
    operations: dict[str, int] = {}
    for node in nodes:
        if node.op not in _BOOKKEEPING:
            operations[node.op] = operations.get(node.op, 0) + 1
    saved = tf.Module()
    saved.__call__ = function
    # The variables of a plain function belong to nothing that TensorFlow could follow.
    saved.model_variables = list(graph.variables)
    tf.saved_model.save(saved, str(path))
    return Exported(operations, [output.numpy() for output in wanted])


def _nodes(definition: Any) -> Iterator[Any]:
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def
