"""Contract line 5: works unchanged under every transformation of its framework.

The cheap transformations cover the full product of operations × proxies × dtypes. What compiles one operation at a time
(torch.compile, 0.2 to 0.4 s each) covers here each operation and each proxy, and the product when slow tests run.
"""

from __future__ import annotations

import pytest

from conformance.product import DTYPES, ELEMENTWISE, EVERY, FIXED, OPERATIONS, PROXIES, Cell, adapter
from straightthrough import _registry
from straightthrough.testing import _numbers as num

DEFAULT = {name: _registry.operations[name].proxy.name for name in OPERATIONS}
PRODUCT = {
    "torch": ["vjp"],
    "jax": ["jit"],
    "tensorflow": ["function"],
}
"""Cheap enough for every operation with every proxy in every dtype."""

COVER = {
    "torch": [
        "no_grad",
        "inference_mode",
        "autocast",
        "grad",
        "jvp",
        "dual",
        "vmap",
        "checkpoint",
        "checkpoint_reentrant",
        "loop",
        "functionalize",
    ],
    "jax": ["grad", "jvp", "vmap", "checkpoint", "scan", "while_loop", "cond", "linearize"],
    "tensorflow": [
        "jit_compile",
        "function_autograph",
        "accumulator",
        "accumulator_function",
        "vectorized_map",
        "recompute_grad",
        "while_loop",
    ],
}
"""Every operation, and every proxy: in every dtype in PyTorch, which compiles nothing here; JAX and TensorFlow take two
seconds and more for each, so that a wide and a half dtype stand for the four until slow tests run."""

MATRICES = {
    "torch": ["jacrev", "jacfwd", "hessian", "double_backward"],
    "jax": ["jacrev", "jacfwd", "hessian", "grad_of_grad"],
    "tensorflow": ["jacobian", "nested_tapes", "nested_tapes_function", "accumulator_over_tape"],
}
"""Finite inputs only: a row of a Jacobian is 0 × slope beside the diagonal, nan where the slope is."""

DEAR = {
    "torch": ["compile_aot_eager", "compile_grad", "compile_vjp", "compile_jvp", "compile_vmap"],
    "jax": [],
    "tensorflow": [],
}


def covering(framework: str, dtype: str) -> list[Cell]:
    """Every operation with its default proxy, and every proxy with a threshold and with a rounding in turn."""
    cells = [Cell(framework, operation, DEFAULT[operation], dtype) for operation in OPERATIONS]
    hosts = ("heaviside", "round", "greater", "sign")
    return cells + [Cell(framework, hosts[i % 4], proxy, dtype) for i, proxy in enumerate(PROXIES)]


def product(framework: str, dtype: str) -> list[Cell]:
    return [Cell(framework, operation, proxy, dtype) for operation in OPERATIONS for proxy in PROXIES]


def run(ledger, transformation: str, cells: list[Cell], dtype: str, finite: bool = False) -> None:
    """Element-wise proxies at all inputs, the softmax at finite ones."""
    x = num.inputs(dtype, finite)
    ledger.run(transformation, [cell for cell in cells if cell.proxy != "softmax"], x, num.weights(x.size, dtype))
    x = num.inputs(dtype, finite=True)
    ledger.run(transformation, [cell for cell in cells if cell.proxy == "softmax"], x, num.weights(x.size, dtype))


def over(table: dict[str, list[str]], dtypes=DTYPES, slow: tuple[str, ...] = (), cheap: tuple[str, ...] = ()):
    """Framework, transformation and dtype as parameters; the dtypes in `slow` are left to the slow tests, but for the
    frameworks in `cheap`."""
    return pytest.mark.parametrize(
        ("framework", "transformation", "dtype"),
        [
            pytest.param(
                f,
                t,
                d,
                id=f"{f}-{t}-{d}",
                marks=[getattr(pytest.mark, f), *([pytest.mark.slow] if d in slow and f not in cheap else [])],
            )
            for f, names in table.items()
            for t in names
            for d in dtypes
        ],
    )


@over(PRODUCT)
def test_full_product_of_the_cheap_forms(ledger, framework, transformation, dtype):
    run(ledger, transformation, product(framework, dtype), dtype)


@over(COVER, slow=("float64", "float16"), cheap=("torch",))
def test_every_operation_and_every_proxy(ledger, framework, transformation, dtype):
    run(ledger, transformation, covering(framework, dtype), dtype)


@over({"torch": ["make_fx_functionalize"]}, slow=("float64", "float16"))
def test_traced_and_functionalised(ledger, framework, transformation, dtype):
    run(ledger, transformation, covering(framework, dtype), dtype)


