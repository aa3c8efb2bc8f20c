"""The doctor's reading, on examinations written by hand: no framework takes part."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from straightthrough.doctor import Diagnosis, UnhealthyError, diagnose
from straightthrough.programs import Carried, Edge, Examination, Node, Parameter, Place


class Run:
    """Writes an examination down: parameters first, then operators in the order of the run."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.parameters: list[Parameter] = []

    def parameter(self, name: str, gradient: float | None = None, **facts: Any) -> int:
        index = self._add(Node(len(self.nodes), "parameter", dtype="float32", gradient=gradient))
        known = {"gradient": gradient, "zero_share": 0.0 if gradient else 1.0, **facts}
        self.parameters.append(Parameter(name, index, (3,), "float32", **known))
        return index

    def node(self, operator: str, *edges: Edge | int, line: int = 0, dtype: str = "float32", **facts: Any) -> int:
        index = len(self.nodes)
        made = [edge if isinstance(edge, Edge) else Edge(edge) for edge in edges]
        place = Place("model.py", line or index, "forward", f"y = torch.{operator}(x)")
        return self._add(Node(index, operator, place=place, edges=made, dtype=dtype, **{"gradient": 1.0, **facts}))

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return node.index

    def diagnosis(self, **facts: Any) -> Diagnosis:
        loss = facts.pop("loss", len(self.nodes) - 1)
        return diagnose(Examination("torch", self.nodes, loss, facts.pop("value", 1.0), self.parameters, **facts))


