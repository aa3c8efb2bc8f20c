"""Physics, lattices, clocks and traffic."""

from __future__ import annotations

import torch

from doctor.catalogue import sick


@sick(
    parameters={"place": "unreached", "charge": "reached"},
    fix=None,
    why_not="counts: the cell is the address of a deposit",
)
def particles_deposited_on_a_mesh():
    """Nearest-grid-point deposition: the charge reaches the field, the place does not."""
    torch.manual_seed(40)
    params = {
        "place": (torch.rand(20) * 8).double().requires_grad_(),
        "charge": torch.randn(20).double().requires_grad_(),
    }

    def loss(params, cells):
        cell = params["place"].to(torch.int64)  # dies: cut cast
        field = torch.zeros(cells, dtype=torch.float64).index_add(0, cell, params["charge"])
        return field.square().sum()

    return loss, params, (8,)


@sick(
    parameters={"coupling": "unreached", "field": "unreached"},
    fix={"sign": "tanh"},
)
def spins_relaxed_at_zero_temperature():
    """Synchronous updates of spins; the magnetisation is a function of signs only."""
    torch.manual_seed(41)
    params = {"coupling": torch.randn(8, 8, requires_grad=True), "field": torch.randn(8, requires_grad=True)}
    spins = torch.randn(8).sign()

    def loss(params, spins):
        for _ in range(3):
            spins = torch.sgn(params["coupling"] @ spins + params["field"])  # dies: flat sign|sgn
        return (spins.mean() - 0.5) ** 2

    return loss, params, (spins,)


@sick(
    parameters={"period": "unreached", "offset": "unreached", "price": "reached"},
    fix={"floor_divide": torch.divide},
)
def tariff_by_whole_periods():
    """Full periods are counted with //."""
    params = {
        "period": torch.tensor(2.3, requires_grad=True),
        "offset": torch.tensor(0.4, requires_grad=True),
        "price": torch.tensor(1.1, requires_grad=True),
    }

    def loss(params, time):
        periods = (time + params["offset"]) // params["period"]  # dies: flat|cut floor_divide
        return (params["price"] * periods - time).square().mean()

    return loss, params, (torch.linspace(0, 12, 25),)


@sick(
    parameters={"stiffness": "reached", "radius": "partly_reached"},
    fix={"greater": "sigmoid"},
)
def grains_that_touch():
    """A penalty force where two grains overlap: the second radius is in the force, the first only says who touches."""
    torch.manual_seed(42)
    params = {
        "stiffness": torch.tensor(5.0, requires_grad=True),
        "radius": torch.tensor([0.6, 0.5], requires_grad=True),
    }
    x = torch.randn(9, 2)

    def loss(params, x):
        apart = torch.pdist(x)
        touch = params["radius"][0] * 2 > apart  # dies: cut greater
        force = torch.where(touch, params["stiffness"] * (params["radius"][1] - apart), 0.0)
        return force.square().sum()

    return loss, params, (x,)


@sick(
    parameters={"kp": "reached", "ki": "reached", "limit": "reached", "dead": "unreached"},
    fix={"less_equal": "sigmoid"},
)
def controller_with_a_dead_band():
    """A PI controller; errors inside a learned dead band are masked to zero."""
    params = [torch.tensor(v, requires_grad=True) for v in (0.8, 0.2, 3.0, 0.15)]
    params = dict(zip(("kp", "ki", "limit", "dead"), params, strict=True))

    def loss(params, goal):
        x, integral, cost = torch.zeros(()), torch.zeros(()), 0.0
        for wanted in goal:
            error = wanted - x
            error = error * (~(error.abs() <= params["dead"]))  # dies: cut less_equal
            integral = integral + 0.1 * error
            push = params["limit"] * torch.tanh((params["kp"] * error + params["ki"] * integral) / params["limit"])
            x = x + 0.3 * push
            cost = cost + (wanted - x) ** 2
        return cost

    return loss, params, (torch.tensor([1.0, 1.0, 0.2, -0.5, -0.5, 1.5]),)


@sick(
    parameters={"tune": "unreached"},
    fix={"round": "identity"},
)
def pitch_snapped_to_semitones():
    """A tuner rounds to semitones, then takes the note within the octave; only the rounding is flat."""
    params = {"tune": torch.tensor([440.3, 262.0, 330.9], requires_grad=True)}

    def loss(params, wanted):
        semitone = 12 * torch.log2(params["tune"] / 440.0)
        note = torch.remainder(semitone.round(), 12)  # dies: flat round
        return (note - wanted).square().sum()

    return loss, params, (torch.tensor([1.0, 2.5, 8.0]),)


@sick(
    parameters={"array.phases": "unreached", "array.gains.0": "reached", "array.gains.1": "reached"},
    fix={"round": "identity"},
)
def phase_shifters_with_four_settings():
    """A beam former in complex numbers; the phases are rounded to quarter turns."""
    torch.manual_seed(43)
    params = {
        "array": {
            "phases": (torch.rand(2, 4) * 6).requires_grad_(),
            "gains": [torch.ones(4, requires_grad=True), torch.full((4,), 0.8, requires_grad=True)],
        }
    }
    steering = torch.polar(torch.ones(4), torch.arange(4) * 0.9)

    def loss(params, steering):
        array = params["array"]
        quarter = torch.pi / 2
        power = 0.0
        for row, gain in zip(array["phases"], array["gains"], strict=True):
            setting = quarter * (row / quarter).round()  # dies: flat round
            beam = (torch.polar(gain, setting) * steering).sum()
            power = power + beam.abs() ** 2
        return -power / 8

    return loss, params, (steering,)
