"""Every limit of the rules, at it: one below, exactly at it, one above."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.builders import (
    ANNA,
    APPROVER,
    BOT,
    EASY,
    MAY_LIFT,
    NORA,
    NOW,
    VERA,
    VETO,
    Rehearsal,
    a_policy,
    a_proposal,
)

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import human, service
from belay.domain.autonomy import DAY, DemotionRule
from belay.domain.calendar import Calendar, FreezePeriod
from belay.domain.capability import ApprovalRule
from belay.domain.events import Choice
from belay.domain.evolve import evolve
from belay.domain.gates import Estimate, Gate, PromotionGate, Verdict
from belay.domain.metrics import PrimaryRule
from belay.domain.proposal import Variant
from belay.domain.recorded import Recorded
from belay.domain.rules.actuation import widening_stands
from belay.domain.rules.answer import Refusal
from belay.domain.rules.delegation import LONGEST
from belay.domain.rules.due import Facts, due_demotions
from belay.domain.scope import HoldbackRule, Ramp
from belay.domain.stages import DecisionClass, Stage
from belay.domain.state import Status

GUARD = service("guard")
SUGGEST = a_policy(initial_stage=Stage.SUGGEST)
WEEK = 7 * DAY


def veto(target: str = "opt-1", **changes: object) -> c.Veto:
    return replace(c.Veto(target, "not like this", frozenset({VETO}), "cli"), **changes)


# -- the veto of a promotion ----------------------------------------------------------------------


def promotion(then: str) -> tuple[Rehearsal, str]:
    """Return a rehearsal whose one promotion's request was left open, granted, used, rejected or expired."""
    r = Rehearsal(SUGGEST).adopt()
    run = r.promotion_reviewed(Stage.SUPERVISED)
    r.do(c.RequestPromotion("wording", run, r.policy))
    request = r.request().id
    if then in {"granted", "used"}:
        r.do(r.vote(), NORA)
    if then == "used":
        r.do(c.Promote("wording", Stage.SUPERVISED, "earned"))
    if then == "rejected":
        r.do(r.vote(Choice.REJECT), NORA)
    if then == "expired":
        r.now = r.request().expires_at
        r.do(c.SettleRequest(request))
    return r, request


@pytest.mark.parametrize("then", ["open", "granted"])
def test_a_promotion_is_vetoed_until_its_grant_is_used(then: str) -> None:
    r, request = promotion(then)
    vetoed, closed = r.do(veto(request), VERA)
    assert isinstance(vetoed, e.Vetoed)
    assert isinstance(closed, e.RequestClosed)
    assert r.state.requests[request].status == "rejected"
    assert r.state.capabilities["wording"].grant is None
    assert r.refused(c.Promote("wording", Stage.SUPERVISED, "earned")) == "no-grant"


@pytest.mark.parametrize("then", ["used", "rejected", "expired"])
def test_a_promotion_that_is_closed_or_used_has_nothing_left_to_veto(then: str) -> None:
    r, request = promotion(then)
    before = r.state
    answer = r.ask(veto(request), VERA)
    assert isinstance(answer, Refusal)
    assert (answer.rule, answer.kept) == ("request-closed", False)
    assert r.state == before


def test_the_grant_of_another_promotion_keeps_no_older_one_open_to_a_veto() -> None:
    r, rejected = promotion("rejected")
    r.promotion_granted(Stage.SUPERVISED)
    assert r.refused(veto(rejected), VERA) == "request-closed"
    assert r.state.capabilities["wording"].grant is not None


@pytest.mark.parametrize("then", ["open", "granted"])
def test_a_veto_on_the_capability_takes_its_promotion_along(then: str) -> None:
    r, request = promotion(then)
    closed = [one for one in r.do(veto("capability:wording"), VERA) if isinstance(one, e.RequestClosed)]
    assert [one.request for one in closed] == [request]
    assert r.state.requests[request].status == "void"


@pytest.mark.parametrize("then", ["used", "rejected", "expired"])
def test_a_veto_on_the_capability_leaves_a_promotion_that_is_over(then: str) -> None:
    r, request = promotion(then)
    before = r.state.requests[request]
    r.do(veto("capability:wording"), VERA)
    assert r.state.requests[request] == before


def test_a_veto_on_the_capability_leaves_the_questions_of_steps_to_their_optimizations() -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.asked()
    closed = [one for one in r.do(veto("capability:wording"), VERA) if isinstance(one, e.RequestClosed)]
    assert len(closed) == 1, "once, with its optimization"


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [({"ops"}, True), ({VETO}, True), ({"ops", VETO}, True), ({APPROVER}, False), (set(), False)],
)
def test_ops_take_one_change_down_and_no_capability(roles: set[str], *, allowed: bool) -> None:
    r = Rehearsal().proposed()
    answer = r.ask(veto(roles=frozenset(roles)), VERA)
    assert isinstance(answer, Refusal) is not allowed
    if VETO not in roles:
        assert r.refused(veto("capability:wording", roles=frozenset(roles)), VERA) == "role"


