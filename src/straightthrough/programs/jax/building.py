"""From a jaxpr to a `Graph`: what depends on a parameter, where it stands in the user's code, what it is made of."""

from __future__ import annotations

from typing import Any

from jax.extend.core import Literal

from straightthrough.programs._description import Node, Place
from straightthrough.programs.jax import grouping, lines
from straightthrough.programs.jax.dependence import DATA, DEPENDS, flags_of, flags_of_scan, flags_of_while, of_constant
from straightthrough.programs.jax.equations import function_of, key_of, plain_function
from straightthrough.programs.jax.graph import Block, Choice, Graph, Operator, Scan, Value, While
from straightthrough.programs.jax.leaving import LEAVE
from straightthrough.programs.jax.tracing import Traced


def build(traced: Traced) -> Graph:
    """The graph of a traced program."""
    return _Builder(traced).graph()


class _Builder:
    def __init__(self, traced: Traced):
        self._traced = traced
        self._nodes: list[Node] = []
        self._called_at: list[tuple[Place | None, Place | None]] = [(None, None)]

    def graph(self) -> Graph:
        jaxpr = self._traced.jaxpr
        constants = [Value(v.aval, on_data=bool(of_constant(c))) for v, c in zip(*self._constants(), strict=True)]
        parameters = [Value(v.aval, depends=True) for v in jaxpr.jaxpr.invars]
        for value in parameters:
            value.node = self._add(Node(0, "parameter", "parameter"), value)
        block = Block([*constants, *parameters])
        names = dict(zip([*jaxpr.jaxpr.constvars, *jaxpr.jaxpr.invars], block.inputs, strict=True))
        self._fill(block, jaxpr.jaxpr, names)
        return Graph(block, list(jaxpr.consts), self._nodes)

    def _constants(self) -> tuple[list[Any], list[Any]]:
        return self._traced.jaxpr.jaxpr.constvars, self._traced.jaxpr.consts

    def _add(self, node: Node, value: Value) -> int:
        node.index = len(self._nodes)
        node.shape, node.dtype = tuple(value.aval.shape), str(value.aval.dtype)
        self._nodes.append(node)
        return node.index

    def _fill(self, block: Block, jaxpr: Any, names: dict[Any, Value]) -> None:
        self._steps(block, jaxpr, names)
        block.outputs = [self._read(v, names) for v in jaxpr.outvars]

    def _read(self, variable: Any, names: dict[Any, Value]) -> Value:
        if isinstance(variable, Literal):
            constant = variable.val
            return Value(variable.aval, on_data=bool(of_constant(constant)), constant=constant)
        return names[variable]

    def _steps(self, block: Block, jaxpr: Any, names: dict[Any, Value]) -> None:
        depending: set[Any] = {v for v, value in names.items() if value.depends}
        for equation in jaxpr.eqns:
            flags = [DEPENDS * (not isinstance(v, Literal) and v in depending) for v in equation.invars]
            outs = flags_of(equation, flags)
            depending.update(v for v, flag in zip(equation.outvars, outs, strict=True) if flag & DEPENDS)

        def depends(equation: Any) -> bool:
            return any(not isinstance(v, Literal) and v in depending for v in equation.invars)

        users = _users(jaxpr)
        for group in grouping.groups(jaxpr.eqns, depends, self._traced.scope_number):
            equation = group.equations[0]
            if len(group.equations) == 1 and group.scope is None and not grouping.is_opaque(equation):
                self._look_into(block, equation, names)
            elif equation.primitive.name != "debug_callback":
                self._operator(block, group, names, users)

    def _look_into(self, block: Block, equation: Any, names: dict[Any, Value]) -> None:
        at = lines.places(equation)
        self._called_at.append(at if at[0] is not None else self._called_at[-1])
        kinds = {"scan": self._scan, "while": self._while, "cond": self._cond}
        kinds.get(equation.primitive.name, self._inlined)(block, equation, names)
        self._called_at.pop()

    def _inlined(self, block: Block, equation: Any, names: dict[Any, Value]) -> None:
        inner = next(lines.subfunctions(equation))
        own = dict(zip(inner.invars, [self._read(v, names) for v in equation.invars], strict=True))
        closed = next((p for p in equation.params.values() if getattr(p, "jaxpr", None) is inner), None)
        constants = getattr(closed, "consts", [])
        own.update({v: Value(v.aval, constant=c) for v, c in zip(inner.constvars, constants, strict=True)})
        self._steps(block, inner, own)
        names.update(zip(equation.outvars, [self._read(v, own) for v in inner.outvars], strict=True))

    def _place(self, equation: Any) -> tuple[Place | None, Place | None]:
        place, inside = lines.places(equation)
        return (place, inside) if place is not None else self._called_at[-1]

    def _operator(self, block: Block, group: grouping.Group, names: dict[Any, Value], users: _Users) -> None:
        equations = group.equations
        own = {id(equation) for equation in equations}
        made = {v for equation in equations for v in equation.outvars}
        atoms: list[Any] = []
        for atom in (atom for equation in equations for atom in equation.invars):
            if isinstance(atom, Literal) or (atom not in made and atom not in atoms):
                atoms.append(atom)
        wanted = {v for v in made if any(user not in own for user in users.get(v, ()))}
        results = [v for e in equations for v in e.outvars if v in wanted or (len(equations) == 1)]
        inputs = [self._read(atom, names) for atom in atoms]
        depends, on_data = any(v.depends for v in inputs), any(v.on_data for v in inputs)
        outputs = [Value(v.aval, depends, on_data) for v in results]
        operator = Operator(function_of(equations, atoms, results), inputs, outputs, [])
        self._describe(operator, group)
        operator.nodes = [
            self._node(operator, group, value) if depends and variable in wanted else None
            for variable, value in zip(results, outputs, strict=True)
        ]
        names.update(zip(results, outputs, strict=True))
        block.steps.append(operator)

    def _describe(self, operator: Operator, group: grouping.Group) -> None:
        (first, *rest) = group.equations
        name = first.primitive.name
        if not rest:
            operator.stops = name == "stop_gradient"
            operator.linear = name in grouping.LINEAR
            operator.key = key_of(first, operator.inputs)
            if name in grouping.RULES and not lines.is_library(first.params["call_jaxpr"].jaxpr):
                operator.inner = plain_function(first.params["call_jaxpr"])
        if group.scope is not None:
            operator.carries, operator.width = self._traced.carried(group.scope)

    def _node(self, operator: Operator, group: grouping.Group, value: Value) -> int:
        place, inside = self._place(group.equations[0])
        native = grouping.native_name(group)
        name = grouping.operator_name(native)
        if group.scope is not None:
            name = native = self._traced.operation(group.scope)
        leaves = group.equations[0].primitive is LEAVE
        if leaves:
            name = native = group.equations[0].params["how"]
        node = Node(0, name, native, place, inside, stop=operator.stops, on_data=value.on_data, leaves=leaves)
        shape = tuple(value.aval.shape)
        node.elementwise = grouping.is_elementwise(group.equations, shape)
        value.node = self._add(node, value)
        return value.node

    def _scan(self, block: Block, equation: Any, names: dict[Any, Value]) -> None:
        params, jaxpr = equation.params, equation.params["jaxpr"]
        values = [self._read(v, names) for v in equation.invars]
        first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
        flags = [DEPENDS * v.depends | DATA * v.on_data for v in values]
        outs = flags_of_scan(params, flags)
        inner = [*flags[:first], *outs[: last - first], *flags[last:]]
        body, own = self._opened(jaxpr, inner)
        self._fill(body, jaxpr.jaxpr, own)
        for value, outer in zip(body.inputs, values, strict=True):
            value.origins.append(outer)
        for value, again in zip(body.inputs[first:last], body.outputs, strict=False):
            value.origins.append(again)
        outputs = [
            Value(v.aval, bool(f & DEPENDS), bool(f & DATA), origins=[made])
            for v, f, made in zip(equation.outvars, outs, body.outputs, strict=True)
        ]
        names.update(zip(equation.outvars, outputs, strict=True))
        parts = values[:first], values[first:last], values[last:]
        block.steps.append(Scan(body, *parts, outputs, params["length"], params["reverse"]))

    def _opened(self, closed: Any, flags: list[int]) -> tuple[Block, dict[Any, Value]]:
        """A block for a sub-function, with inputs of its own."""
        pairs = zip(closed.jaxpr.invars, flags, strict=True)
        block = Block([Value(v.aval, bool(f & DEPENDS), bool(f & DATA)) for v, f in pairs])
        own = dict(zip(closed.jaxpr.invars, block.inputs, strict=True))
        own.update({v: Value(v.aval, constant=c) for v, c in zip(closed.jaxpr.constvars, closed.consts, strict=True)})
        return block, own

    def _while(self, block: Block, equation: Any, names: dict[Any, Value]) -> None:
        params = equation.params
        values = [self._read(v, names) for v in equation.invars]
        first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        flags = [DEPENDS * v.depends | DATA * v.on_data for v in values]
        carry, outs = flags_of_while(params, flags)
        condition, own = self._opened(params["cond_jaxpr"], [*flags[:first], *carry])
        body, other = self._opened(params["body_jaxpr"], [*flags[first:last], *carry])
        self._fill(body, params["body_jaxpr"].jaxpr, other)
        self._fill(condition, params["cond_jaxpr"].jaxpr, own)
        inits, carried = values[last:], list(zip(values[last:], body.outputs, strict=True))
        for inputs, constants in ((condition.inputs, values[:first]), (body.inputs, values[first:last])):
            for value, outer in zip(inputs, constants, strict=False):
                value.origins.append(outer)
            for value, pair in zip(inputs[len(constants) :], carried, strict=True):
                value.origins.extend(pair)
        outputs = [
            Value(v.aval, bool(f & DEPENDS), bool(f & DATA), origins=list(pair))
            for v, f, pair in zip(equation.outvars, outs, carried, strict=True)
        ]
        ends = condition.outputs[0].depends
        nodes = [self._join("while", equation, v) if v.depends and (ends or v.floating) else None for v in outputs]
        names.update(zip(equation.outvars, outputs, strict=True))
        block.steps.append(While(condition, body, values[:first], values[first:last], inits, outputs, nodes))

    def _join(self, name: str, equation: Any, value: Value) -> int:
        place, inside = self._place(equation)
        value.node = self._add(Node(0, name, name, place, inside, on_data=value.on_data), value)
        return value.node

    def _cond(self, block: Block, equation: Any, names: dict[Any, Value]) -> None:
        index, *values = [self._read(v, names) for v in equation.invars]
        flags = [DEPENDS * v.depends | DATA * v.on_data for v in values]
        branches = []
        for closed in equation.params["branches"]:
            branch, own = self._opened(closed, flags)
            for value, outer in zip(branch.inputs, values, strict=True):
                value.origins.append(outer)
            self._fill(branch, closed.jaxpr, own)
            branches.append(branch)
        outputs = []
        for variable, *made in zip(equation.outvars, *(branch.outputs for branch in branches), strict=True):
            depends, data = any(v.depends for v in made), any(v.on_data for v in made)
            outputs.append(Value(variable.aval, index.depends or depends, index.on_data or data, origins=made))
        nodes = [self._join("cond", equation, v) if index.depends else None for v in outputs]
        names.update(zip(equation.outvars, outputs, strict=True))
        block.steps.append(Choice(index, branches, values, outputs, nodes))


_Users = dict[Any, list[int]]


def _users(jaxpr: Any) -> _Users:
    """Who reads each variable, by the equations' ids; 0 is the end of the jaxpr."""
    users: _Users = {}
    for equation in jaxpr.eqns:
        for variable in equation.invars:
            if not isinstance(variable, Literal):
                users.setdefault(variable, []).append(id(equation))
    for variable in jaxpr.outvars:
        if not isinstance(variable, Literal):
            users.setdefault(variable, []).append(0)
    return users
