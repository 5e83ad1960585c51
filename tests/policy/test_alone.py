"""What AI may do alone is one sentence, for every stage of every capability that ships."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import a_policy

from belay.domain.capability import ApprovalRule
from belay.domain.scope import Ramp
from belay.domain.stages import DecisionClass, Stage
from belay.policy.alone import alone

POLICY = replace(
    a_policy(),
    decision_class=DecisionClass.REVERSIBLE,
    ceiling=Stage.AUTONOMOUS,
    ramp=Ramp((100, 500, 10_000)),
    free_scope=500,
    approval=ApprovalRule(("cx_owner",), 1, ("veto",), expires_seconds=86_400, notice_seconds=14_400),
)


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Stage.OBSERVE, "Alone: nothing. At this stage nothing is shown to anybody; people judge the ideas."),
        (
            Stage.SUGGEST,
            (
                "Alone: nothing. First 1 %: a cx_owner approves. To 5 %: a cx_owner approves. "
                "Beyond: a cx_owner approves."
            ),
        ),
        (
            Stage.SUPERVISED,
            (
                "Alone: nothing. First 1 %: goes ahead 4h after people are told, unless vetoed. "
                "To 5 %: a cx_owner approves. Beyond: a cx_owner approves."
            ),
        ),
        (
            Stage.BOUNDED,
            (
                "Alone: first 1 %. First 1 %: at once, and people are told. "
                "To 5 %: goes ahead 4h after people are told, unless vetoed. Beyond: a cx_owner approves."
            ),
        ),
        (
            Stage.AUTONOMOUS,
            (
                "Alone: first 1 %, to 5 %. First 1 %: at once, and people are told. To 5 %: at once, and "
                "people are told. Beyond: goes ahead 4h after people are told, unless vetoed."
            ),
        ),
    ],
)
def test_each_stage_says_what_is_done_alone_and_what_people_do(stage, said):
    assert alone(POLICY, stage) == said


def test_more_people_than_roles_are_counted():
    many = replace(POLICY, approval=replace(POLICY.approval, quorum=3))
    assert "3 people approve, among them a cx_owner." in alone(many, Stage.SUGGEST)
    both = replace(POLICY, approval=replace(POLICY.approval, roles=("cx_owner", "risk_owner"), quorum=2))
    assert "a cx_owner and a risk_owner approve." in alone(both, Stage.SUGGEST)


def test_a_stage_above_the_ceiling_says_what_the_ceiling_allows():
    human = replace(POLICY, decision_class=DecisionClass.HUMAN_ONLY, ceiling=Stage.SUGGEST)
    assert alone(human, Stage.AUTONOMOUS) == alone(POLICY, Stage.SUGGEST)
