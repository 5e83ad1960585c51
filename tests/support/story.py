"""A short ledger in which something of every kind happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.support.builders import (
    APPROVER,
    BOT,
    GATE,
    NORA,
    NOW,
    OLIVE,
    VERA,
    VETO,
    a_policy,
    a_proposal,
)

from belay.domain import commands as c
from belay.domain.actors import Actor
from belay.domain.events import Choice, Event
from belay.domain.gates import Gate, Verdict
from belay.domain.stages import Stage
from belay.ledger.store import Ledger, Outcome


def a_story(ledger: Ledger) -> None:
    """Let one optimization climb a step and be rolled back, another be rejected and vetoed, and the rest."""
    clock = iter(range(1000))
    policy = a_policy(initial_stage=Stage.SUGGEST)

    def do(command: c.Command, by: Actor = GATE, seconds: float = 0) -> tuple[Event, ...]:
        at = NOW + timedelta(minutes=next(clock), seconds=seconds)
        outcome: Outcome = ledger.execute(command, by=by, at=at, key=f"story-{at.isoformat()}")
        return outcome.events

    def reviewed(name: str) -> None:
        do(c.Propose(a_proposal(name, tags=("naïve",)), policy), BOT)
        do(c.StartStep(name, f"{name}-run", policy))
        for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
            evidence = ledger.put_evidence({"gate": gate, "of": name, "p": 0.25, "names": ["é", None]})
            do(c.TakeLook(name, 1, 1, NOW, harmful=False, sentence="nothing yet", evidence=evidence))
            do(c.JudgeGate(name, 1, gate, Verdict.PASS, f"{gate} is fine", evidence))
        do(c.RequestOversight(name, 1, policy))

    def vote(choice: Choice) -> c.CastVote:
        (request,) = ledger.state().open_requests()
        return c.CastVote(request.id, choice, "seen", frozenset({APPROVER}), request.digest, "cli")

    do(c.AdoptPolicy(policy, "start"))
    do(c.Promote("wording", Stage.SUPERVISED, "earned"), OLIVE)
    do(c.Demote("wording", Stage.SUGGEST, "harm-rate", "too much harm"))
    reviewed("opt-1")
    do(replace(vote(Choice.APPROVE)), BOT)  # refused, and the attempt is kept
    do(vote(Choice.APPROVE), NORA)
    do(c.JudgeGate("opt-1", 1, Gate.APPROVAL, Verdict.PASS, "approved", None))
    do(c.IntendWidening("opt-1", 1))
    do(c.ConfirmScope("opt-1", 100, 1, "flagd", NOW))
    do(c.RollBack("opt-1", "harm", "page errors rose"))
    do(c.ConfirmScope("opt-1", 0, 2, "flagd", NOW))
    reviewed("opt-2")
    do(vote(Choice.REJECT), NORA)
    do(c.Veto("opt-2", "not like this", frozenset({VETO}), "slack"), VERA)
    do(c.Freeze("surface:checkout", "sale"), OLIVE)
    do(c.Unfreeze("surface:checkout", "sale is over"), OLIVE)
    do(c.Freeze("all", "night"), OLIVE)
