"""Stages, classes, ramps, actors and names: the small words everything rests on."""

from __future__ import annotations

import pytest
from tests.support.builders import a_policy

from belay.domain.actors import agent, human, service
from belay.domain.digest import canonical_json, sha256_of
from belay.domain.gates import ReviewVerdict, Verdict
from belay.domain.metrics import Metric
from belay.domain.scope import Ramp, percent
from belay.domain.stages import DecisionClass, Stage, lower


def test_the_ladder() -> None:
    ladder = [Stage.OBSERVE, Stage.SUGGEST, Stage.SUPERVISED, Stage.BOUNDED, Stage.AUTONOMOUS]
    assert [stage.rank for stage in ladder] == [0, 1, 2, 3, 4]
    assert [stage.above for stage in ladder] == [*ladder[1:], None]
    assert [stage.below for stage in ladder] == [None, *ladder[:-1]]
    assert lower(Stage.BOUNDED, Stage.SUGGEST, Stage.AUTONOMOUS) is Stage.SUGGEST


def test_what_each_class_may_reach() -> None:
    ceilings = {decision_class: decision_class.ceiling for decision_class in DecisionClass}
    assert ceilings == {
        "human_only": "suggest",
        "bounded": "bounded",
        "reversible": "autonomous",
    }


def test_a_policy_caps_by_ceiling_and_class() -> None:
    policy = a_policy(ceiling=Stage.BOUNDED, decision_class=DecisionClass.HUMAN_ONLY)
    assert policy.capped(Stage.AUTONOMOUS) is Stage.SUGGEST
    assert policy.capped(Stage.OBSERVE) is Stage.OBSERVE
    assert all(isinstance(metric, Metric) for metric in policy.metrics)


@pytest.mark.parametrize("steps", [(), (0, 100), (100, 10_001), (100, 100), (500, 100), (-1,)])
def test_what_is_no_ramp(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ramp"):
        Ramp(steps)


def test_one_step_after_the_other() -> None:
    ramp = Ramp((100, 500, 10_000))
    assert [ramp.step_after(scope) for scope in (0, 99, 100, 300, 500, 9_999, 10_000)] == [
        100,
        100,
        500,
        500,
        10_000,
        10_000,
        None,
    ]


def test_scope_as_people_read_it() -> None:
    assert [percent(scope) for scope in (0, 1, 50, 100, 2_550, 10_000)] == [
        "0 %",
        "0.01 %",
        "0.5 %",
        "1 %",
        "25.5 %",
        "100 %",
    ]


def test_actors_by_name() -> None:
    assert [str(actor) for actor in (human("anna"), agent("bot"), service("guard"))] == [
        "human:anna",
        "agent:bot",
        "service:guard",
    ]
    assert human("anna") != agent("anna")


def test_one_content_one_name() -> None:
    assert canonical_json({"b": 1, "a": ["é", None]}) == '{"a":["é",null],"b":1}'
    assert sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
    assert sha256_of({"a": 1}) != sha256_of({"a": 1.5})


def test_what_a_review_means_for_its_gate() -> None:
    assert {review: review.gate for review in ReviewVerdict} == {
        "widen": Verdict.PASS,
        "hold": Verdict.HOLD,
        "stop": Verdict.FAIL,
        "roll_back": Verdict.FAIL,
    }
