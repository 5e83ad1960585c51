"""Many live optimizations at once: the ledger's entries written directly, as if each had climbed long ago."""

from __future__ import annotations

from datetime import timedelta

from belay.domain import events as e
from belay.domain.actors import agent, service
from belay.domain.proposal import Proposal, Variant
from belay.domain.rules.steps import proposal_digest
from belay.gates.admit import adopt_policy
from belay.gates.widen import served_flag
from belay.services import Services


def make_live(
    belay: Services, count: int, capability: str = "checkout_wording", scope: int = 500
) -> list[str]:
    """Make ``count`` optimizations of one capability live at ``scope``, served and confirmed at epoch 2."""
    policy = belay.policy(capability)
    adopt_policy(belay, policy)
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
    ledger = belay.ledger
    ledger._append(ledger.state(), events, service("test"), belay.now(), "")
    known = ledger.state().optimizations
    belay.flags.apply_all(served_flag(known[name], scope, 2) for name in names)
    return names
