"""Many live optimizations at once: the ledger's entries written directly, as if each had climbed long ago."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from belay.actuation.flag_writer import served_flag
from belay.domain import events as e
from belay.domain.actors import Actor, agent, human, service
from belay.domain.digest import sha256_of
from belay.domain.gates import Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.proposal import Proposal, Variant
from belay.domain.rules.steps import proposal_digest
from belay.domain.state import State
from belay.ledger.writing import Batch
from belay.oversight.active_policy import adopt_first_policy
from belay.services import Services


def make_live(
    belay: Services, count: int, capability: str = "checkout_wording", scope: int = 500, *, asked: bool = True
) -> list[str]:
    """Make ``count`` optimizations of one capability live at ``scope``, served and confirmed at epoch 2.

    Without ``asked`` nobody was asked about it, which is not legal.
    """
    policy = belay.policy(capability)
    adopt_first_policy(belay, policy)
    names = [f"{capability.replace('_', '-')}-{number}" for number in range(count)]
    events: list[e.Event] = []
    at = belay.data_now() - timedelta(days=2)
    for name in names:
        proposal = Proposal(
            optimization=name,
            capability=capability,
            title=f"Change {name}",
            hypothesis="It helps.",
            variants=(Variant("treatment", {"label": f"new {name}"}),),
            rollback={"label": "old"},
            proposed_by=agent("copywriter"),
            agent_owner="dana",
        )
        events += [
            e.Proposed(name, capability, policy.surface, proposal, proposal_digest(proposal)),
            e.StepStarted(name, 1, f"{name}__step1", 0, 100, policy.digest),
            e.WideningIntended(name, 1, f"{name}.1", 0, 100, 1),
            e.ScopeConfirmed(name, 100, 1, "flagd", at),
            e.StepStarted(name, 2, f"{name}__step2", 100, scope, policy.digest),
            e.WideningIntended(name, 2, f"{name}.2", 100, scope, 2),
            e.ScopeConfirmed(name, scope, 2, "flagd", at + timedelta(days=1)),
        ]
    append_anyway(belay, events, asked=asked)
    known = belay.ledger.state().optimizations
    belay.flags.apply_all(served_flag(known[name], scope, 2) for name in names)
    return names


def on_its_way(belay: Services, name: str = "checkout-wording-0") -> None:
    """Intend 500 → 2500 under epoch 3, as a writer does that has not come to the flags yet."""
    policy = belay.policy("checkout_wording").digest
    append_anyway(
        belay,
        [
            e.StepStarted(name, 3, f"{name}__step3", 500, 2500, policy),
            e.OversightGranted(f"{name}.3", name, 3, 500, 2500, Oversight.INFORM, "d", None, None, ()),
            e.WideningIntended(name, 3, f"{name}.3", 500, 2500, 3),
        ],
    )


def append_anyway(belay: Services, events: Sequence[e.Event], *, asked: bool = True) -> None:
    """Append events that no rule was asked about, as a service called ``test``.

    Each widening is given what makes it legal, if only by name: its gates, and where people are ``asked`` a
    question, votes and a grant.
    """
    ledger = belay.ledger
    batch = Batch(ledger.state(), ledger.head()[1])
    widened = {event.grant for event in events if isinstance(event, e.WideningIntended)}
    for told in events:
        event = _of_a_ramp(belay, batch.state, told) if isinstance(told, e.StepStarted) else told
        if asked and isinstance(event, e.OversightGranted) and event.grant in widened:
            continue
        if asked and isinstance(event, e.WideningIntended):
            for by, before in _granted(belay, batch.state, event):
                batch.add([before], by, belay.now(), "")
        batch.add([event], service("test"), belay.now(), "")
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        batch.write(connection)


def _of_a_ramp(belay: Services, state: State, step: e.StepStarted) -> e.StepStarted:
    """Return ``step``, of an earlier policy where today's ramp has no such step."""
    ramp = belay.policy(state.optimizations[step.optimization].capability).ramp
    return step if ramp.step_after(step.from_scope) == step.to_scope else replace(step, policy="earlier")


def _granted(belay: Services, state: State, event: e.WideningIntended) -> Iterator[tuple[Actor, e.Event]]:
    """Yield what comes before a widening, and by whom: everybody who has to agrees."""
    known, by = state.optimizations[event.optimization], service("test")
    capability, asked = state.capabilities[known.capability], event.grant
    approval = belay.policy(known.capability).approval
    digest, roles = sha256_of(asked), approval.roles
    for gate in (Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        yield by, e.GateJudged(known.id, event.step, gate, Verdict.PASS, "seen", None)
    step = (event.step, event.from_scope, event.to_scope, Oversight.APPROVE)
    yield (
        by,
        e.OversightRequested(
            asked,
            known.id,
            *step,
            rules=(),
            digest=digest,
            evidence=None,
            roles=roles,
            quorum=approval.quorum,
            conflicted=tuple(sorted(known.proposal.conflicted)),
            owner=capability.owner,
            expires_at=belay.now() + timedelta(days=1),
        ),
    )
    for number in range(max(approval.quorum, 1)):
        voter = human(f"voter-{number}")
        vote = (voter.id, roles, e.Choice.APPROVE, "seen", "test", digest)
        yield voter, e.VoteCast(asked, known.id, *vote, counted=True)
    yield by, e.OversightGranted(asked, known.id, *step, digest, asked, None, ())
