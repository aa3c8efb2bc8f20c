"""Contract line 6: in inference and in an exported graph only the hard operator is left."""

from __future__ import annotations

import re

import pytest

import straightthrough as ste
from conformance.product import CLIP, FIXED, Cell, K, adapter
from straightthrough import _registry

DEFAULT = {name: _registry.operations[name].proxy.name for name in FIXED}
ARGUMENTS = {
    "clip": CLIP,
    "top_k_mask": (K,),
    **dict.fromkeys(["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"], (0.5,)),
}
X = [[-1.5, -0.5, 0.0, 0.5, 2.5, 0.25]]


def called(operation: str, hard: bool = False):
    function = getattr(ste, operation)
    arguments = ARGUMENTS.get(operation, ())
    return (lambda x: ste.hard(function)(x, *arguments)) if hard else (lambda x: function(x, *arguments))


def bare(operation: str, table):
    """The hard rule itself, which is what a graph may hold."""
    rule, arguments = _registry.operations[operation].hard, ARGUMENTS.get(operation, ())
    return lambda x: rule(table, x, *arguments)


def cell_of(framework: str, operation: str) -> Cell:
    return Cell(framework, operation, DEFAULT[operation], "float32")


@pytest.mark.torch
@pytest.mark.parametrize("operation", FIXED)
@pytest.mark.parametrize("requires_grad", [False, True], ids=["plain", "requires_grad"])
def test_torch_export_holds_the_hard_operator_only(ledger, operation, requires_grad):
    import torch

    from straightthrough._backends import table_of

    def targets(function):
        class Module(torch.nn.Module):
            def forward(self, x):
                return function(x)

        x = torch.tensor(X).requires_grad_(requires_grad)
        graph = torch.export.export(Module(), (x,)).graph
        return [str(node.target) for node in graph.nodes if node.op == "call_function"]

    got, wanted = targets(called(operation)), targets(bare(operation, table_of("torch")))
    ledger.note(cell_of("torch", operation), "export", got == wanted, f"exported {got}, the hard operator is {wanted}")
    residue = [name for name in got if re.search(r"\b(detach|alias|view_as)", name)]
    ledger.note(cell_of("torch", operation), "export", not residue, f"left over: {residue}")


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operation", FIXED)
def test_onnx_holds_the_hard_operator_only(ledger, operation):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    from straightthrough._backends import table_of

    def nodes(function):
        class Module(torch.nn.Module):
            def forward(self, x):
                return function(x)

        program = torch.onnx.export(Module(), (torch.tensor(X),), dynamo=True, verbose=False)
        return sorted(node.op_type for node in program.model.graph)

    got, wanted = nodes(called(operation)), nodes(bare(operation, table_of("torch")))
    ledger.note(cell_of("torch", operation), "onnx", got == wanted, f"exported {got}, the hard operator is {wanted}")


@pytest.mark.torch
@pytest.mark.parametrize("operation", FIXED)
def test_torch_without_a_gradient_returns_the_plain_result(ledger, operation):
    import torch

    for name, context in (("no_grad", torch.no_grad()), ("inference_mode", torch.inference_mode())):
        x = torch.tensor(X, requires_grad=True)
        with context:
            y = called(operation)(x)
        ledger.note(
            cell_of("torch", operation), name, y.grad_fn is None and not y.requires_grad, f"grad_fn {y.grad_fn}"
        )
    y = called(operation, hard=True)(torch.tensor(X, requires_grad=True))
    ledger.note(
        cell_of("torch", operation),
        "hard",
        type(y.grad_fn).__name__ not in ("_SlopeBackward", "_IdentityBackward"),
        f"{y.grad_fn}",
    )


def operations_in(text: str) -> list[str]:
    return sorted(re.findall(r"\b(?:stablehlo|chlo)\.(\w+)", text))


@pytest.mark.jax
@pytest.mark.parametrize("operation", FIXED)
def test_jax_export_of_the_hard_function(ledger, operation):
    import jax
    import jax.numpy as jnp

    from straightthrough._backends import table_of

    x = jnp.asarray(X)

    def exported(function):
        return jax.export.export(jax.jit(function))(x).mlir_module()

    got, wanted = exported(called(operation, hard=True)), exported(bare(operation, table_of("jax")))
    good = operations_in(got) == operations_in(wanted)
    ledger.note(
        cell_of("jax", operation), "export", good, f"StableHLO {operations_in(got)}, wanted {operations_in(wanted)}"
    )
    # The operation itself, differentiable as it is: XLA drops what only a derivative needs.
    compiled = [jax.jit(f).lower(x).compile().as_text() for f in (called(operation), bare(operation, table_of("jax")))]
    counts = [len(re.findall(r"^\s+(?:ROOT )?[%\w.-]+ = ", text, re.MULTILINE)) for text in compiled]
    ledger.note(
        cell_of("jax", operation),
        "compiled",
        counts[0] == counts[1],
        f"HLO holds {counts[0]} instructions for {counts[1]}",
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize("operation", FIXED)
def test_tensorflow_graph_of_the_hard_function(ledger, operation):
    import tensorflow as tf

    from straightthrough._backends import table_of

    def nodes(function):
        program = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec([1, 6], tf.float32))
        return sorted(op.type for op in program.graph.get_operations())

    got, wanted = nodes(called(operation, hard=True)), nodes(bare(operation, table_of("tensorflow")))
    ledger.note(cell_of("tensorflow", operation), "function", got == wanted, f"graph holds {got}, wanted {wanted}")


@pytest.mark.parametrize("framework", ["torch", "jax", "tensorflow"])
def test_hard_gives_the_same_values(ledger, framework):
    for operation in FIXED:
        cell = cell_of(framework, operation)
        x = adapter(framework).array(X, "float32")
        soft, hard = called(operation)(x), called(operation, hard=True)(x)
        ledger.compare(cell, "hard", "value", X, hard, adapter(framework).numbers(soft))
