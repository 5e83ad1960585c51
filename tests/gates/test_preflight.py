"""The roster preflight: is there anybody who could approve this?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import ANNA, APPROVER, NORA, OLIVE, a_proposal

from belay.domain.answering import roster_finding
from belay.domain.gates import Verdict
from belay.domain.quorum import quorum_of
from belay.domain.roster import Person, Roster

RISK = "risk_owner"


def roster(**roles: set[str]) -> Roster:
    return Roster(tuple(Person(name, name, "", frozenset(held)) for name, held in roles.items()))


def preflight(people: Roster, quorum: int = 2) -> tuple[Verdict, str]:
    out = a_proposal().conflicted
    found = roster_finding(quorum_of(people, (APPROVER, RISK), quorum, owner=OLIVE.id, without=out))
    return found.verdict, found.sentence


def test_two_people_in_two_roles_can_answer() -> None:
    assert preflight(roster(nora={APPROVER}, ruth={RISK})) == (Verdict.PASS, "2 people could answer")


@pytest.mark.parametrize(
    ("people", "sentence"),
    [
        (roster(nora={APPROVER}), f"nobody could answer as {RISK}"),
        (roster(nora={APPROVER}, anna={RISK}), f"nobody could answer as {RISK}"),  # she owns the agent
        (roster(nora={APPROVER, RISK}), "1 person could answer and the quorum is 2"),
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
