"""A short ledger in which something of every kind happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.support.builders import (
    APPROVER,
    BOT,
    GATE,
    MAY_LIFT,
    NORA,
    NOW,
    OLIVE,
    VERA,
    VETO,
    a_policy,
    a_proposal,
)

from belay.domain import commands as c
from belay.domain.actors import Actor, service
from belay.domain.events import (
    Choice,
    DelegationGiven,
    Event,
    HoldbackIntended,
    InteractionFound,
    ScopeConfirmed,
)
from belay.domain.gates import Estimate, Gate, PromotionGate, Verdict
from belay.domain.stages import Stage
from belay.ledger.store import Ledger, Outcome
from belay.ledger.writing import Batch


def a_story(ledger: Ledger) -> None:
    """Let one optimization climb a step and be rolled back, another be rejected and vetoed, and the rest."""
    clock = iter(range(1000))
    policy = a_policy(initial_stage=Stage.SUGGEST)
    patient = replace(policy.approval, remind_after=0.0, escalate_after=0.0, escalate_to=("director",))
    policy = replace(policy, approval=patient)

    def do(command: c.Command, by: Actor = GATE, seconds: float = 0) -> tuple[Event, ...]:
        at = NOW + timedelta(minutes=next(clock), seconds=seconds)
        outcome: Outcome = ledger.execute(command, by=by, at=at, key=f"story-{at.isoformat()}")
        return outcome.events

    def reviewed(name: str) -> None:
        do(c.Propose(a_proposal(name, tags=("naïve",)), policy), BOT)
        do(c.JudgeProposal(name, True, "I would too", frozenset({APPROVER}), "cli"), NORA)
        do(c.RecordShadow(name, Estimate(0.02, 0.0, 0.04), "would help", None))
        do(c.StartStep(name, f"{name}-run", policy))
        for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
            evidence = ledger.put_evidence({"gate": gate, "of": name, "p": 0.25, "names": ["é", None]})
            do(c.TakeLook(name, 1, 1, NOW, harmful=False, sentence="nothing yet", evidence=evidence))
            do(c.JudgeGate(name, 1, gate, Verdict.PASS, f"{gate} is fine", evidence))
        do(c.RequestOversight(name, 1, policy))

    def vote(choice: Choice) -> c.CastVote:
        (request,) = ledger.state().open_requests()
        return c.CastVote(request.id, choice, "seen", frozenset({APPROVER}), request.digest, "cli")

    def promote(capability: str, stage: Stage) -> None:
        run = f"promotion-{ledger.head()[0]}"
        do(c.StartPromotion(capability, stage, run, policy))
        for gate in (PromotionGate.QUALITY, PromotionGate.RECORD, PromotionGate.REVIEW):
            evidence = ledger.put_evidence({"gate": gate, "of": capability})
            do(c.JudgePromotion(capability, run, gate, Verdict.PASS, f"{gate} is fine", evidence))
        do(c.RequestPromotion(capability, run, policy))
        do(vote(Choice.APPROVE), NORA)
        do(c.Promote(capability, stage, "earned"))

    do(c.AdoptPolicy(policy, "start"))
    do(c.NoteRoster({"nora": ("e1f2", "a3b4")}, {"bot": "anna"}))
    promote("wording", Stage.SUPERVISED)
    promote("wording", Stage.SUPERVISED)  # again: its lease is renewed
    measured = ledger.put_evidence({"oec": "wording"})
    found = Estimate(0.01, -0.02, 0.04)
    do(c.RecordOec("wording", found, NOW - timedelta(days=9), NOW, "not worse", measured))
    do(c.Demote("wording", Stage.SUGGEST, "harm-rate", "too much harm"))
    reviewed("opt-1")
    do(replace(vote(Choice.APPROVE)), BOT)  # refused, and the attempt is kept
    do(vote(Choice.APPROVE), NORA)
    do(c.JudgeGate("opt-1", 1, Gate.APPROVAL, Verdict.PASS, "approved", None))
    do(c.IntendWidening("opt-1", 1))
    do(c.ConfirmScope("opt-1", 100, 1, "flagd", NOW))
    do(c.RecordHarmless("opt-1", 100, "every metric within its margin", measured))
    do(c.ReportBlind("warehouse", "all", "it does not answer", NOW))
    do(c.ReportSighted("warehouse", "it can be read again"))
    do(c.RecordRealised("opt-1", 0, found, "kept what it claimed", measured))
    do(c.RollBack("opt-1", "harm", "page errors rose"))
    do(c.ConfirmScope("opt-1", 0, 2, "flagd", NOW))
    lent = c.Delegate("olive", frozenset({APPROVER}), NOW + timedelta(days=3), "on leave", "cli")
    (given,) = do(lent, NORA)
    assert isinstance(given, DelegationGiven)
    do(c.EndDelegation(given.delegation, "back early"), NORA)
    reviewed("opt-2")
    do(c.OpenReview(vote(Choice.REJECT).request), NORA)
    do(c.SettleRequest(vote(Choice.REJECT).request))
    do(vote(Choice.REJECT), NORA)
    do(c.Veto("opt-2", "not like this", frozenset({VETO}), "slack"), VERA)
    # By the guard, as when a budget is spent: only who lifts such a freeze is remembered.
    do(c.Freeze("surface:checkout", "sale"), service("guard"))
    do(c.Unfreeze("surface:checkout", "sale is over", MAY_LIFT), OLIVE)
    # What takes two live changes, or a complete one, is written down as it would be.
    batch = Batch(ledger.state(), ledger.head()[1])
    told = (
        HoldbackIntended("opt-1", 200, 1, 3, "it is others' turn"),
        InteractionFound("opt-1", "opt-2", "together they do less", measured),
        ScopeConfirmed("opt-1", 0, 3, "flagd", NOW),
    )
    batch.add(told, GATE, NOW + timedelta(minutes=next(clock)), "")
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        batch.write(connection)
    do(c.Contain("opt-1", 500, 9, "flagd", "somebody edited the file"))
    do(c.Stop("stop-1", "all", "night", "cli", NOW), OLIVE)
