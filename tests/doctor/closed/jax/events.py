"""Finance, time and thresholds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from doctor.catalogue import sick


def noise(seed, *shape):
    return jnp.asarray(np.random.default_rng(200 + seed).standard_normal(shape), jnp.float32)


@sick(
    parameters={"barrier": "unreached", "volatility": "reached", "strike": "reached"},
    fix={"greater_equal": "sigmoid"},
)
def knock_out_option():
    """A call that is worth nothing once a path has touched the barrier."""
    params = {"barrier": jnp.float32(1.3), "volatility": jnp.float32(0.2), "strike": jnp.float32(1.0)}

    def loss(params, shocks, price):
        steps = params["volatility"] * shocks * 0.2
        paths = jnp.exp(jnp.cumsum(steps, axis=1))
        touched = jnp.any(paths >= params["barrier"], axis=1)  # dies: cut greater_equal
        payoff = jax.nn.softplus(20 * (paths[:, -1] - params["strike"])) / 20
        return (jnp.mean(jnp.where(touched, 0.0, payoff)) - price) ** 2

    return loss, params, (noise(0, 200, 20), jnp.float32(0.05))


@sick(
    parameters={"gain": "unreached", "mix": "unreached", "base": "reached"},
    fix={"trunc": "identity", "not_equal": "sigmoid"},
)
def transitions_between_levels():
    """How often does a signal change its level? Two operators in a chain."""
    params = {"gain": jnp.float32(2.0), "mix": noise(0, 3), "base": jnp.float32(0.4)}
    signals = noise(1, 30, 3)

    def loss(params, signals):
        levels = jnp.trunc(params["gain"] * (signals @ params["mix"]))  # dies: flat trunc
        changed = levels[1:] != levels[:-1]  # dies: cut not_equal
        return (params["base"] * jnp.mean(changed) - 1.0) ** 2

    return loss, params, (signals,)


@sick(parameters={"speed": "unreached", "scale": "reached"}, why_not="counts: the index of the first True")
def first_passage():
    """The time at which a falling body first lies below zero: the position of the first True."""
    params = {"speed": jnp.float32(4.0), "scale": jnp.float32(0.05)}
    times = jnp.arange(40) * 0.05

    def loss(params, times):
        height = params["speed"] * times - 0.5 * 9.81 * times**2
        below = height[1:] < 0  # dies: cut less
        first = jnp.argmax(below)
        return (params["scale"] * first - 0.5) ** 2

    return loss, params, (times,)


@sick(parameters={"period": "unreached", "phase": "unreached", "weights": "reached"}, fix={"divmod": "identity"})
def calendar_cycles():
    """The number of the cycle is the quotient of a divmod."""
    params = {"period": jnp.float32(7.3), "phase": jnp.float32(0.4), "weights": noise(0, 2)}
    days = jnp.arange(20, dtype=jnp.float32) * 1.7

    def loss(params, days):
        cycle, _ = jnp.divmod(days + params["phase"], params["period"])  # dies: flat divmod|floor_divide
        return jnp.mean((params["weights"][0] * cycle + params["weights"][1] - 2.0) ** 2)

    return loss, params, (days,)


@sick(
    parameters={"low": "unreached", "high": "unreached", "rates": "reached"},
    fix={"less": "sigmoid"},
)
def tariff():
    """A progressive tariff: the brackets' limits select, the rates count."""
    params = {"low": jnp.float32(0.8), "high": jnp.float32(1.6), "rates": jnp.array([0.1, 0.25, 0.4])}
    incomes = jnp.linspace(0.1, 2.5, 23)

    def loss(params, incomes):
        small = incomes < params["low"]  # dies: cut less
        middle = incomes < params["high"]  # dies: cut less
        rate = jnp.select([small, middle], [params["rates"][0], params["rates"][1]], params["rates"][2])
        return (jnp.mean(rate * incomes) - 0.5) ** 2

    return loss, params, (incomes,)


@sick(parameters={"coefficients": "unreached"}, fix={"greater": "sigmoid"})
def root_by_bisection():
    """A root is found by halving an interval of constants: only comparisons know the polynomial."""
    params = {"coefficients": jnp.array([-1.1, 0.7, 0.9])}

    def loss(params, target):
        def halve(_, bounds):
            low, high = bounds
            middle = (low + high) / 2
            above = jnp.polyval(params["coefficients"][::-1], middle) > 0  # dies: cut greater
            return jnp.where(above, low, middle), jnp.where(above, middle, high)

        low, high = jax.lax.fori_loop(0, 12, halve, (jnp.float32(0.0), jnp.float32(2.0)))
        return ((low + high) / 2 - target) ** 2

    return loss, params, (jnp.float32(1.0),)


@sick(parameters={"prior": "unreached", "slope": "reached"}, fix={"argmin": "softmax"})
def best_of_a_grid():
    """A hyperparameter is chosen from a grid by its validation error."""
    params = {"prior": jnp.float32(0.3), "slope": jnp.float32(1.5)}
    grid = jnp.linspace(0.0, 1.0, 9)

    def loss(params, grid):
        errors = jnp.cosh(grid - params["prior"])
        chosen = grid[jnp.argmin(errors)]  # dies: cut argmin
        return (params["slope"] * chosen - 1.0) ** 2

    return loss, params, (grid,)


class Controller(nnx.Module):
    def __init__(self, rngs):
        self.sensor = nnx.Linear(3, 1, rngs=rngs)
        self.modes = nnx.Param(rngs.normal((3, 3)))


@sick(
    parameters={"sensor.kernel": "unreached", "sensor.bias": "unreached", "modes": "reached"},
    why_not="addresses: the number of a branch",
)
def switched_controller():
    """A controller's mode is a rounded-down voltage, and a lax.switch runs it."""
    model = Controller(nnx.Rngs(5))
    x = noise(0, 24, 3)

    def loss(model, x):
        def drive(row):
            voltage = 1.5 + 1.4 * jnp.tanh(2 * model.sensor(row)[0])
            mode = jnp.floor(voltage).astype(jnp.int32)  # dies: flat floor # dies: cut cast
            branches = [lambda r, i=i: jnp.sin(r @ model.modes[i]) for i in range(3)]
            return jax.lax.switch(mode, branches, row)

        return jnp.mean((jax.vmap(drive)(x) - 0.4) ** 2)

    return loss, model, (x,)


REPAIRS = {
    "knock_out_option": {
        'jnp.any(paths >= params["barrier"], axis=1)': "jax.nn.sigmoid(9 * (paths.max(1) - params['barrier']))",
        "jnp.where(touched, 0.0, payoff)": "(1 - touched) * payoff",
    },
    "transitions_between_levels": {
        "jnp.trunc(": "jnp.asarray(",
        "levels[1:] != levels[:-1]": "(levels[1:] - levels[:-1]) ** 2",
    },
    "first_passage": {"height[1:] < 0": "jax.nn.sigmoid(-height[1:])", "jnp.argmax(below)": "39 - jnp.sum(below)"},
    "calendar_cycles": {
        "cycle, _ = jnp.divmod(": "cycle = jnp.divide(",
    },
    "root_by_bisection": {
        "above = jnp.polyval(": "above = 0.5 + 0.1 * jnp.polyval(",
        "middle) > 0": "middle)",
        "jnp.where(above, low, middle)": "middle + above * (low - middle)",
        "jnp.where(above, middle, high)": "high + above * (middle - high)",
    },
    "best_of_a_grid": {"grid[jnp.argmin(errors)]": "grid @ jax.nn.softmax(-errors)"},
}
