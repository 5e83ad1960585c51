"""I12: a history that is whole and was never decided is named, and nothing that was decided is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.builders import (
    ANNA,
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
from tests.support.lives import write_lives

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import Actor, human
from belay.domain.events import Choice, Event
from belay.domain.gates import Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.stages import Stage
from belay.ledger.policies import policy_document
from belay.ledger.store import Ledger
from belay.ledger.verify import verify
from belay.ledger.writing import Batch

NAME = "opt-1"
LATER = NOW + timedelta(hours=2)
POLICY = a_policy(initial_stage=Stage.SUGGEST)
Told = Sequence[tuple[Event, Actor]]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return a ledger in which one step was reviewed and people were asked about it."""
    made = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    document = made.put_evidence(policy_document(POLICY))

    def do(command: c.Command, by: Actor = GATE) -> None:
        outcome = made.execute(command, by=by, at=NOW)
        assert outcome.refusal is None, outcome.refusal

    do(c.AdoptPolicy(POLICY, "start", document))
    do(c.Propose(a_proposal(NAME), POLICY), BOT)
    do(c.StartStep(NAME, "run", POLICY))
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        do(c.JudgeGate(NAME, 1, gate, Verdict.PASS, "fine", None))
    do(c.RequestOversight(NAME, 1, POLICY))
    assert verify(made).ok
    return made


def forge(
    ledger: Ledger, *told: tuple[Event, Actor], key: str = "", at: timedelta = timedelta(hours=2)
) -> None:
    """Append what nobody decided, as somebody does who can write the database: chain and tables fit."""
    batch = Batch(ledger.state(), ledger.head()[1])
    for event, by in told:
        batch.add([event], by, NOW + at, key)
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        batch.write(connection)


def request(ledger: Ledger) -> str:
    (open_one,) = ledger.state().open_requests()
    return open_one.id


def vote(ledger: Ledger, voter: str = "nora", **changes: object) -> e.VoteCast:
    asked = ledger.state().requests[request(ledger)]
    said = (asked.id, NAME, voter, asked.roles, Choice.APPROVE, "seen", "cli", asked.digest)
    return replace(e.VoteCast(*said, counted=True), **changes)  # type: ignore[arg-type]


def grant(ledger: Ledger, **changes: object) -> e.OversightGranted:
    asked = ledger.state().requests[request(ledger)]
    bound = (asked.oversight, asked.digest, asked.id, None, ())
    return replace(e.OversightGranted(asked.id, NAME, 1, 0, 100, *bound), **changes)  # type: ignore[arg-type]


def widening(ledger: Ledger, **changes: object) -> e.WideningIntended:
    named = ledger.state().optimizations[NAME].grant
    name = named.id if named else "made-up"
    return replace(e.WideningIntended(NAME, 1, name, 0, 100, 1), **changes)  # type: ignore[arg-type]


def granted(ledger: Ledger) -> None:
    """Let the people grant the step, by the rules."""
    command = c.CastVote(
        request(ledger), Choice.APPROVE, "seen", frozenset({APPROVER}), vote(ledger).digest, "cli"
    )
    assert ledger.execute(command, by=NORA, at=NOW).refusal is None


def after(prepare: Callable[[Ledger], None], forged: Callable[[Ledger], Told]) -> Callable[[Ledger], Told]:
    def told(ledger: Ledger) -> Told:
        prepare(ledger)
        return forged(ledger)

    return told


def used(ledger: Ledger) -> None:
    granted(ledger)
    for command in (
        c.IntendWidening(NAME, 1),
        c.ConfirmScope(NAME, 100, 1, "flagd", NOW),
        c.RollBack(NAME, "harm", "x"),
    ):
        assert ledger.execute(command, by=GATE, at=NOW).refusal is None


