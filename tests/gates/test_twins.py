"""Guards that a step and a promotion, who ask people by one set of rules, are asked and named alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.builders import APPROVER, EASY, NORA, OLIVE, VETO, Rehearsal, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.answering import who_may_answer
from belay.domain.calendar import Calendar, Hours
from belay.domain.capability import ApprovalRule, SupervisionRule
from belay.domain.events import Choice, RequestEscalated, RequestReminded
from belay.domain.gates import Verdict
from belay.domain.request_state import RequestState
from belay.domain.roster import Person, Roster
from belay.domain.rules.due import due_demotions
from belay.domain.stages import Stage
from belay.gates.airflow_answers import request_of_run, run_that_asks
from belay.gates.promotion_due import due_findings
from belay.orchestration.resume import wake
from belay.oversight.supervision import by_person
from belay.present.card import build_card

RUN = "scheduled__2026-03-06T06:00:00+00:00"
FRIDAY = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)
"""17:00 in Berlin, an hour before the office closes."""
OFFICE = Calendar("office", "Europe/Berlin", hours=(*[Hours(time(9), time(18))] * 5, None, None))
ASKS = ApprovalRule(
    (APPROVER,),
    1,
    (VETO,),
    expires_seconds=8 * 3600,
    notice_seconds=3600,
    remind_after=0.5,
    escalate_after=0.75,
    escalate_to=("duty",),
)
SUBJECTS = ["a step", "a promotion"]


def asked(subject: str, run: str = RUN, **changes: Any) -> tuple[Rehearsal, RequestState]:
    """Ask people about a step, or about a promotion, at the stage where both need an approval."""
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST, **changes), now=FRIDAY).adopt()
    if subject == "a step":
        r.do(c.Propose(a_proposal(), r.policy), OLIVE)
        r.asked()
    else:
        r.promotion_reviewed(Stage.SUPERVISED, run)
        r.do(c.RequestPromotion("wording", run, r.policy))
    return r, r.request()


def woken(r: Rehearsal, request: RequestState) -> list[tuple[str, str]]:
    """Wake the run that waits for ``request``; return the runs that Airflow let look."""
    looked: list[tuple[str, str]] = []
    airflow: Any = SimpleNamespace(look_again=looked.append)
    belay: Any = SimpleNamespace(ledger=SimpleNamespace(state=lambda: r.state))
    wake(belay, airflow, request)
    return looked


# -- one calendar, one reminder, one escalation ---------------------------------------------------


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_question_of_friday_evening_waits_for_the_working_hours_of_monday(subject: str) -> None:
    _, request = asked(subject, calendar=OFFICE, approval=ASKS)
    assert request.expires_at == FRIDAY + timedelta(days=2, hours=23), "Monday 16:00 in Berlin"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_who_is_silent_is_reminded_and_then_stood_in_for(subject: str) -> None:
    r, request = asked(subject, approval=ASKS)
    said = []
    for _ in range(4):
        r.tick(1.9 * 3600)
        said += r.do(c.SettleRequest(request.id))
    assert [type(event) for event in said] == [RequestReminded, RequestEscalated]
    standing_in = replace(r.vote(), roles=frozenset({"duty"}))
    r.do(standing_in, NORA)
    assert r.state.requests[request.id].status == "granted"


# -- one name of a run ----------------------------------------------------------------------------


def test_an_answer_wakes_the_run_by_the_name_that_airflow_gave_it() -> None:
    assert woken(*asked("a step")) == [("rollout__wording", "opt-1-run-1")]
    assert woken(*asked("a promotion", f"promotion__wording:{RUN}")) == [("promotion__wording", RUN)]


def test_a_promotion_without_airflow_wakes_nobody_there() -> None:
    assert woken(*asked("a promotion", "local:wording-2")) == []


@pytest.mark.parametrize(
    ("subject", "run"), [("a step", "opt-1-run-1"), ("a promotion", f"promotion__wording:{RUN}")]
)
def test_a_run_of_that_name_in_another_dag_asks_something_else(subject: str, run: str) -> None:
    r, request = asked(subject, run)
    asking = run_that_asks(r.state, request)
    assert asking is not None
    assert request_of_run(r.state, asking) == request
    for dag in ("rollout__ranking", "promotion__ranking", "rollout__wording", "promotion__wording"):
        if dag != asking.dag:
            assert request_of_run(r.state, asking._replace(dag=dag)) is None


# -- a lease --------------------------------------------------------------------------------------


def leased(**changes: Any) -> tuple[Rehearsal, datetime]:
    """Return a capability whose lease ends on Saturday morning, and when."""
    ends = datetime(2026, 3, 7, 10, tzinfo=UTC)
    rule = replace(EASY, leases={Stage.SUPERVISED: 5 * 86_400.0})
    r = Rehearsal(a_policy(calendar=OFFICE, approval=ASKS, autonomy=rule, **changes), now=ends)
    r.tick(-5 * 86_400)
    r.adopt()
    assert r.state.capabilities["wording"].lease_until == ends
    return r, ends


def lapse(r: Rehearsal, at: datetime) -> str:
    """Return by which rule a stage is lost at ``at``, if one is."""
    return "".join(demotion.rule for demotion in due_demotions(r.state, r.policy, at))


def test_a_lease_that_ends_on_a_weekend_lapses_when_people_are_back() -> None:
    r, ends = leased()
    assert lapse(r, ends + timedelta(hours=30)) == ""
    assert lapse(r, datetime(2026, 3, 9, 7, 59, tzinfo=UTC)) == "", "Monday, a minute before nine in Berlin"
    assert lapse(r, datetime(2026, 3, 9, 8, tzinfo=UTC)) == "lease"


def test_a_lease_waits_for_the_answer_to_a_question_that_was_asked_before_its_end() -> None:
    r, _ = leased()
    r.now = FRIDAY
    run = r.promotion_reviewed(Stage.SUPERVISED)
    r.do(c.RequestPromotion("wording", run, r.policy))
    ends = r.request().expires_at
    assert lapse(r, ends - timedelta(minutes=1)) == ""
    assert lapse(r, ends) == "lease", "silence means no"
    r.do(replace(r.vote(Choice.REJECT), roles=frozenset({APPROVER})), NORA)
    assert lapse(r, datetime(2026, 3, 9, 8, tzinfo=UTC)) == "lease", "and so does a no"


def test_a_question_that_comes_after_the_end_keeps_no_lease() -> None:
    r, ends = leased()
    r.now = ends + timedelta(hours=1)
    run = r.promotion_reviewed(Stage.SUPERVISED)
    r.do(c.RequestPromotion("wording", run, r.policy))
    assert lapse(r, datetime(2026, 3, 9, 8, tzinfo=UTC)) == "lease"


# -- who may answer -------------------------------------------------------------------------------


def test_where_only_the_owner_could_answer_a_promotion_says_so_too() -> None:
    roster = Roster((Person(OLIVE.id, "Olive", "", frozenset({APPROVER})),))
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST)).adopt()
    (found,) = due_findings(r.state, r.policy, Stage.SUPERVISED, roster, r.now, asked=True)
    assert (found.verdict, found.sentence) == (
        Verdict.HOLD,
        "only the owner olive could answer, never alone",
    )


def test_a_stand_in_is_asked_in_every_channel_and_who_has_answered_in_none() -> None:
    """The card, the reminder in Slack and the list of what people keep up with name the same people."""
    people = {"olive": APPROVER, "nora": APPROVER, "paul": "duty", "carla": "none"}
    roster = Roster(tuple(Person(n, n, "", frozenset({r}), slack_id=n) for n, r in people.items()))
    r, request = asked("a promotion", approval=replace(ASKS, quorum=2))
    r.do(c.Delegate("carla", frozenset({APPROVER}), r.now + timedelta(days=3), "on leave", "cli"), NORA)
    r.tick(7 * 3600)
    r.do(c.SettleRequest(request.id))
    r.do(r.vote(), OLIVE)
    request = r.state.requests[request.id]
    answerers = who_may_answer(r.state, request, roster, r.now)
    assert [one.person.id for one in answerers] == ["olive", "nora", "paul", "carla"]
    silent = {one.person.id for one in answerers} - request.heard
    loads = by_person(r.state, roster, SupervisionRule(), r.now)
    assert {load.who for load in loads if load.pending} == silent == {"nora", "paul", "carla"}
    card = build_card(r.state, request, review=None, roster=roster, ledger_head=(1, ""), now=r.now)
    assert {one.name for one in card.deciders if not one.answered} == silent
