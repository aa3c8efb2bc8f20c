"""A traced program as steps between values: operators, loops and choices; calls of the user's are inlined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from straightthrough.programs._description import Node


@dataclass(eq=False)
class Value:
    """An array of the program, known by identity.

    Attributes:
        aval: its shape and dtype.
        depends: whether a parameter goes into it.
        on_data: whether anything but parameters goes into it.
        node: the operator that made it, if it depends on a parameter.
        origins: what it is another name for: the values that a loop's or a branch's variable is filled from.
        constant: its content, where it is known before the run.
    """

    aval: Any
    depends: bool = False
    on_data: bool = False
    node: int | None = None
    origins: list[Value] = field(default_factory=list)
    constant: Any = None

    @property
    def floating(self) -> bool:
        return is_floating(self.aval)


def is_floating(aval: Any) -> bool:
    """Whether an array of this kind can carry a gradient."""
    return str(getattr(aval, "dtype", "")).startswith(("float", "bfloat", "complex"))


def sources(value: Value) -> list[int]:
    """The nodes that a value comes from; several where a loop feeds it from outside and from its last round."""
    found: dict[int, None] = {}
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current.node is not None:
            found[current.node] = None
        else:
            waiting.extend(current.origins)
    return list(found)


@dataclass(eq=False)
class Operator:
    """One operator, or several equations that the user knows as one.

    Attributes:
        function: the arrays of `inputs` -> those of `outputs`.
        inputs: each value once.
        nodes: for each output, its node's index; None where it depends on no parameter or nobody uses it.
        key: equal for operators that do the same, so that what is compiled for one serves them all.
        stops: it is an explicit stop.
        linear: its derivative depends on no number of the batch: it passes everything on.
        inner: a custom rule's own function, where its plain derivative may differ from the rule.
        carries: name of the proxy, where it is one of our operations.
        width: of that proxy.
    """

    function: Callable[..., list[Any]]
    inputs: list[Value]
    outputs: list[Value]
    nodes: list[int | None]
    key: Any = None
    stops: bool = False
    linear: bool = False
    inner: Callable[..., list[Any]] | None = None
    carries: str | None = None
    width: float | None = None

    @property
    def dependent(self) -> list[int]:
        return [i for i, value in enumerate(self.inputs) if value.depends]

    @property
    def movable(self) -> list[int]:
        """Positions of the inputs that a derivative can be taken by."""
        return [i for i, value in enumerate(self.inputs) if value.depends and value.floating]

    @property
    def differentiable(self) -> list[int]:
        """Positions of the outputs that can have one."""
        return [i for i, value in enumerate(self.outputs) if self.nodes[i] is not None and value.floating]


@dataclass(eq=False)
class Scan:
    """A loop of known length. Its body's inputs are constants, carries and slices, in this order."""

    body: Block
    constants: list[Value]
    carries: list[Value]
    slices: list[Value]
    outputs: list[Value]
    length: int
    reverse: bool


@dataclass(eq=False)
class While:
    """A loop that a condition ends."""

    condition: Block
    body: Block
    condition_constants: list[Value]
    body_constants: list[Value]
    carries: list[Value]
    outputs: list[Value]
    nodes: list[int | None]


@dataclass(eq=False)
class Choice:
    """One of several branches, by an index."""

    index: Value
    branches: list[Block]
    inputs: list[Value]
    outputs: list[Value]
    nodes: list[int | None]


Step = Operator | Scan | While | Choice


@dataclass(eq=False)
class Block:
    """Steps in order, from inputs to outputs."""

    inputs: list[Value]
    steps: list[Step] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    def inner_blocks(self) -> Iterator[Block]:
        for step in self.steps:
            if isinstance(step, Scan):
                yield step.body
            elif isinstance(step, While):
                yield from (step.condition, step.body)
            elif isinstance(step, Choice):
                yield from step.branches

    def operators(self) -> Iterator[Operator]:
        """Every operator in it, inner blocks included."""
        for step in self.steps:
            if isinstance(step, Operator):
                yield step
        for block in self.inner_blocks():
            yield from block.operators()

    def joins(self) -> Iterator[While | Choice]:
        """Every loop and choice in it whose outputs are nodes of their own."""
        for step in self.steps:
            if isinstance(step, While | Choice):
                yield step
        for block in self.inner_blocks():
            yield from block.joins()

    def node_indices(self) -> list[int]:
        """The nodes of everything in it, in order."""
        found = [node for step in (*self.operators(), *self.joins()) for node in step.nodes if node is not None]
        return sorted(found)


@dataclass
class Graph:
    """A whole program: one block from constants and parameters to the loss.

    Attributes:
        block: its inputs are the constants, then the parameters; its first output is the loss.
        constants: the arrays of the first inputs.
        nodes: what is known of each node before the run; the edges are still to come.
    """

    block: Block
    constants: list[Any]
    nodes: list[Node]