# -- what counts as live --------------------------------------------------------------------------


def test_live_begins_with_the_intent_and_ends_when_zero_is_read_back() -> None:
    r = Rehearsal(a_policy(ramp=Ramp((1, 10_000)))).proposed()
    seen = [r.optimization().live]
    r.intended()
    seen.append(r.optimization().live)
    r.confirm()
    assert r.optimization().scope == 1
    seen.append(r.optimization().live)
    r.do(c.RollBack("opt-1", "person", "enough"))
    seen.append(r.optimization().live)
    r.confirm()
    seen.append(r.optimization().live)
    assert seen == [False, True, True, True, False]


def test_a_widening_that_is_turned_back_to_zero_is_not_live() -> None:
    r = Rehearsal().proposed()
    r.intended()
    r.do(c.RollBack("opt-1", "person", "enough"))
    assert r.optimization().pending is not None
    assert not r.optimization().live


# -- the last question before the flag is written -------------------------------------------------


def stands(r: Rehearsal, to_scope: int = 100, epoch: int = 1, name: str = "opt-1") -> str:
    refusal = widening_stands(r.state, name, to_scope, epoch)
    return refusal.rule if refusal else ""


def test_a_widening_stands_as_it_was_intended_and_no_other() -> None:
    r = Rehearsal().proposed()
    assert stands(r, name="opt-9") == "unknown-optimization"
    assert stands(r) == "stale-epoch"
    r.intended()
    assert stands(r) == ""
    assert (stands(r, 99), stands(r, 101), stands(r, 100, 0), stands(r, 100, 2)) == ("stale-epoch",) * 4
    r.confirm()
    assert stands(r) == "stale-epoch", "it is there already"


@pytest.mark.parametrize(
    ("then", "rule"),
    [
        (c.Freeze("all", "look"), "stale-epoch"),
        (c.ReportBlind("outcomes", "all", "late", NOW), "stale-epoch"),
        (c.AdoptPolicy(a_policy(title="Other words"), "changed"), "stale-epoch"),
        (c.RollBack("opt-1", "person", "enough"), "stale-epoch"),
    ],
)
def test_what_forbids_a_widening_turns_it_back_in_the_same_breath(then: c.Command, rule: str) -> None:
    r = Rehearsal().proposed()
    r.intended()
    r.do(then, NORA)
    assert stands(r) == rule


def test_a_widening_stands_no_longer_than_what_it_rests_on() -> None:
    """What one command turns back at once, a state that was put together otherwise must not show either."""
    r = Rehearsal().proposed()
    r.intended()
    whole, known, capability = r.state, r.optimization(), r.state.capabilities["wording"]

    def with_optimization(**changes: object) -> str:
        r.state = replace(whole, optimizations={"opt-1": replace(known, **changes)})
        return stands(r)

    assert known.grant is not None
    assert known.step is not None
    assert with_optimization(status=Status.KILLED) == "ended"
    assert with_optimization(step=None) == "no-grant"
    assert with_optimization(grant=None) == "no-grant"
    assert with_optimization(grant=replace(known.grant, step=2)) == "no-grant"
    assert with_optimization(grant=replace(known.grant, to_scope=500)) == "no-grant"
    assert with_optimization(step=replace(known.step, policy="another")) == "grant-void"
    r.state = replace(whole, capabilities={"wording": replace(capability, stage=Stage.OBSERVE)})
    assert stands(r) == "grant-void"
    r.state = whole
    assert stands(r) == ""
    r.tick(1)
    r.do(c.Freeze("capability:wording", "look"), NORA)
    r.state = replace(whole, freezes=r.state.freezes)
    assert stands(r) == "freeze"


# -- the harm budget ------------------------------------------------------------------------------


def harmed(r: Rehearsal, name: str = "opt-1") -> None:
    r.proposed(name)
    r.widened(name)
    r.tick(2 * DAY)
    r.do(c.RollBack(name, "guard", "conversion fell"))
    r.confirm(name)


def test_harm_at_the_moment_the_freeze_was_lifted_is_answered_for_and_a_moment_later_is_not() -> None:
    r = Rehearsal()
    harmed(r)
    r.do(c.SpendHarm(0.01), GUARD)
    r.do(c.Unfreeze("all", "looked into", MAY_LIFT), NORA)
    assert r.state.budget_from == r.now == r.optimization().results.hurt_at
    assert r.do(c.SpendHarm(0.01), GUARD) == ()
    r.tick(0.000001)
    harmed(r, "opt-2")
    frozen, *_ = r.do(c.SpendHarm(0.01), GUARD)
    assert isinstance(frozen, e.Frozen)
    assert "opt-1" not in frozen.reason
    assert "opt-2 0.02" in frozen.reason


