"""Simulations with contacts, cells and events."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from doctor.catalogue import sick
from doctor.programs.jax.library import draw


@sick(
    parameters={"floor": "unreached", "restitution": "reached", "speed": "reached"},
    fix={"less": "sigmoid"},
)
def bouncing_ball():
    """The height of the floor acts only through the event of the contact."""
    params = {"floor": jnp.float32(0.2), "restitution": jnp.float32(0.8), "speed": jnp.float32(0.5)}

    def loss(params, target):
        def step(state, _):
            y, v = state
            v = v - 0.1 * 9.81
            hit = (y < params["floor"]) & (v < 0)  # dies: cut less
            v = jnp.where(hit, -params["restitution"] * v, v)
            return (y + 0.1 * v, v), y

        (_, _), path = jax.lax.scan(step, (jnp.float32(2.0), params["speed"]), None, length=25)
        return jnp.mean((path - target) ** 2)

    return loss, params, (jnp.float32(1.0),)


@sick(
    parameters={"positions": "unreached", "field": "reached"},
    why_not="addresses: the cell's number is where the field is read",
)
def particles_in_cells():
    """Nearest-cell interpolation: a particle sees the field of the cell it lies in."""
    params = {"positions": jnp.linspace(0.3, 7.7, 16), "field": draw(0, 8)}

    def loss(params, targets):
        left = jnp.floor(params["positions"])  # dies: flat floor
        cell = left.astype(jnp.int32)  # dies: cut cast
        return jnp.mean((params["field"][cell] - targets) ** 2)

    return loss, params, (draw(1, 16),)


@sick(
    parameters={"thermostat": "unreached", "power": "reached", "loss_rate": "reached"},
    fix={"less": "sigmoid"},
)
def thermostat():
    """A heater that is on or off: the set point has no gradient, the power of the heater has."""
    params = {"thermostat": jnp.float32(20.0), "power": jnp.float32(1.5), "loss_rate": jnp.float32(0.05)}

    def loss(params, outside):
        temperature = jnp.float32(15.0)
        total = jnp.float32(0.0)
        for now in outside:
            on = jnp.where(temperature < params["thermostat"], 1.0, 0.0)  # dies: cut less
            temperature = temperature + params["power"] * on - params["loss_rate"] * (temperature - now)
            total = total + (temperature - 21.0) ** 2
        return total / len(outside)

    return loss, params, (jnp.linspace(5.0, 12.0, 12),)


@sick(parameters={"price": "unreached", "offset": "reached"}, fix={"floor_divide": "identity"})
def whole_packages():
    """A shop sells whole packages: demand is divided and rounded down."""
    params = {"price": jnp.array([1.2, 0.8, 2.0]), "offset": jnp.float32(0.3)}
    budget = jnp.array([10.0, 7.0, 12.5])

    def loss(params, budget):
        packages = budget // params["price"]  # dies: flat floor_divide
        return jnp.sum((packages + params["offset"] - 5.0) ** 2)

    return loss, params, (budget,)


REPAIRS = {
    "bouncing_ball": {
        '(y < params["floor"]) & (v < 0)': 'jax.nn.sigmoid(params["floor"] - y) * (v < 0)',
        'jnp.where(hit, -params["restitution"] * v, v)': '-hit * params["restitution"] * v + (1 - hit) * v',
    },
    "particles_in_cells": {
        "left.astype(jnp.int32)": 'jax.nn.softmax(-((params["positions"][:, None] - jnp.arange(8) - 0.5) ** 2))',
        'params["field"][cell]': 'cell @ params["field"]',
    },
    "thermostat": {
        'jnp.where(temperature < params["thermostat"], 1.0, 0.0)': 'jax.nn.sigmoid(params["thermostat"] - temperature)'
    },
    "whole_packages": {"budget // params": "budget / params"},
}
