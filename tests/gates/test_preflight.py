"""The roster preflight: is there anybody who could approve this?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import ANNA, APPROVER, NORA, OLIVE, VETO, a_policy, a_proposal

from belay.domain.capability import ApprovalRule
from belay.domain.gates import Verdict
from belay.domain.roster import Person, Roster
from belay.gates.admit import _roster_preflight

RISK = "risk_owner"


def roster(**roles: set[str]) -> Roster:
    return Roster(tuple(Person(name, name, "", frozenset(held)) for name, held in roles.items()))


def preflight(people: Roster, quorum: int = 2) -> tuple[Verdict, str]:
    policy = a_policy(approval=ApprovalRule((APPROVER, RISK), quorum, (VETO,), 7200, 3600))
    found = _roster_preflight(people, a_proposal().conflicted, policy)
    return found.verdict, found.sentence


def test_two_people_in_two_roles_can_answer() -> None:
    assert preflight(roster(nora={APPROVER}, ruth={RISK})) == (Verdict.PASS, "2 people could answer")


@pytest.mark.parametrize(
    ("people", "sentence"),
    [
        (roster(nora={APPROVER}), f"nobody could answer as {RISK}"),
        (roster(nora={APPROVER}, anna={RISK}), f"nobody could answer as {RISK}"),  # she owns the agent
        (roster(nora={APPROVER, RISK}), "1 of the roster could answer and the quorum is 2"),
    ],
)
def test_a_step_that_nobody_could_approve_is_held(people: Roster, sentence: str) -> None:
    assert ANNA.id == "anna"
    assert preflight(people) == (Verdict.HOLD, sentence)


def test_who_left_does_not_count() -> None:
    people = roster(nora={APPROVER}, ruth={RISK})
    gone = replace(people, people=tuple(replace(p, active=p.id == NORA.id) for p in people.people))
    assert preflight(gone)[0] is Verdict.HOLD


def test_the_owner_alone_could_not_answer() -> None:
    alone = roster(olive={APPROVER, RISK})
    assert OLIVE.id == "olive"
    assert preflight(alone, quorum=1) == (Verdict.HOLD, "only the owner olive could answer, never alone")