@over(MATRICES, slow=("bfloat16", "float16"))
def test_jacobians_and_second_derivatives(ledger, framework, transformation, dtype):
    run(ledger, transformation, covering(framework, dtype), dtype, finite=True)


@over({"torch": ["compile_aot_eager", "compile_grad"]}, slow=("float64", "float16"))
def test_compiled_every_operation_and_every_proxy(ledger, framework, transformation, dtype):
    cells = covering(framework, dtype)
    # One quarter of the proxies a dtype, each in one: the slow product below has all of them.
    turn = DTYPES.index(dtype)
    run(ledger, transformation, [c for i, c in enumerate(cells) if i < len(OPERATIONS) or i % 4 == turn], dtype)


FEW = [
    ("round", "identity"),
    ("sign", "clipped_identity"),
    ("heaviside", "atan"),
    ("greater", "sigmoid"),
    ("one_hot_argmax", "softmax"),
]


@over(
    {"torch": ["compile_vjp", "compile_jvp", "compile_vmap", "compile_inductor", "compile_grad_inductor"]},
    slow=("float64", "float16"),
)
def test_compiled_pairs(ledger, framework, transformation, dtype):
    """One pair a dtype, in turn: the pairwise cover of the dearest forms."""
    turn = DTYPES.index(dtype)
    run(
        ledger,
        transformation,
        [Cell(framework, *FEW[turn], dtype), Cell(framework, *FEW[(turn + 1) % len(FEW)], dtype)],
        dtype,
    )


def test_compiled_functional_gradient_of_an_input_that_requires_none_is_not_zero(ledger):
    """Every library built on autograd.Function answers 0 here, in silence: Dynamo drops the backward."""
    pytest.importorskip("torch")
    for proxy in ("identity", "clipped_identity", "atan"):
        cell = Cell("torch", "sign", proxy, "float32")
        x = num.rounded([-0.4, 0.0, 0.7], "float32")
        module = adapter("torch")
        assert not cell.array(x).requires_grad
        (outcome,) = module.TRANSFORMATIONS["compile_grad"](
            [cell.function(x)], cell.array(x), cell.array([1.0, 2.0, 3.0])
        )
        wanted, off = cell.expected(x, num.rounded([1.0, 2.0, 3.0], "float32"), set())["gradient"]
        assert (abs(wanted) > 0).all()
        ledger.compare(cell, "compile_grad", "gradient", x, outcome["gradient"], wanted, off)


@pytest.mark.slow
@over(
    {**DEAR, "jax": ["jvp", "vmap", "checkpoint"], "tensorflow": ["jit_compile", "function_autograph", "accumulator"]}
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_full_product_of_the_dear_forms(ledger, framework, transformation, dtype, operation):
    run(ledger, transformation, [Cell(framework, operation, proxy, dtype) for proxy in PROXIES], dtype)


@pytest.mark.slow
@over({"torch": ["compile_inductor", "compile_grad_inductor"]})
def test_inductor_every_operation_and_every_proxy(ledger, framework, transformation, dtype):
    run(ledger, transformation, covering(framework, dtype), dtype)


@EVERY
def test_softmax_of_two_dimensions_under_a_map(ledger, framework, dtype):
    """A selection along its axis while the framework maps over another."""
    x = num.inputs(dtype, finite=True)
    cells = [
        Cell(framework, operation, "softmax", dtype)
        for operation in FIXED
        if operation in ("one_hot_argmax", "top_k_mask")
    ]
    name = {"torch": "vmap", "jax": "vmap", "tensorflow": "vectorized_map"}[framework]
    ledger.run(name, cells, x, num.weights(x.size, dtype))


@EVERY
def test_array_parameters_under_the_compilers(ledger, framework, dtype):
    """A traced, annealed width gives what the number gives."""
    import straightthrough as ste

    x = num.inputs(dtype)
    weight = num.weights(x.size, dtype)
    names = {
        "torch": ["vjp", "jvp", "compile_aot_eager"],
        "jax": ["jit", "jvp", "vmap"],
        "tensorflow": ["function", "jit_compile"],
    }
    proxies = [name for name in ELEMENTWISE if "width" in _registry.families[name].parameters]
    cells = [Cell(framework, "sign", name, dtype) for name in proxies]

    def function(cell):
        width = cell.array(1.0)
        return lambda array: ste.sign(array, proxy=_registry.families[cell.proxy](width=width))

    for name in names[framework]:
        outcomes = adapter(framework).TRANSFORMATIONS[name](
            [function(cell) for cell in cells], cells[0].array(x), cells[0].array(weight)
        )
        for cell, outcome in zip(cells, outcomes, strict=True):
            expected = cell.expected(x, weight, set())
            for quantity, got in outcome.items():
                ledger.compare(cell, f"{name}, array width", quantity, x, got, *expected[quantity])