@pytest.mark.parametrize(("seconds", "spent"), [(WEEK - 1, True), (WEEK, False), (WEEK + 1, False)])
def test_a_weeks_harm_ends_after_a_week(seconds: float, *, spent: bool) -> None:
    r = Rehearsal()
    harmed(r)
    r.tick(seconds)
    assert bool(r.do(c.SpendHarm(0.01), GUARD)) is spent


def test_harm_that_may_not_last_counts_too_and_the_latest_of_a_change_counts_once() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.tick(2 * DAY)
    r.do(c.RollBack("opt-1", "caution", "so far"))
    r.confirm()
    assert r.optimization().results.harmed_at is None
    (frozen,) = r.do(c.SpendHarm(0.0199), GUARD)
    assert isinstance(frozen, e.Frozen)


# -- blindness ------------------------------------------------------------------------------------


def blind(r: Rehearsal) -> None:
    r.do(c.ReportBlind("outcomes", "all", "late", r.now), GUARD)


def test_one_act_shrinks_all_that_was_not_seen_and_what_is_seen_again_stops_no_other() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=2)
    blind(r)
    unseen, gone, seen = (
        c.Shrink(name, source, "not seen")
        for name, source in (("opt-1", "outcomes"), ("opt-9", "outcomes"), ("opt-1", "exposures"))
    )
    (narrowed,) = r.do(c.ShrinkAll((gone, seen, unseen)), GUARD)
    assert isinstance(narrowed, e.NarrowingIntended)
    assert (narrowed.optimization, narrowed.to_scope, narrowed.cause) == ("opt-1", 100, "blind")
    r.confirm()
    assert r.do(c.ShrinkAll((unseen,)), GUARD) == ()


@pytest.mark.parametrize(("steps", "left"), [(1, 0), (2, 100), (3, 500)])
def test_what_was_not_seen_shrinks_to_what_was_shown_harmless(steps: int, left: int) -> None:
    r = Rehearsal().proposed()
    r.widened(steps=steps)
    assert r.refused(c.Shrink("opt-1", "outcomes", "not seen"), GUARD) == "not-blind"
    blind(r)
    assert r.refused(c.Shrink("opt-9", "outcomes", "not seen"), GUARD) == "unknown-optimization"
    assert r.refused(c.Shrink("opt-1", "exposures", "not seen"), GUARD) == "not-blind"
    (narrowed,) = r.do(c.Shrink("opt-1", "outcomes", "not seen"), GUARD)
    assert isinstance(narrowed, e.NarrowingIntended)
    assert narrowed.to_scope == left
    r.confirm()
    assert r.do(c.Shrink("opt-1", "outcomes", "not seen"), GUARD) == ()
    assert r.optimization().status == "held"


@pytest.mark.parametrize(("scope", "recorded"), [(99, False), (100, True), (101, False)])
def test_only_the_scope_that_is_shown_is_shown_harmless(scope: int, *, recorded: bool) -> None:
    r = Rehearsal().proposed()
    r.widened()
    assert bool(r.do(c.RecordHarmless("opt-1", scope, "fine"), GUARD)) is recorded
    if recorded:
        assert r.optimization().shown_harmless == scope
        assert r.do(c.RecordHarmless("opt-1", scope, "fine"), GUARD) == (), "once"


def test_a_blindness_of_another_surface_shrinks_nothing() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.do(c.ReportBlind("outcomes", "surface:basket", "late", r.now), GUARD)
    assert r.refused(c.Shrink("opt-1", "outcomes", "not seen"), GUARD) == "not-blind"


# -- the hold-back --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "turn"),
    [(0, None), (3599, None), (3600, (200, 1)), (7199, (200, 1)), (7200, (0, 0)), (9999, (0, 0))],
)
def test_a_turn_of_the_hold_back_is_due_at_its_time_and_its_end_at_the_horizon(
    seconds: int, turn: tuple[int, int] | None
) -> None:
    rule = HoldbackRule(share=200, horizon_seconds=7200, rotate_seconds=3600)
    r = Rehearsal(a_policy(holdback=rule)).proposed()
    r.widened(steps=4)
    assert r.optimization().holdback == 200
    events = r.do(c.TurnHoldback("opt-1", r.now + timedelta(seconds=seconds)), GUARD)
    assert [(event.share, event.rotation) for event in events] == ([] if turn is None else [turn])
    assert r.refused(c.TurnHoldback("opt-9", r.now), GUARD) == "unknown-optimization"


def test_nothing_turns_before_the_top() -> None:
    rule = HoldbackRule(share=200, horizon_seconds=7200, rotate_seconds=3600)
    r = Rehearsal(a_policy(holdback=rule)).proposed()
    r.widened(steps=3)
    assert r.do(c.TurnHoldback("opt-1", r.now + timedelta(days=9)), GUARD) == ()


