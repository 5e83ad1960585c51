"""Many live optimizations at once: the ledger's entries written directly, as if each had climbed long ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from belay.domain import events as e
from belay.domain.actors import agent, service
from belay.domain.oversight import Oversight
from belay.domain.proposal import Proposal, Variant
from belay.domain.rules.steps import proposal_digest
from belay.gates.in_force import adopt_first_policy
from belay.gates.widen import served_flag
from belay.ledger.writing import Batch
from belay.services import Services


def make_live(
    belay: Services, count: int, capability: str = "checkout_wording", scope: int = 500
) -> list[str]:
    """Make ``count`` optimizations of one capability live at ``scope``, served and confirmed at epoch 2."""
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
    append_anyway(belay, events)
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


def append_anyway(belay: Services, events: Sequence[e.Event]) -> None:
    """Append events that no rule was asked about, as a service called ``test``."""
    ledger = belay.ledger
    batch = Batch(ledger.state(), ledger.head()[1])
    batch.add(events, service("test"), belay.now(), "")
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        batch.write(connection)
