"""Healthy: simulations, statistics and solvers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from doctor.catalogue import healthy


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(700 + seed).normal(size=shape), jnp.float32)


@healthy()
def periodic_box():
    """The nearest image of each particle is found with a rounding, which moves no slope but the box's."""
    params = {"positions": 3 * normal(0, 6, 2), "box": jnp.float32(2.5)}

    def loss(params):
        delta = params["positions"][:, None] - params["positions"][None]
        delta = delta - params["box"] * jnp.round(delta / params["box"])
        squared = jnp.sum(delta**2, axis=-1)
        return jnp.mean(jnp.exp(-squared)) + 0.1 * jnp.mean(squared)

    return loss, params, ()


@healthy()
def table_between_cells():
    """Linear interpolation: the cell's number is an integer, the rest within the cell is live."""
    params = {"places": jnp.linspace(0.35, 6.6, 9), "table": normal(0, 8)}

    def loss(params, wanted):
        left = jnp.floor(params["places"])
        rest = params["places"] - left
        i = left.astype(jnp.int32)
        value = (1 - rest) * params["table"][i] + rest * params["table"][i + 1]
        return jnp.mean((value - wanted) ** 2)

    return loss, params, (normal(1, 9),)


@healthy()
def penalty_contact():
    """A ball on a spring-like ground: the contact is a where of live branches."""
    params = {"stiffness": jnp.float32(80.0), "ground": jnp.float32(0.1), "speed": jnp.float32(0.0)}

    def loss(params, target):
        def step(state, _):
            y, v = state
            depth = params["ground"] - y
            force = jnp.where(depth > 0, params["stiffness"] * depth, 0.0)
            v = v + 0.02 * (force - 9.81)
            return (y + 0.02 * v, v), y

        _, path = jax.lax.scan(step, (jnp.float32(0.5), params["speed"]), None, length=40)
        return jnp.mean((path - target) ** 2)

    return loss, params, (jnp.float32(0.3),)


@healthy()
def quantile_regression():
    """A pinball loss and a trimmed mean by a sort of generic numbers."""
    params = {"w": normal(0, 4), "b": jnp.float32(0.2)}
    x, y = normal(1, 21, 4), normal(2, 21)

    def loss(params, x, y):
        r = y - x @ params["w"] - params["b"]
        pinball = jnp.mean(jnp.maximum(0.9 * r, -0.1 * r))
        return pinball + jnp.mean(jnp.sort(r)[3:-3] ** 2)

    return loss, params, (x, y)


@healthy()
def spectrum_of_a_generic_matrix():
    """Eigenvalues, a determinant and a solve, none of them degenerate."""
    params = {"a": normal(0, 4, 4), "b": normal(1, 4)}

    def loss(params):
        m = params["a"] @ params["a"].T + jnp.eye(4)
        values, vectors = jnp.linalg.eigh(m)
        sign, logdet = jnp.linalg.slogdet(m)
        solution = jnp.linalg.solve(m, params["b"])
        return jnp.sum(values) + logdet * sign + jnp.sum(solution**2) + jnp.sum(vectors[:, -1] ** 4)

    return loss, params, ()


@healthy()
def fixed_point_with_an_implicit_rule():
    """A root found by comparisons under custom_root: the derivative is the implicit function's."""
    params = {"c": jnp.float32(0.7), "d": jnp.float32(1.3)}

    def loss(params, target):
        def f(x):
            return params["d"] * x**3 + x - params["c"]

        def solve(f, start):
            def halve(_, bounds):
                low, high = bounds
                middle = (low + high) / 2
                above = f(middle) > 0
                return jnp.where(above, low, middle), jnp.where(above, middle, high)

            low, high = jax.lax.fori_loop(0, 20, halve, (start - 2.0, start + 2.0))
            return (low + high) / 2

        root = jax.lax.custom_root(f, jnp.float32(0.0), solve, lambda g, y: y / g(1.0))
        return (root - target) ** 2

    return loss, params, (jnp.float32(1.0),)


@healthy()
def segments_from_the_input():
    """Bins of the input, integer keys, a scatter-add and a histogram of data: nothing of it depends on parameters."""
    params = {"w": normal(0, 3, 2), "levels": normal(1, 4)}
    x = normal(2, 20, 3)

    def loss(params, x):
        bins = jnp.digitize(x[:, 0], jnp.array([-0.5, 0.0, 0.5]))
        counts, _ = jnp.histogram(x[:, 1], bins=4)
        sums = jax.ops.segment_sum(x @ params["w"], bins, num_segments=4)
        return jnp.mean((sums * params["levels"][:, None] - counts[:, None] / 10) ** 2)

    return loss, params, (x,)


@healthy()
def log_space_mixture():
    """A mixture by logsumexp; one component is excluded with -inf for every second row."""
    params = {"means": normal(0, 3), "log_scale": normal(1, 3), "logits": normal(2, 3)}
    x = normal(3, 16)

    def loss(params, x):
        z = (x[:, None] - params["means"]) * jnp.exp(-params["log_scale"])
        logp = jax.nn.log_softmax(params["logits"]) - 0.5 * z**2 - params["log_scale"]
        allowed = (jnp.arange(16)[:, None] + jnp.arange(3)) % 2 < 1
        return -jnp.mean(jax.scipy.special.logsumexp(jnp.where(allowed, logp, -jnp.inf), axis=1))

    return loss, params, (x,)