# -- delegation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "refused"),
    [
        (timedelta(seconds=-1), True),
        (timedelta(0), True),
        (timedelta(seconds=1), False),
        (LONGEST, False),
        (LONGEST + timedelta(seconds=1), True),
    ],
)
def test_a_delegation_ends_in_the_future_and_within_a_quarter(until: timedelta, *, refused: bool) -> None:
    r = Rehearsal().adopt()
    command = c.Delegate("pat", frozenset({APPROVER}), r.now + until, "away", "cli")
    assert timedelta(days=92) == LONGEST
    if refused:
        assert r.refused(command, NORA) == "period"
    else:
        assert len(r.do(command, NORA)) == 1
        assert r.do(command, NORA) == (), "asked twice, given once"


def test_a_delegation_holds_from_its_first_moment_to_just_before_its_end() -> None:
    r = Rehearsal().adopt()
    start, end = r.now, r.now + timedelta(hours=1)
    r.do(c.Delegate("pat", frozenset({APPROVER}), end, "away", "cli"), NORA)
    moment = timedelta(microseconds=1)
    held = [bool(r.state.delegated_to("pat", at)) for at in (start - moment, start, end - moment, end)]
    assert held == [False, True, True, False]
    assert r.state.delegated_to("nora", start) == []


# -- admission ------------------------------------------------------------------------------------


def admitted(r: Rehearsal, name: str = "opt-1") -> bool:
    r.started(name)
    step = r.optimization(name).step
    assert step is not None
    return step.gates[Gate.ADMIT].verdict is Verdict.PASS


@pytest.mark.parametrize(("variants", "passes"), [(1, True), (2, True), (3, False)])
def test_as_many_variants_as_the_policy_allows(variants: int, *, passes: bool) -> None:
    r = Rehearsal().proposed(variants=tuple(Variant(f"v{n}", n) for n in range(variants)))
    assert admitted(r) is passes


@pytest.mark.parametrize(("variants", "passes"), [(1, True), (2, True), (3, False)])
def test_as_many_variants_as_the_surface_bears(variants: int, *, passes: bool) -> None:
    policy = a_policy()
    policy = replace(
        policy,
        limits=replace(policy.limits, max_variants=9),
        guard=replace(policy.guard, variants_per_surface=2),
    )
    r = Rehearsal(policy).proposed(variants=tuple(Variant(f"v{n}", n) for n in range(variants)))
    assert admitted(r) is passes


@pytest.mark.parametrize(("seconds", "passes"), [(DAY - 1, False), (DAY, True), (DAY + 1, True)])
def test_the_change_budget_is_of_the_last_24_hours(seconds: float, *, passes: bool) -> None:
    policy = a_policy()
    r = Rehearsal(replace(policy, limits=replace(policy.limits, changes_per_day=1))).proposed()
    r.widened()
    r.tick(seconds)
    assert admitted(r) is passes


@pytest.mark.parametrize(("limit", "passes"), [(1, False), (2, True)])
def test_supervision_is_saturated_at_its_limit(limit: int, *, passes: bool) -> None:
    policy = a_policy(initial_stage=Stage.SUGGEST)
    policy = replace(policy, limits=replace(policy.limits, max_open_requests=limit))
    r = Rehearsal(policy).proposed()
    r.asked()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    assert admitted(r, "opt-2") is passes


@pytest.mark.parametrize(("live", "passes"), [(1, False), (2, True)])
def test_as_many_live_as_the_policy_allows(live: int, *, passes: bool) -> None:
    policy = a_policy()
    r = Rehearsal(replace(policy, limits=replace(policy.limits, max_live=live))).proposed()
    r.widened()
    r.policy = replace(r.policy, surface="basket", digest="b" * 64)
    r.adopt()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    assert admitted(r, "opt-2") is passes


@pytest.mark.parametrize(("units", "passes"), [(1, False), (2, True)])
def test_a_unit_meets_as_many_changes_as_the_policy_allows(units: int, *, passes: bool) -> None:
    policy = a_policy()
    r = Rehearsal(replace(policy, guard=replace(policy.guard, changes_per_unit=units))).proposed()
    r.widened()
    r.policy = replace(r.policy, surface="basket", digest="b" * 64)
    r.adopt()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    assert admitted(r, "opt-2") is passes


@pytest.mark.parametrize(
    ("mine", "theirs", "meets"),
    [
        ({}, {}, True),
        ({"country": "de"}, {}, True),
        ({}, {"country": "de"}, True),
        ({"country": "de"}, {"country": "de"}, True),
        ({"country": "de"}, {"country": "fr"}, False),
        ({"country": "de", "age": "1"}, {"country": "de", "age": "2"}, False),
    ],
)
def test_audiences_that_exclude_each_other_never_meet(
    mine: dict[str, str], theirs: dict[str, str], *, meets: bool
) -> None:
    policy = a_policy()
    r = Rehearsal(replace(policy, guard=replace(policy.guard, changes_per_unit=1))).proposed(audience=theirs)
    r.widened()
    r.policy = replace(r.policy, surface="basket", digest="b" * 64)
    r.adopt()
    r.do(c.Propose(a_proposal("opt-2", audience=mine), r.policy), BOT)
    assert admitted(r, "opt-2") is not meets


