"""The lecture's straight-through line in PyTorch, beside ours: same Jacobian [1, 0], not the same value.

    out = in + stop_gradient(result - in)

Run it: ``python examples/lecture_problem_op_torch.py``. It needs torch, and a C++ compiler for the last part.
"""

import torch

import straightthrough as ste
from straightthrough.torch import StraightThrough


def sign(x: torch.Tensor) -> torch.Tensor:
    """The operator that has no useful derivative."""
    return torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x))


class ProblemOp(torch.nn.Module):
    """The lecture's layer, its line unchanged but for the name of the input: ``in`` is a Python keyword."""

    def forward(self, in_):
        # Problem: the right-hand side of the definition of result is NOT differentiable
        result = sign(in_)
        # Straight-through estimator.
        out = in_ + (result - in_).detach()
        return out  # noqa: RET504 (the lecture's own return is outside the method)


def jacobian(function) -> list[float]:
    """∂out/∂[in, result] where in = 0.3 and result = 1, by reverse mode."""
    row = torch.func.jacrev(function, argnums=(0, 1))(torch.tensor(0.3), torch.tensor(1.0))
    return [entry.item() for entry in row]


def operators_in_export(layer: torch.nn.Module) -> list[str]:
    """The calls that torch.export writes down for inference."""
    graph = torch.export.export(layer.eval(), (torch.tensor([0.3, -2.0]),)).graph
    return [str(node.target).removeprefix("aten.") for node in graph.nodes if node.op == "call_function"]


def compiled(layer: torch.nn.Module, x: torch.Tensor) -> list[float] | None:
    """The layer's values from torch.compile's default compiler; None where this machine has no C++ compiler."""
    try:
        return torch.compile(layer)(x).tolist()
    except torch._inductor.exc.InductorError:
        return None


def main(with_compiler: bool = True) -> dict:
    theirs, ours = ProblemOp(), StraightThrough(sign, proxy="identity")
    numbers = {}
    print("Jacobian of out with respect to [in, result]:")
    numbers["jacobian_textbook"] = jacobian(lambda in_, result: in_ + (result - in_).detach())
    numbers["jacobian_ours"] = jacobian(lambda in_, result: ste.straight_through(result, proxy=in_))
    print("  the line", numbers["jacobian_textbook"], "  ours", numbers["jacobian_ours"])

    print("What the line gets wrong: it should copy result to out, and does so only nearly.")
    large = torch.tensor([258.0, 516.0], dtype=torch.bfloat16)
    infinite = torch.tensor([float("inf")])
    for name, x in (("bfloat16", large), ("infinity", infinite)):
        numbers[f"{name}_textbook"], numbers[f"{name}_ours"] = theirs(x).tolist(), ours(x).tolist()
        print(f"  sign({x.tolist()}): the line {numbers[f'{name}_textbook']}, ours {numbers[f'{name}_ours']}")
    x = torch.tensor(-0.3, requires_grad=True)
    zeros = [x + (torch.round(x) - x).detach(), ste.round(x)]
    numbers["minus_zero"] = [str(zero.item()) for zero in zeros]
    print("  round(-0.3): the line {}, ours {}".format(*numbers["minus_zero"]))

    numbers["export_textbook"], numbers["export_ours"] = map(operators_in_export, (theirs, ours))
    print("  exported by the line:", ", ".join(numbers["export_textbook"]))
    print("  exported by ours:    ", ", ".join(numbers["export_ours"]))
    if with_compiler:
        ours.train()
        numbers["compiled_textbook"], numbers["compiled_ours"] = compiled(theirs, large), compiled(ours, large)
        print(f"  sign({large.tolist()}) compiled: the line {numbers['compiled_textbook']}, which was")
        print(f"    {numbers['bfloat16_textbook']} before compilation; ours {numbers['compiled_ours']} both times")
    return numbers


if __name__ == "__main__":
    main()