FORGERIES: dict[str, tuple[Callable[[Ledger], Told], str]] = {
    "a widening without a grant": (lambda it: [(widening(it), GATE)], "no grant made-up of this step"),
    "a widening by a used grant": (
        after(granted, lambda it: [(widening(it), GATE), (widening(it, epoch=2), GATE)]),
        "was used before",
    ),
    "a widening further than was granted": (
        after(granted, lambda it: [(widening(it, to_scope=10_000), GATE)]),
        "is of another step than 0 % → 100 %",
    ),
    "a step that skips one of the ramp's": (
        lambda it: [(e.StepStarted(NAME, 2, "run2", 0, 10_000, POLICY.digest), GATE)],
        "and after 0 % the ramp has 1 %",
    ),
    "a widening by an agent": (after(granted, lambda it: [(widening(it), BOT)]), "is an agent"),
    "a grant without votes": (lambda it: [(grant(it), NORA)], "are not complete: 0 of 1 approvals"),
    "a grant that nobody was asked for": (
        lambda it: [(grant(it, request=None), GATE)],
        "nobody was asked for",
    ),
    "a grant by less oversight": (
        lambda it: [(grant(it, request=None, oversight=Oversight.INFORM), GATE)],
        "inform is less oversight than approve",
    ),
    "a grant of another content": (
        lambda it: [(vote(it), NORA), (grant(it, digest="f" * 64), NORA)],
        "is not what",
    ),
    "a vote by a service": (lambda it: [(vote(it), GATE)], "only people do that"),
    "a vote as somebody else": (lambda it: [(vote(it), ANNA)], "votes as nora"),
    "a vote of the proposer that counts": (
        lambda it: [(vote(it, voter="anna"), ANNA)],
        "who proposed or owns the change",
    ),
    "two votes of one person": (lambda it: [(vote(it), NORA), (vote(it), NORA)], "a second vote of nora"),
    "a vote for somebody who lent no voice": (
        lambda it: [(vote(it, on_behalf_of="olive"), NORA)],
        "olive lent nora no voice",
    ),
    "a question that fewer people answer": (
        lambda it: [(e.RequestClosed(request(it), NAME, "void", "x"), GATE), (_asked(it, quorum=0), GATE)],
        "fewer people, than the policy",
    ),
    "a question that the proposer may answer": (
        lambda it: [
            (e.RequestClosed(request(it), NAME, "void", "x"), GATE),
            (_asked(it, conflicted=()), GATE),
        ],
        "a change of their own",
    ),
    "a gate that an agent passed": (
        lambda it: [(e.GateJudged(NAME, 1, Gate.REVIEW, Verdict.PASS, "fine", None), BOT)],
        "is an agent",
    ),
    "a scope that was not intended": (
        lambda it: [(e.ScopeConfirmed(NAME, 10_000, 9, "flagd", NOW), GATE)],
        "100 % under epoch 9 was not intended",
    ),
    "a promotion without a grant": (
        lambda it: [(e.StagePromoted("wording", Stage.SUGGEST, Stage.SUPERVISED, "earned"), GATE)],
        "no unused grant of people",
    ),
    "a lease without a grant": (
        lambda it: [(e.LeaseRenewed("wording", Stage.SUGGEST, "made-up", "earned"), GATE)],
        "no unused grant made-up",
    ),
    "a demotion that goes up": (
        lambda it: [(e.StageDemoted("wording", Stage.SUGGEST, Stage.AUTONOMOUS, "harm-rate", "x"), GATE)],
        "is no demotion",
    ),
    "a policy that a service changed": (lambda it: [(_adopted(it), GATE)], "a change takes a person"),
    "a veto by a service": (lambda it: [(e.Vetoed(NAME, "x", "cli"), GATE)], "only people do that"),
    "a narrowing that widens": (
        lambda it: [(e.NarrowingIntended(NAME, 0, 10_000, 1, "harm", "x"), GATE)],
        "it narrows to 100 %",
    ),
    "a step after the end": (
        after(used, lambda it: [(e.StepStarted(NAME, 2, "run", 0, 10_000, POLICY.digest), GATE)]),
        "opt-1 has ended",
    ),
}


def _asked(ledger: Ledger, **changes: object) -> e.OversightRequested:
    asked = ledger.state().requests[request(ledger)]
    said = (asked.rules, "a" * 64, None, asked.roles, asked.quorum, asked.conflicted, asked.owner, LATER)
    made = e.OversightRequested("again", NAME, 1, 0, 100, asked.oversight, *said)
    return replace(made, **changes)  # type: ignore[arg-type]


def _adopted(ledger: Ledger) -> e.PolicyAdopted:
    first = next(one.event for one in ledger.history() if isinstance(one.event, e.PolicyAdopted))
    return replace(first, digest="e" * 64, ceiling=Stage.AUTONOMOUS, document=None)


@pytest.mark.parametrize(("forged", "named"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_named(ledger: Ledger, forged: Callable[[Ledger], Told], named: str) -> None:
    forge(ledger, *forged(ledger))
    found = verify(ledger)
    assert found.fault is not None, "verified"
    assert found.fault.table == "entries"
    assert found.fault.problem.startswith("it is not legal: ")
    assert named in found.fault.problem
    assert verify(ledger, legal=False).ok, (
        "nothing else is wrong with it: only what it says was never decided"
    )


def test_an_entry_whose_time_goes_back_is_named(ledger: Ledger) -> None:
    said = (e.Frozen("all", "x"), human("nora"))
    forge(ledger, said, at=timedelta(days=-1))
    assert "its time is before" in str(verify(ledger).fault)


@pytest.mark.parametrize("size", [3000])
def test_whatever_was_decided_is_legal(tmp_path: Path, size: int) -> None:
    """Random commands are in test_invariants.py, which verifies too; this is many lives, at three stages."""
    made = Ledger.open(f"sqlite:///{tmp_path}/lives.db")
    write_lives(made, size)
    assert verify(made).ok


def test_what_people_did_by_the_rules_is_legal(ledger: Ledger) -> None:
    used(ledger)
    veto = c.Veto("capability:wording", "enough", frozenset({VETO}), "cli")
    assert ledger.execute(veto, by=VERA, at=NOW).refusal is None
    assert ledger.execute(c.Stop("stop-1", "all", "night", "cli", NOW), by=OLIVE, at=NOW).refusal is None
    assert verify(ledger).ok