# -- proposals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "taken"), [(DAY - 1, False), (DAY, True)])
def test_the_number_of_proposals_is_of_the_last_24_hours(seconds: float, *, taken: bool) -> None:
    policy = a_policy()
    policy = replace(policy, limits=replace(policy.limits, proposals_per_day=2))
    r = Rehearsal(policy).proposed("opt-0")
    first = r.now
    r.tick(3600)
    r.do(c.Propose(a_proposal("opt-1"), policy), BOT)
    r.now = first + timedelta(seconds=seconds)
    answer = r.ask(c.Propose(a_proposal("opt-2"), policy), BOT)
    assert isinstance(answer, Refusal) is not taken
    if isinstance(answer, Refusal):
        assert (answer.rule, answer.until) == ("proposals-per-day", first + timedelta(days=1))
        assert "2 proposals in the last 24 hours" in answer.message


def test_another_persons_proposals_are_theirs() -> None:
    policy = a_policy()
    policy = replace(policy, limits=replace(policy.limits, proposals_per_day=1))
    r = Rehearsal(policy).proposed("opt-0")
    r.do(c.Propose(a_proposal("opt-1", proposed_by=ANNA), policy), ANNA)
    assert r.refused(c.Propose(a_proposal("opt-2"), policy), BOT) == "proposals-per-day"


@pytest.mark.parametrize(("depth", "taken"), [(-1, False), (0, True), (1, True)])
def test_a_proposal_is_as_deep_as_the_policy_allows(depth: int, *, taken: bool) -> None:
    # The proposal, its variants, the variant, its payload, and the list in it.
    nested = a_proposal(variants=(Variant("treatment", {"text": ["a"]}),))
    policy = a_policy()
    policy = replace(policy, limits=replace(policy.limits, proposal_depth=5 + depth))
    r = Rehearsal(policy).adopt()
    answer = r.ask(c.Propose(nested, policy), BOT)
    assert isinstance(answer, Refusal) is not taken


# -- steps and looks ------------------------------------------------------------------------------


@pytest.mark.parametrize(("look", "recorded"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_look_is_recorded_once(look: int, *, recorded: bool) -> None:
    r = Rehearsal().proposed()
    number = r.started()
    r.judged(Gate.QUALITY)
    r.do(c.TakeLook("opt-1", number, 1, r.now, (), "first", "e"))
    assert bool(r.do(c.TakeLook("opt-1", number, look, r.now, (), "again", "e"))) is recorded


# -- answers in time ------------------------------------------------------------------------------

PATIENT = replace(
    SUGGEST,
    approval=ApprovalRule(
        (APPROVER,), 1, (VETO,), 7200, 3600, remind_after=0.25, escalate_after=0.5, escalate_to=("lead",)
    ),
)


@pytest.mark.parametrize(
    ("seconds", "kinds"),
    [
        (1799, []),
        (1800, [e.RequestReminded]),
        (3599, [e.RequestReminded]),
        (3600, [e.RequestReminded, e.RequestEscalated]),
        (7199, [e.RequestReminded, e.RequestEscalated]),
        (7200, [e.RequestClosed]),
    ],
)
def test_a_request_is_reminded_escalated_and_closed_at_its_times(seconds: int, kinds: list[type]) -> None:
    r = Rehearsal(PATIENT).proposed()
    r.asked()
    request = r.request().id
    r.tick(seconds)
    assert [type(event) for event in r.do(c.SettleRequest(request))] == kinds
    again = r.do(c.SettleRequest(request))
    assert again == (), "each once"


def test_who_stands_in_answers_after_the_escalation_and_not_before() -> None:
    r = Rehearsal(PATIENT).proposed()
    r.asked()
    lead = frozenset({"lead"})
    assert r.refused(r.vote(roles=lead), human("lena")) == "role"
    assert r.request().answering_roles == (APPROVER,)
    r.tick(3600)
    r.do(c.SettleRequest(r.request().id))
    assert r.request().answering_roles == (APPROVER, "lead")
    assert len(r.do(r.vote(roles=lead), human("lena"))) == 2


@pytest.mark.parametrize(("seconds", "refused"), [(7199, False), (7200, True)])
def test_a_vote_is_in_time_until_the_moment_of_expiry(seconds: int, *, refused: bool) -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.asked()
    r.tick(seconds)
    answer = r.ask(r.vote(), NORA)
    assert isinstance(answer, Refusal) is refused
    if isinstance(answer, Refusal):
        assert (answer.rule, answer.kept) == ("expired", True)


@pytest.mark.parametrize(("seconds", "refused"), [(7199, True), (7200, False)])
def test_another_run_may_ask_anew_when_the_question_has_run_out(seconds: int, *, refused: bool) -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.asked()
    r.tick(seconds)
    answer = r.ask(c.StartStep("opt-1", "another-run", r.policy))
    assert isinstance(answer, Refusal) is refused


# -- losing a stage -------------------------------------------------------------------------------

STRICT = replace(EASY, demotion=DemotionRule(harm_rate=0.05, within_seconds=30 * DAY, again_seconds=DAY))


def due(r: Rehearsal, **facts: str) -> list[str]:
    return [one.rule for one in due_demotions(r.state, r.policy, r.now, Facts(**facts))]


def test_a_lease_lapses_at_its_end() -> None:
    r = Rehearsal(a_policy(autonomy=STRICT)).adopt()
    end = r.state.capabilities["wording"].lease_until
    assert end is not None
    r.now = end - timedelta(microseconds=1)
    assert due(r) == []
    r.now = end
    assert due(r) == ["lease"]


@pytest.mark.parametrize(("seconds", "again"), [(DAY - 1, []), (DAY, ["ledger"])])
def test_a_cause_that_lasts_takes_the_next_stage_after_a_day(seconds: float, again: list[str]) -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.BOUNDED, autonomy=STRICT)).adopt()
    assert due(r, ledger_fault="row 3") == ["ledger"]
    r.do(c.Demote("wording", Stage.SUPERVISED, "ledger", "row 3"))
    r.tick(seconds)
    assert due(r, ledger_fault="row 3") == again


