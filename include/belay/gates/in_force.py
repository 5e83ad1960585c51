"""The policies in force: as the ledger keeps them, whatever became of their files since."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from belay.domain import commands as c
from belay.domain.actors import Actor, service
from belay.domain.capability import CapabilityPolicy
from belay.domain.changes import policy_changes
from belay.domain.state import State
from belay.gates.outcome import RefusedError
from belay.ledger.policies import policy_document, policy_of

if TYPE_CHECKING:
    from belay.services import Services


@dataclass(frozen=True, slots=True)
class Unruled:
    """A capability with something live and no policy that could be read; ``why`` says what is wrong."""

    capability: str
    why: str


def adopt_first_policy(belay: Services, policy: CapabilityPolicy) -> None:
    """Record a capability's first policy. A file that changed later waits for a person to adopt it."""
    known = belay.ledger.state().capabilities.get(policy.id)
    if known is None or (known.policy == policy.digest and known.document is None):
        reason = "the first policy of this capability, as its file says"
        adopt_policy(belay, policy, service("policy"), reason)


def adopt_policy(belay: Services, policy: CapabilityPolicy, by: Actor, reason: str) -> bool:
    """Bring a policy into force, and keep it whole as evidence; False when it was in force already.

    Raises
    ------
    RefusedError
        When the rules say no: only a person changes what is in force.
    """
    command = c.AdoptPolicy(policy, reason, belay.ledger.put_evidence(policy_document(policy)))
    outcome = belay.ledger.execute(command, by=by, at=belay.now())
    if outcome.refusal is not None:
        raise RefusedError(outcome.refusal)
    return bool(outcome.events)


def waiting_changes(belay: Services, policy: CapabilityPolicy) -> tuple[str, ...] | None:
    """Return what a policy would change of what is in force, in sentences; None before the first."""
    known = belay.ledger.state().capabilities.get(policy.id)
    if known is None:
        return None
    if known.policy == policy.digest:
        return ()
    if known.document is None:
        return (f"policy: was {known.policy[:12]}, is {policy.digest[:12]}",)
    before = policy_of(belay.ledger.get_evidence(known.document))
    return policy_changes(before, policy) or (f"policy: was {known.policy[:12]}, is {policy.digest[:12]}",)


def policy_in_force(belay: Services, capability: str) -> CapabilityPolicy:
    """Return the policy that a gate goes by: what was adopted, whatever the file says by now.

    Raises
    ------
    PolicyBrokenError
        When the file is missing or broken: nobody widens on a policy that nobody could read.
    """
    policy, known = belay.policy(capability), belay.ledger.state().capabilities.get(capability)
    if known is None or known.document is None or known.policy == policy.digest:
        return policy
    return policy_of(belay.ledger.get_evidence(known.document))


def policies_in_force(
    belay: Services, state: State, names: Collection[str]
) -> tuple[dict[str, CapabilityPolicy], list[Unruled]]:
    """Return the policies of capabilities, and those whose policy nobody has kept."""
    capabilities = {name: state.capabilities[name] for name in sorted(names)}
    documents = belay.ledger.evidence_of({c.document for c in capabilities.values() if c.document})
    policies: dict[str, CapabilityPolicy] = {}
    unruled = []
    for name, capability in capabilities.items():
        try:
            document = documents.get(capability.document or "")
            policies[name] = belay.policy(name) if document is None else policy_of(document)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one policy, the others are watched
            unruled.append(Unruled(name, str(error).strip().splitlines()[0]))
    return policies, unruled
