"""The lecture's straight-through line in JAX, beside ours: same Jacobian [1, 0], not the same value.

    out = in + stop_gradient(result - in)

Run it: ``python examples/lecture_problem_op_jax.py``. It needs jax and flax.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.lax import stop_gradient

import straightthrough as ste
from straightthrough.flax import StraightThrough


def sign(x: jax.Array) -> jax.Array:
    """The operator that has no useful derivative."""
    return jnp.where(x >= 0, jnp.ones_like(x), -jnp.ones_like(x))


class ProblemOp(nnx.Module):
    """The lecture's layer, its line unchanged but for the name of the input: ``in`` is a Python keyword."""

    def __call__(self, in_):
        # Problem: the right-hand side of the definition of result is NOT differentiable
        result = sign(in_)
        # Straight-through estimator.
        out = in_ + stop_gradient(result - in_)
        return out  # noqa: RET504 (the lecture's own return is outside the method)


def jacobian(function) -> list[float]:
    """∂out/∂[in, result] where in = 0.3 and result = 1, by reverse mode."""
    row = jax.jacobian(function, argnums=(0, 1))(jnp.float32(0.3), jnp.float32(1.0))
    return [float(entry) for entry in row]


def operators_in_export(layer: nnx.Module) -> list[str]:
    """The operations of the layer's StableHLO module in inference."""
    layer.eval()
    text = jax.jit(lambda x: layer(x)).lower(jnp.ones(2)).as_text()
    words = [word for line in text.splitlines() for word in line.split() if word.startswith("stablehlo.")]
    return [word.removeprefix("stablehlo.") for word in words if word != "stablehlo.constant"]


def main() -> dict:
    theirs, ours = ProblemOp(), StraightThrough(sign, proxy="identity")
    numbers = {}
    print("Jacobian of out with respect to [in, result]:")
    numbers["jacobian_textbook"] = jacobian(lambda in_, result: in_ + stop_gradient(result - in_))
    numbers["jacobian_ours"] = jacobian(lambda in_, result: ste.straight_through(result, proxy=in_))
    print("  the line", numbers["jacobian_textbook"], "  ours", numbers["jacobian_ours"])

    print("What the line gets wrong: it should copy result to out, and does so only nearly.")
    large, infinite = jnp.array([258.0, 516.0], jnp.bfloat16), jnp.array([jnp.inf])
    for name, x in (("bfloat16", large), ("infinity", infinite)):
        numbers[f"{name}_textbook"], numbers[f"{name}_ours"] = theirs(x).tolist(), ours(x).tolist()
        print(f"  sign({x.tolist()}): the line {numbers[f'{name}_textbook']}, ours {numbers[f'{name}_ours']}")
    x = jnp.float32(-0.3)
    zeros = [x + stop_gradient(jnp.round(x) - x), ste.round(x)]
    numbers["minus_zero"] = [str(float(zero)) for zero in zeros]
    print("  round(-0.3): the line {}, ours {}".format(*numbers["minus_zero"]))
    numbers["compiled_textbook"], numbers["compiled_ours"] = (jax.jit(one)(large).tolist() for one in (theirs, ours))
    print(
        f"  sign({large.tolist()}) under jit: the line {numbers['compiled_textbook']}, ours {numbers['compiled_ours']}"
    )

    numbers["export_textbook"], numbers["export_ours"] = map(operators_in_export, (theirs, ours))
    print("  exported by the line:", ", ".join(numbers["export_textbook"]))
    print("  exported by ours:    ", ", ".join(numbers["export_ours"]))
    return numbers


if __name__ == "__main__":
    main()