def found(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [(finding.kind, finding.key) for finding in diagnosis.findings]


def test_a_flat_operator_on_the_only_way_is_found_at_its_line():
    run = Run()
    w = run.parameter("w")
    code = run.node("round", Edge(w, "zero", 1.0, "flat"), line=12)
    run.node("mean", code)
    diagnosis = run.diagnosis()
    assert found(diagnosis) == [("flat", "round@model.py:12")]
    assert diagnosis.parameters["w"].status == "unreached"
    assert diagnosis.parameters["w"].finding == "round@model.py:12"
    assert diagnosis.findings[0].wholly == ["w"]
    assert diagnosis.findings[0].remedy == "y = ste.round(x)"


def test_a_chain_is_listed_whole_nearest_the_loss_first():
    run = Run()
    w = run.parameter("w")
    code = run.node("round", Edge(w, "zero", 1.0, "flat"))
    index = run.node("cast", Edge(code, "absent"), dtype="int64")
    back = run.node("cast", Edge(index, "absent"), line=9)
    run.node("mean", back)
    # The cast back to float is no death: its input never could carry a gradient.
    assert [key.split("@")[0] for _, key in found(run.diagnosis())] == ["cast", "round"]
    assert [kind for kind, _ in found(run.diagnosis())] == ["cut", "flat"]


def test_a_comparison_that_guards_a_live_branch_is_not_blamed_for_a_death_behind_it():
    run = Run()
    w = run.parameter("w")
    guard = run.node("greater", Edge(w, "absent"), dtype="bool")
    chosen = run.node("where", Edge(guard, "absent"), w)
    run.node("sign", Edge(chosen, "zero", 1.0, "flat"))
    assert [key.split("@")[0] for _, key in found(run.diagnosis())] == ["sign"]


def test_a_dead_way_beside_a_live_one_is_no_alarm():
    run = Run()
    w = run.parameter("w", gradient=0.5)
    route = run.node("argmax", Edge(w, "absent"), dtype="int64")
    run.node("gather", Edge(route, "absent"), w)
    diagnosis = run.diagnosis()
    assert diagnosis.healthy
    assert diagnosis.parameters["w"].status == "reached"


def test_a_stop_is_listed_apart_when_everything_learns_and_is_a_finding_when_something_does_not():
    run = Run()
    w = run.parameter("w", gradient=0.5)
    target = run.node("stop_gradient", Edge(w, "absent"), stop=True, line=4)
    run.node("subtract", target, w)
    assert run.diagnosis().healthy
    assert run.diagnosis().stops == ["stop_gradient@model.py:4"]

    run = Run()
    w = run.parameter("w")
    run.node("mean", run.node("stop_gradient", Edge(w, "absent"), stop=True, line=4))
    assert found(run.diagnosis()) == [("cut", "stop_gradient@model.py:4")]
    assert run.diagnosis().stops == []


def test_a_target_network_beside_its_twin_is_stopped_on_purpose():
    run = Run()
    online = run.parameter("online", gradient=1.0)
    target = run.parameter("target")
    stopped = run.node("stop_gradient", Edge(target, "absent"), stop=True)
    run.node("subtract", online, stopped)
    assert run.diagnosis().healthy
    assert run.diagnosis().parameters["target"].reason == "stopped_on_purpose"


def test_a_value_that_leaves_the_framework_is_found_only_if_the_loss_follows_it():
    def run(responds: bool) -> Diagnosis:
        made = Run()
        w, v = made.parameter("w"), made.parameter("v", gradient=1.0)
        made.node("item", Edge(w, "absent"), leaves=True, line=3)
        made.node("mean", v)
        return made.diagnosis(responds=lambda name: responds)

    assert found(run(True)) == [("cut", "item@model.py:3")]
    assert run(False).healthy
    assert run(False).parameters["w"].status == "unused"


def test_rounding_noise_is_not_a_gradient():
    run = Run()
    w = run.parameter("w", gradient=1e-11, agreement=0.02)
    whole = run.node("divide", w)
    run.node("mean", whole)
    # Every operator passes it on, and the loss does not change: an invariance.
    diagnosis = run.diagnosis(responds=lambda name: False)
    assert diagnosis.parameters["w"].status == "unreached"
    assert diagnosis.parameters["w"].reason == "invariant"
    assert diagnosis.healthy


def test_a_tiny_gradient_that_agrees_with_itself_is_a_gradient():
    run = Run()
    w = run.parameter("w", gradient=1e-18, agreement=1.0)
    run.node("mean", w)
    assert run.diagnosis().parameters["w"].status == "reached"


def test_operators_that_cancel_are_flat_where_their_sum_is_nothing():
    run = Run()
    w = run.parameter("w", gradient=0.0)
    rest = run.node("remainder", w, line=7)
    whole = run.node("subtract", w, rest, line=7)
    run.node("mean", whole)
    assert found(run.diagnosis()) == [("flat", "subtract@model.py:7")]


def test_a_product_with_a_zero_parameter_is_no_death():
    run = Run()
    w, head = run.parameter("w"), run.parameter("head", gradient=1.0)
    run.node("matmul", Edge(w, "zero", 1.0, "blocked"), head)
    diagnosis = run.diagnosis()
    assert diagnosis.healthy
    assert diagnosis.parameters["w"].reason == "zero_initialised"


def test_an_infinite_derivative_is_found_where_it_begins():
    run = Run()
    w = run.parameter("w", gradient=math.nan, non_finite_share=1.0)
    square = run.node("sum", w, gradient=math.nan)
    root = run.node("sqrt", Edge(square, "non_finite", 1.0), line=5)
    run.node("mean", root)
    assert found(run.diagnosis()) == [("non_finite", "sqrt@model.py:5")]


def test_a_nan_loss_is_traced_to_the_operator_that_made_the_first_nan():
    run = Run()
    w = run.parameter("w", gradient=math.nan, non_finite_share=1.0)
    logits = run.node("add", w, inf_born=True, finite=False)
    weights = run.node("softmax", logits, nan_born=True, finite=False, line=8)
    run.node("mean", weights, finite=False)
    assert found(run.diagnosis(value=math.nan)) == [("non_finite", "softmax@model.py:8")]


def test_ties_are_told_from_noise_by_an_operator_whose_derivative_changes():
    run = Run()
    w = run.parameter("w", gradient=1.0, agreement=0.1)
    run.node("max", Edge(w, tie_share=1.0), line=2)
    diagnosis = run.diagnosis()
    assert found(diagnosis) == [("tie", "max@model.py:2")]
    assert diagnosis.parameters["w"].status == "partly_reached"


def test_a_mask_made_of_a_parameter_hides_its_elements_for_good():
    run = Run()
    w = run.parameter("w", gradient=1.0, zero_share=0.5, revivable_share=1.0)
    mask = run.node("greater", Edge(w, "absent"), dtype="bool", line=6)
    run.node("multiply", Edge(mask, "absent"), w)
    diagnosis = run.diagnosis()
    assert found(diagnosis) == [("cut", "greater@model.py:6")]
    assert diagnosis.findings[0].partly == ["w"]
    assert diagnosis.parameters["w"].status == "partly_reached"


def test_the_same_mask_on_activations_is_an_activation():
    run = Run()
    w = run.parameter("w", gradient=1.0, zero_share=0.5, revivable_share=1.0)
    hidden = run.node("matmul", w, on_data=True)
    mask = run.node("greater", Edge(hidden, "absent"), dtype="bool", on_data=True)
    run.node("multiply", Edge(mask, "absent"), hidden, on_data=True)
    assert run.diagnosis().healthy


def test_an_activation_that_passes_next_to_nothing_is_saturated():
    run = Run()
    w = run.parameter("w", gradient=1.0)
    run.node("sigmoid", Edge(w, "passes", 0.99, "saturated"), elementwise=True, line=3)
    diagnosis = run.diagnosis()
    assert found(diagnosis) == [("saturated", "sigmoid@model.py:3")]
    assert diagnosis.findings[0].share == 0.99


def test_frozen_and_unused_parameters_are_no_alarm():
    run = Run()
    run.parameter("frozen", trainable=False)
    run.parameters.append(Parameter("unused", None))
    run.node("mean", run.parameter("w", gradient=1.0))
    diagnosis = run.diagnosis()
    assert diagnosis.healthy
    assert [status.status for status in diagnosis.parameters.values()] == ["frozen", "unused", "reached"]


def test_two_calls_on_one_line_have_two_keys_and_a_loop_has_one():
    run = Run()
    w = run.parameter("w")
    for _ in range(3):
        w = run.node("round", Edge(w, "zero", 1.0, "flat"), line=4)
    run.nodes[-1].place = Place("model.py", 4, "forward", "", column=20)
    run.node("mean", w)
    assert [key for _, key in found(run.diagnosis())] == ["round@model.py:4#2", "round@model.py:4"]


def test_the_flow_goes_from_the_head_to_the_input_and_shows_where_it_stops():
    run = Run()
    w = run.parameter("w")
    hidden = run.node("matmul", w, gradient=0.0)
    code = run.node("sign", Edge(hidden, "zero", 1.0, "flat"), gradient=2.0)
    run.node("mean", code, gradient=1.0)
    flow = [(key.split("@")[0], norm) for key, norm in run.diagnosis().flow]
    assert flow == [("mean", 1.0), ("sign", 2.0), ("matmul", 0.0), ("parameter w", 0.0)]


@pytest.mark.parametrize(("std", "warned"), [(0.1, True), (0.8, False), (8.0, True)])
def test_a_proxy_far_wider_or_narrower_than_its_input_is_warned_of(std: float, warned: bool):
    run = Run()
    w = run.parameter("w", gradient=1.0)
    run.node("sign", w, carried=Carried("clipped_identity(width=1.0)", 0.0, std, 0.5, width=1.0))
    (carried,) = run.diagnosis().carried
    assert bool(carried.warning) is warned
    assert run.diagnosis().healthy


def test_a_diagnosis_is_text_json_and_an_error(tmp_path):
    run = Run()
    run.node("round", Edge(run.parameter("w"), "zero", 1.0, "flat"), line=12)
    diagnosis = run.diagnosis()
    assert "round@model.py:12" in str(diagnosis)
    data = json.loads(diagnosis.to_json(tmp_path / "d.json").read_text())
    assert data["findings"][0]["key"] == "round@model.py:12"
    assert data["healthy"] is False
    assert "round@model.py:12" in diagnosis.to_html(tmp_path / "d.html").read_text()
    with pytest.raises(UnhealthyError, match=r"round@model\.py:12: flat; w; write y = ste\.round\(x\)"):
        diagnosis.assert_healthy()
