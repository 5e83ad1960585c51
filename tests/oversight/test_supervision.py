"""Whether people keep up: how many questions they carry, and answers too quick to have been a review."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.support.builders import APPROVER, NORA, VERA, VETO, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.capability import Limits, SupervisionRule
from belay.domain.roster import Person, Roster
from belay.domain.stages import Stage
from belay.oversight.supervision import by_person, by_role, saturation

ROSTER = Roster(
    tuple(
        Person(name, name.title(), f"{name}@shop.example", frozenset({role}))
        for name, role in (("nora", APPROVER), ("pat", APPROVER), ("omar", "risk_owner"), ("vera", VETO))
    )
)
RULE = SupervisionRule(max_pending_each=2, least_answers=3)


def asked(count):
    """Return a rehearsal in which as many optimizations wait for an approval, one surface each."""
    limits = Limits(
        max_variants=2, max_live=99, changes_per_day=99, max_open_requests=99, blindness_seconds=600
    )
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST, limits=limits))
    for number in range(count):
        r.proposed(f"opt-{number}")
        r.asked(f"opt-{number}")
    return r


def answer(r, name, seconds, *, opened=False):
    request = next(q for q in r.state.open_requests() if q.optimization == name)
    if opened:
        r.do(c.OpenReview(request.id), NORA)
    r.now = request.asked_at + timedelta(seconds=seconds)
    r.do(replace(vote_on(request), reason="fine"), NORA)


def vote_on(request):
    from belay.domain.events import Choice

    return c.CastVote(request.id, Choice.APPROVE, "", frozenset({APPROVER}), request.digest, "cli")


def test_four_requests_saturate_two_people_of_whom_each_takes_two():
    r = asked(3)
    assert saturation(r.state, ROSTER, (APPROVER,), RULE, r.now) is None
    r = asked(4)
    said = saturation(r.state, ROSTER, (APPROVER,), RULE, r.now)
    assert said == "2 approvers, 4 open requests: supervision is saturated"
    assert saturation(r.state, ROSTER, ("risk_owner",), RULE, r.now) is None


def test_answers_in_seconds_without_the_review_are_a_formality():
    r = asked(3)
    for number in range(3):
        answer(r, f"opt-{number}", 2)
    said = saturation(r.state, ROSTER, (APPROVER,), RULE, r.now)
    assert said is not None
    assert said.startswith("3 of 3 answers came within 10 s and without the review being opened")


def test_who_opened_the_review_may_be_quick():
    r = asked(3)
    for number in range(3):
        answer(r, f"opt-{number}", 2, opened=True)
    assert saturation(r.state, ROSTER, (APPROVER,), RULE, r.now) is None


def test_figures_by_role_and_by_person():
    r = asked(3)
    answer(r, "opt-0", 60)
    answer(r, "opt-1", 5)
    r.do(c.Veto("opt-1", "no", frozenset({VETO}), "cli"), VERA)
    (role,) = by_role(r.state, ROSTER, RULE, r.now)
    assert (role.who, role.people, role.pending, role.answers) == (APPROVER, 2, 1, 2)
    assert (role.median_seconds, role.hasty, role.hasty_share, role.reversed) == (32.5, 1, 0.5, 1)
    people = {load.who: (load.pending, load.answers) for load in by_person(r.state, ROSTER, RULE, r.now)}
    assert people == {"nora": (1, 2), "pat": (1, 0)}


def test_what_was_long_ago_does_not_count():
    r = asked(1)
    answer(r, "opt-0", 2)
    r.tick(RULE.period_seconds + 60)
    assert by_role(r.state, ROSTER, RULE, r.now) == []
