"""What one run of a program told: its operators, the edges between them, their source lines, and what was measured.

Plain data, the same from all three frameworks: `doctor` reads it and knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Slope = Literal["passes", "zero", "absent", "non_finite"]
Why = Literal["flat", "saturated", "tie", "blocked"]


@dataclass(frozen=True)
class Place:
    """A line of source code.

    Attributes:
        file: its path as Python knows it.
        line: counted from 1.
        function: the function it stands in.
        text: the line itself, stripped.
        column: where the call begins, counted from 0; None where the framework does not keep it.
    """

    file: str
    line: int
    function: str
    text: str
    column: int | None = None


@dataclass
class Edge:
    """How one input of an operator passes the loss gradient on: measured here, with a random cotangent.

    Attributes:
        source: the node whose result this input is.
        slope: ``"absent"`` where the framework gives no derivative (integers, booleans, a detached result), ``"zero"``
            where it is 0 for every element, ``"non_finite"`` where some of it is inf or nan.
        dead_share: the share of the input's elements whose derivative is 0, or not finite if the slope is non_finite.
        why: for a zero slope, and for a dead_share of nearly 1 if the operator is element-wise. ``"flat"``: also 0 at
            nearby inputs, though the result changes with them; ``"tie"``: not 0 one ulp away; ``"saturated"``: not 0 at
            some nearby inputs; ``"blocked"``: not 0 once the *other* inputs are moved (a product with zeros), or the
            result does not depend on this input at all (a choice that took the other side).
        tie_share: the share of elements whose derivative is another one ulp away.
    """

    source: int
    slope: Slope = "passes"
    dead_share: float = 0.0
    why: Why | None = None
    tie_share: float = 0.0


@dataclass
class Carried:
    """The proxy that a hard operator already carries, and the input it meets.

    Attributes:
        proxy: as it is written, ``"clipped_identity(width=1.0)"``; ``"by hand"`` for a line of the user's own.
        mean, std: of the operator's input.
        live_share: the share of elements where the slope is not 0.
        width: the standard deviation of the noise whose density the slope is, None where there is none.
    """

    proxy: str
    mean: float
    std: float
    live_share: float
    width: float | None = None


@dataclass
class Node:
    """One operator that depends on a parameter, or a parameter itself.

    Attributes:
        index: its position in `Examination.nodes`; a program's nodes are in the order of the run.
        operator: our name for it on every framework (``"round"``, ``"greater"``, ``"stop_gradient"``, ...), or
            ``"parameter"``.
        native: the framework's own name.
        place: the user's line; None if no frame of the stack is the user's.
        inside: the line within a framework or package that called it, where that is another.
        edges: one for each input that depends on a parameter.
        shape, dtype: of its (first) result.
        gradient: norm of the loss gradient at its result; None where none arrives; nan or inf where some of it is.
        finite: False if its result holds nan or inf.
        nan_born: True if its result holds a nan and none of its inputs does.
        inf_born: True if its result is infinite somewhere and none of its inputs is.
        stop: an explicit stop: detach, no_grad, stop_gradient.
        on_data: it depends on arrays that are not made of parameters alone: the batch, constants of several elements.
        leaves: its result is a Python number or a numpy array: what follows cannot be seen.
        elementwise: its result has the shape of its input, and each element depends on the one element there.
        carried: set where it is a hard operator with a proxy.
    """

    index: int
    operator: str
    native: str = ""
    place: Place | None = None
    inside: Place | None = None
    edges: list[Edge] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    dtype: str = ""
    gradient: float | None = None
    finite: bool = True
    nan_born: bool = False
    inf_born: bool = False
    stop: bool = False
    on_data: bool = False
    leaves: bool = False
    elementwise: bool = False
    carried: Carried | None = None


@dataclass
class Parameter:
    """A parameter and the gradient it got.

    Attributes:
        name: as its owner calls it.
        node: the index of its node, None if the program never used it.
        trainable: False if it is not meant to learn.
        gradient: norm of its gradient; None where the framework gives none.
        zero_share: the share of its elements whose gradient is exactly 0 or absent.
        non_finite_share: the share whose gradient is inf or nan.
        agreement: cosine between its gradient and the one after every parameter was moved by about one ulp: 1 for a
            gradient, about 0 for rounding noise or at a tie; None if there is nothing to compare.
        revivable_share: the share of elements without gradient that would get one if every dead edge passed it on.
        is_zero: whether it is 0 in every element, as the last layer of a branch may be at the start.
    """

    name: str
    node: int | None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    trainable: bool = True
    gradient: float | None = None
    zero_share: float = 1.0
    non_finite_share: float = 0.0
    agreement: float | None = None
    revivable_share: float = 0.0
    is_zero: bool = False


@dataclass
class Examination:
    """Everything that one run of ``loss(params, *batch)`` told.

    Attributes:
        framework: ``"torch"``, ``"jax"`` or ``"tensorflow"``.
        nodes: parameters and operators, inputs before results.
        loss: the index of the node that made the loss; None if the loss depends on no parameter.
        value: the loss.
        parameters: every one of them, in their owner's order.
        mode: ``"training"``, ``"inference"`` or ``""`` for programs that have none.
        responds: whether the loss changes at all when this parameter alone is moved by about its own size.
    """

    framework: str
    nodes: list[Node]
    loss: int | None
    value: float
    parameters: list[Parameter]
    mode: str = ""
    responds: Callable[[str], bool] = lambda name: True
