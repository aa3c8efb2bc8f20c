"""What became of each parameter: reached, partly reached, unreached, unused or frozen, and by which finding."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from straightthrough.doctor._paths import Crossing, Paths
from straightthrough.doctor.findings import NOISE, Findings, non_finite_births, saturations, ties
from straightthrough.programs import Examination, Node, Parameter

Status = Literal["reached", "partly_reached", "unreached", "unused", "frozen"]
Reason = Literal["starved", "invariant", "zero_initialised", "stopped_on_purpose"]


@dataclass
class ParameterStatus:
    """What became of one parameter.

    Attributes:
        status: ``"unused"`` if the loss never used it, ``"frozen"`` if it is not meant to learn.
        finding: the key of the finding that took its gradient; the one nearest the loss of a chain.
        reason: why it has none though nothing died. ``"starved"``: what it is multiplied with, or chosen by, is zero on
            this batch; ``"invariant"``: the loss does not change with it (a bias before a norm);
            ``"zero_initialised"``: a later parameter is still all zero; ``"stopped_on_purpose"``: behind a stop, beside
            a twin that learns.
        gradient: norm of its gradient; None where there is none.
    """

    status: Status
    finding: str | None = None
    reason: Reason | None = None
    gradient: float | None = None


class Statuses:
    """Goes through the parameters of one examination; fills `Findings` on the way."""

    def __init__(self, examination: Examination, paths: Paths, findings: Findings):
        self._examination = examination
        self._paths = paths
        self._findings = findings
        self._on_data = [node.on_data for node in examination.nodes]
        self._gets_gradient = {p.name: self._arrives(p) for p in examination.parameters}
        self._learning = [_part(p) for p in examination.parameters if self._gets_gradient[p.name]]
        still = [p for p in examination.parameters if not self._gets_gradient[p.name]]
        self._still = [_part(p) for p in still if p.trainable and p.node is not None]

    def all(self) -> dict[str, ParameterStatus]:
        return {parameter.name: self._of(parameter) for parameter in self._examination.parameters}

    def _arrives(self, parameter: Parameter) -> bool:
        """Something arrives that is no rounding noise."""
        if not parameter.gradient or parameter.zero_share == 1.0:
            return False
        noisy = parameter.agreement is not None and parameter.agreement < NOISE
        return not (noisy and self._ties(parameter) == [])

    def _ties(self, parameter: Parameter) -> list[Node]:
        return [] if parameter.node is None else ties(self._examination, self._paths, parameter.node)

    def _of(self, parameter: Parameter) -> ParameterStatus:
        if not parameter.trainable:
            return ParameterStatus("frozen")
        if parameter.node is None:
            return ParameterStatus("unused")
        if parameter.node not in self._paths.before_loss:
            return self._not_in_the_loss(parameter)
        arrives = self._gets_gradient[parameter.name]
        if parameter.non_finite_share > 0 or not (math.isfinite(self._examination.value) or arrives):
            found = self._non_finite(parameter)
            if found is not None:
                return found
        return self._reached(parameter) if arrives else self._unreached(parameter)

    def _not_in_the_loss(self, parameter: Parameter) -> ParameterStatus:
        """No way to the loss is seen: never used, or gone through a Python number."""
        assert parameter.node is not None
        exits = [node.index for node in self._examination.nodes if node.leaves]
        crossings = self._paths.deaths(parameter.node, exits)
        if not crossings or not self._examination.responds(parameter.name):
            return ParameterStatus("unused")
        return self._dead(parameter, crossings)

    def _dead(self, parameter: Parameter, crossings: list[Crossing]) -> ParameterStatus:
        if all(crossing.node.stop for crossing in crossings) and self._has_twin(parameter):
            return ParameterStatus("unreached", None, "stopped_on_purpose", parameter.gradient)
        key = self._findings.add_all(crossings, parameter.name, wholly=True)
        return ParameterStatus("unreached", key, None, parameter.gradient)

    def _has_twin(self, parameter: Parameter) -> bool:
        """As many parameters of this shape and part learn as stand still: a target network and its online one."""
        if _part(parameter)[0] == "" and not _COPIES.search(parameter.name):
            return False
        return self._learning.count(_part(parameter)) >= self._still.count(_part(parameter))

    def _non_finite(self, parameter: Parameter) -> ParameterStatus | None:
        assert parameter.node is not None
        births = non_finite_births(self._examination, self._paths, parameter.node)
        wholly = parameter.non_finite_share == 1.0 or not math.isfinite(self._examination.value)
        if not births:
            return None
        added = []
        for node in reversed(births):
            share = max((edge.dead_share for edge in node.edges if edge.slope == "non_finite"), default=1.0)
            added.append(self._findings.add(node, "non_finite", parameter.name, wholly=wholly, share=share))
        return ParameterStatus("unreached" if wholly else "partly_reached", added[0], None, parameter.gradient)

    def _unreached(self, parameter: Parameter) -> ParameterStatus:
        assert parameter.node is not None
        crossings = self._paths.deaths(parameter.node)
        if crossings:
            return self._dead(parameter, crossings)
        return self._cancelled(parameter) or ParameterStatus(
            "unreached", None, self._harmless(parameter), parameter.gradient
        )

    def _harmless(self, parameter: Parameter) -> Reason:
        if self._open(parameter):
            return "starved" if self._examination.responds(parameter.name) else "invariant"
        zeros = self._meets_zeros(parameter) or self._examination.responds(parameter.name)
        return "zero_initialised" if zeros else "starved"

    def _meets_zeros(self, parameter: Parameter) -> bool:
        """Whether a product that takes its gradient is one with a parameter that is still all zero."""
        assert parameter.node is not None
        zeros = [
            p.node for p in self._examination.parameters if p.is_zero and p.node is not None and p is not parameter
        ]
        mine = self._paths.reached_from(parameter.node)
        blocking = [
            edge.source
            for node in self._examination.nodes
            if any(edge.source in mine and self._paths.is_blocked(edge) for edge in node.edges)
            for edge in node.edges
            if edge.source not in mine
        ]
        return any(self._paths.reached_from(zero) & set(blocking) for zero in zeros)

    def _open(self, parameter: Parameter) -> bool:
        """Whether some way to the loss crosses no product with zeros."""
        assert parameter.node is not None
        return math.isfinite(self._paths.to_loss[parameter.node])

    def _cancelled(self, parameter: Parameter) -> ParameterStatus | None:
        """Each operator passes the gradient on, and yet their sum is nothing: ``x - x % 1`` is a floor."""
        if not self._open(parameter) or not self._examination.responds(parameter.name):
            return None
        assert parameter.node is not None
        nodes, reached = self._examination.nodes, self._paths.on_the_way(parameter.node)
        for node in reversed(nodes):
            if node.index in reached and node.gradient and any(not nodes[edge.source].gradient for edge in node.edges):
                key = self._findings.add(node, "flat", parameter.name, wholly=True)
                return ParameterStatus("unreached", key, None, parameter.gradient)
        return None

    def _reached(self, parameter: Parameter) -> ParameterStatus:
        assert parameter.node is not None
        for crossing in saturations(self._examination, self._paths, parameter.node):
            self._findings.add(crossing.node, "saturated", parameter.name, wholly=False, share=crossing.edge.dead_share)
        key = None
        if parameter.agreement is not None and parameter.agreement < 0.9:
            for node in self._ties(parameter):
                share = max(edge.tie_share for edge in node.edges)
                key = key or self._findings.add(node, "tie", parameter.name, wholly=False, share=share)
        if key is None and parameter.zero_share > 0 and parameter.revivable_share > 0.0:
            crossings = self._paths.partial_deaths(parameter.node, self._on_data)
            key = self._findings.add_all(crossings, parameter.name, wholly=False)
        status: Status = "reached" if key is None else "partly_reached"
        return ParameterStatus(status, key, None, parameter.gradient)


_COPIES = re.compile("target|teacher|ema|average|avg|slow|momentum|shadow|old|ref|copy", re.IGNORECASE)


def _part(parameter: Parameter) -> tuple[str, tuple[int, ...]]:
    """What a parameter is within its layer, by its name: twins agree in it."""
    parts = re.split(r"[./]", parameter.name)
    return parts[-1] if len(parts) > 1 else "", parameter.shape