@pytest.mark.parametrize(
    ("stage", "rules"), [(Stage.OBSERVE, []), (Stage.SUGGEST, []), (Stage.SUPERVISED, ["blind-guard"])]
)
def test_blindness_takes_no_stage_at_which_people_launch_every_step(stage: Stage, rules: list[str]) -> None:
    r = Rehearsal(a_policy(initial_stage=stage, autonomy=STRICT)).adopt()
    assert due(r, blind="outcomes are late") == rules


@pytest.mark.parametrize(
    ("stage", "limit", "rules"),
    [(Stage.SUPERVISED, 1, ["saturated"]), (Stage.SUPERVISED, 2, []), (Stage.SUGGEST, 1, [])],
)
def test_saturated_supervision_takes_a_stage_at_its_limit(stage: Stage, limit: int, rules: list[str]) -> None:
    policy = a_policy(initial_stage=stage, autonomy=STRICT)
    r = Rehearsal(replace(policy, limits=replace(policy.limits, max_open_requests=limit))).proposed()
    r.reviewed()
    r.do(c.RequestOversight("opt-1", 1, r.policy))
    assert due(r) == rules


# -- estimates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "low", "high", "sound"),
    [
        (0.0, 0.0, 0.0, True),
        (0.1, 0.1, 0.2, True),
        (0.2, 0.1, 0.2, True),
        (0.3, 0.1, 0.2, False),
        (0.0, 0.1, 0.2, False),
        (float("nan"), 0.1, 0.2, False),
        (0.1, float("-inf"), float("inf"), None),
    ],
)
def test_an_estimate_lies_in_its_interval(
    effect: float, low: float, high: float, *, sound: bool | None
) -> None:
    if sound is not None:
        assert Estimate(effect, low, high).sound is sound


# -- calendars ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "frozen"), [(1, False), (2, True), (3, True), (4, False)])
def test_a_period_freezes_its_first_and_its_last_day(day: int, *, frozen: bool) -> None:
    r = Rehearsal()
    first = r.now.date()
    sale = Calendar(freezes=(FreezePeriod(first, first + timedelta(days=1), "sale"),))
    said = sale.freeze_at(r.now + timedelta(days=day - 2))
    assert (said is not None) is frozen


# -- what a blindness, a missing hold-back and a quorum of nobody leave as it is -------------------


@pytest.mark.parametrize("steps", [0, 1])
def test_what_cannot_shrink_any_more_keeps_its_question(steps: int) -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.widened(steps=steps)
    r.do(c.RecordHarmless("opt-1", r.optimization().scope, "fine"), GUARD)
    r.asked()
    blind(r)
    assert r.do(c.Shrink("opt-1", "outcomes", "not seen"), GUARD) == ()
    assert r.request().status == "open"


def test_without_a_hold_back_no_turn_is_due() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=4)
    assert r.optimization().status == "completed"
    assert r.do(c.TurnHoldback("opt-1", r.now + timedelta(days=99)), GUARD) == ()


@pytest.mark.parametrize(("quorum", "needed"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_a_reminder_says_how_many_approvals_it_takes(quorum: int, needed: int) -> None:
    r = Rehearsal(replace(PATIENT, approval=replace(PATIENT.approval, quorum=quorum))).proposed()
    r.asked()
    r.tick(1800)
    (reminded,) = r.do(c.SettleRequest(r.request().id))
    assert isinstance(reminded, e.RequestReminded)
    assert reminded.missing[0] == f"0 of {needed} approvals"
    more = {1: "", 2: " and one more", 3: " and 2 more"}[needed]
    assert reminded.missing[1] == f"needs a {APPROVER}{more}"


@pytest.mark.parametrize(("known", "named"), [(1, 1), (5, 5), (6, 5)])
def test_what_is_known_of_a_surface_is_named_up_to_five(known: int, named: int) -> None:
    r = Rehearsal()
    for number in range(known):
        r.adopt(a_policy(id=f"words-{number}"))
    answer = r.ask(c.AdoptPolicy(a_policy(id="another"), "a file"), GUARD)
    assert isinstance(answer, Refusal)
    assert answer.rule == "people-adopt"
    assert answer.message.count("words-") == named


# -- what the state makes of it --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "field"), [("harm", "harmed_at"), ("guard", "harmed_at"), ("caution", "cautioned_at")]
)
def test_what_nobody_saw_did_no_harm(cause: str, field: str) -> None:
    r = Rehearsal().proposed()
    r.intended()
    r.do(c.RollBack("opt-1", cause, "it would hurt"))
    assert getattr(r.optimization().results, field) is None
    seen = Rehearsal().proposed()
    seen.widened()
    seen.do(c.RollBack("opt-1", cause, "it hurts"))
    assert getattr(seen.optimization().results, field) == seen.now


@pytest.mark.parametrize(("to_scope", "held_back"), [(10_000, 200), (9_999, 0), (0, 0)])
def test_a_narrowing_ends_the_hold_back_and_writing_the_same_again_keeps_it(
    to_scope: int, held_back: int
) -> None:
    r = Rehearsal(a_policy(holdback=HoldbackRule(200, 7200, 3600))).proposed()
    r.widened(steps=4)
    r.do(c.RollBack("opt-1", "reconcile", "served under a later epoch", to_scope=to_scope, above=9))
    pending = r.optimization().pending
    assert pending is not None
    assert (pending.to_scope, pending.holdback, pending.rotation) == (to_scope, held_back, 0)
    assert pending.epoch == 10
    r.confirm()
    assert (r.optimization().holdback, r.optimization().phases[-1].holdback) == (held_back, held_back)


def test_only_a_review_that_passes_shows_a_scope_harmless() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.started()
    shown = []
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        r.judged(gate)
        shown.append(r.optimization().shown_harmless)
    assert shown == [0, 0, 100]
    held = Rehearsal().proposed()
    held.widened()
    held.started()
    held.judged(Gate.QUALITY)
    held.judged(Gate.WINDOW)
    held.judged(Gate.REVIEW, Verdict.HOLD)
    assert held.optimization().shown_harmless == 0


def test_a_winner_that_is_known_late_keeps_what_began_meanwhile() -> None:
    better = replace(a_policy().primary, rule=PrimaryRule.SUPERIOR, margin=0.0)
    r = Rehearsal(a_policy(primary=better)).proposed()
    r.widened()
    r.started()
    r.judged(Gate.QUALITY)
    r.judged(Gate.WINDOW)
    r.policy = replace(r.policy, surface="basket", digest="b" * 64)
    r.adopt()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    r.widened("opt-2")
    r.started("opt-2")
    r.judged(Gate.REVIEW, Verdict.HOLD)
    begun = [one.optimization for one in r.state.capabilities["wording"].decisions]
    assert begun == ["opt-1", "opt-2"]


def test_a_stop_goes_on_to_every_capability_that_it_covers() -> None:
    r = Rehearsal()
    r.adopt(a_policy(id="a-first", surface="basket"))
    r.adopt(a_policy(id="b-second", surface="checkout"))
    r.do(c.Stop("stop-1", "surface:checkout", "look", "cli", r.now), NORA)
    stages = {known.id: known.stage for known in r.state.capabilities.values()}
    assert stages == {"a-first": Stage.SUPERVISED, "b-second": Stage.OBSERVE}


def test_what_a_turn_showed_is_recorded_once_and_of_a_change_that_is_known() -> None:
    r = Rehearsal().proposed()
    found = Estimate(0.1, 0.0, 0.2)
    assert r.refused(c.RecordRealised("opt-9", 0, found, "better"), GUARD) == "unknown-optimization"
    assert r.refused(c.RecordRealised("opt-1", 0, Estimate(0.3, 0.0, 0.2), "no"), GUARD) == "interval"
    assert len(r.do(c.RecordRealised("opt-1", 0, found, "better"), GUARD)) == 1
    assert r.do(c.RecordRealised("opt-1", 0, found, "better"), GUARD) == ()
    assert len(r.do(c.RecordRealised("opt-1", 1, found, "better"), GUARD)) == 1


@pytest.mark.parametrize(
    ("role", "named"), [("owner", "an owner"), ("lead", "a lead"), ("Editor", "an Editor")]
)
def test_a_role_has_its_article(role: str, named: str) -> None:
    approval = replace(PATIENT.approval, roles=(role,))
    r = Rehearsal(replace(PATIENT, approval=approval)).proposed()
    r.asked()
    r.tick(1800)
    (reminded,) = r.do(c.SettleRequest(r.request().id))
    assert isinstance(reminded, e.RequestReminded)
    assert reminded.missing[1] == f"needs {named}"


# -- policies, promotions and words ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (DecisionClass.HUMAN_ONLY, DecisionClass.BOUNDED, True),
        (DecisionClass.HUMAN_ONLY, DecisionClass.HUMAN_ONLY, False),
        (DecisionClass.BOUNDED, DecisionClass.HUMAN_ONLY, False),
        (DecisionClass.BOUNDED, DecisionClass.REVERSIBLE, False),
    ],
)
def test_a_service_that_would_give_ai_what_is_peoples_is_kept(
    before: DecisionClass, after: DecisionClass, *, kept: bool
) -> None:
    r = Rehearsal(a_policy(decision_class=before)).adopt()
    other = a_policy(decision_class=after, title="Other words")
    answer = r.ask(c.AdoptPolicy(other, "a file"), GUARD)
    assert isinstance(answer, Refusal)
    assert (answer.rule, answer.kept) == ("people-change-policy", kept)
    assert f"from {r.policy.digest[:12]} to {other.digest[:12]})" in answer.message


@pytest.mark.parametrize(
    ("roles", "quorum", "asked"),
    [((), 3, ((APPROVER,), 2)), (("lead",), 3, (("lead",), 3)), (("lead",), 0, (("lead",), 1))],
)
def test_who_answers_for_a_promotion(
    roles: tuple[str, ...], quorum: int, asked: tuple[tuple[str, ...], int]
) -> None:
    policy = a_policy(initial_stage=Stage.SUGGEST, autonomy=replace(EASY, roles=roles, quorum=quorum))
    r = Rehearsal(replace(policy, approval=replace(policy.approval, quorum=2))).adopt()
    run = r.promotion_reviewed(Stage.SUPERVISED)
    r.do(c.RequestPromotion("wording", run, r.policy))
    assert (r.request().roles, r.request().quorum) == asked


def test_what_harm_so_far_took_down_is_resumed_by_people_and_climbs_on_by_the_table() -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.BOUNDED)).proposed()
    r.widened()
    r.do(c.RollBack("opt-1", "caution", "harm so far"))
    r.confirm()
    r.asked()
    assert r.request().oversight == "approve", "without it, the canary would be informed about"
    r.do(r.vote(), NORA)
    step = r.optimization().step
    assert step is not None
    r.do(c.IntendWidening("opt-1", step.number))
    r.confirm()
    r.asked()
    assert (r.request().from_scope, r.request().oversight) == (100, "notice")


def test_what_a_request_asks_for_is_said_as_a_move() -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.asked()
    step = r.request()
    assert (step.move, step.subject, step.veto_target, step.promotes) == (
        "0 % → 1 %",
        "opt-1",
        "opt-1",
        False,
    )
    r, name = promotion("open")
    up = r.request()
    assert (up.move, up.subject, up.veto_target) == ("suggest → supervised", "wording", name)
    r = Rehearsal().adopt()
    run = r.promotion_reviewed(Stage.SUPERVISED)
    r.do(c.RequestPromotion("wording", run, r.policy))
    assert r.request().move == "keep supervised"


def test_a_verdict_on_another_run_of_a_promotion_changes_nothing() -> None:
    r = Rehearsal(SUGGEST).adopt()
    verdict = e.PromotionJudged("wording", "other", PromotionGate.QUALITY, Verdict.PASS, "fine", None)

    def folded() -> bool:
        after = evolve(r.state, Recorded(r.state.seq + 1, r.now, GUARD, verdict))
        return after.capabilities == r.state.capabilities

    assert folded(), "nothing is under way"
    r.do(c.StartPromotion("wording", Stage.SUPERVISED, "run", r.policy))
    assert folded(), "another one is"


def test_the_horizon_of_a_hold_back_counts_from_its_first_turn() -> None:
    r = Rehearsal(a_policy(holdback=HoldbackRule(200, 7200, 3600))).proposed()
    r.widened(steps=4)
    start = r.now
    r.tick(3600)
    assert len(r.do(c.TurnHoldback("opt-1", r.now), GUARD)) == 1
    r.confirm()
    (ended,) = r.do(c.TurnHoldback("opt-1", start + timedelta(seconds=7200)), GUARD)
    assert isinstance(ended, e.HoldbackIntended)
    assert (ended.share, ended.rotation) == (0, 1)


@pytest.mark.parametrize(("steps", "held_back"), [(1, 0), (3, 0), (4, 200)])
def test_nobody_is_held_back_before_the_top(steps: int, held_back: int) -> None:
    r = Rehearsal(a_policy(holdback=HoldbackRule(200, 7200, 3600))).proposed()
    r.widened(steps=steps)
    assert [phase.holdback for phase in r.optimization().phases] == [*[0] * (steps - 1), held_back]
