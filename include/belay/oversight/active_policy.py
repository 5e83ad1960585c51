"""The policies in force: as the ledger keeps them, whatever became of their files since."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from belay.actuation.flag_writer import settle_narrowings
from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import Actor, ActorKind, service
from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState
from belay.domain.changes import policy_changes
from belay.domain.gates import Verdict
from belay.domain.rules.answer import Refusal
from belay.domain.rules.capability import ends_human_only
from belay.domain.state import OptimizationState, State
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError
from belay.ledger.errors import LedgerError
from belay.ledger.policies import policy_document, policy_of
from belay.services import PolicyBrokenError

if TYPE_CHECKING:
    from belay.services import Services


@dataclass(frozen=True, slots=True)
class Unruled:
    """A capability with something live and no policy that could be read; ``why`` says what is wrong."""

    capability: str
    why: str


def adopt_first_policy(belay: Services, policy: CapabilityPolicy) -> None:
    """Record a capability's first policy. A file that changed later waits for a person to adopt it."""
    capabilities = belay.ledger.state().capabilities
    known = capabilities.get(policy.id)
    if known is None and (gone := _gone(belay, capabilities)):
        message = (
            f"{policy.id} is new, and the file of {', '.join(gone)} is gone: where it was renamed, a person "
            f"says so. `belay policy adopt {policy.id} --reason …` brings its first policy into force"
        )
        raise RefusedError(Refusal(Rule.PEOPLE_ADOPT, message))
    if known is None or (known.policy == policy.digest and known.document is None):
        reason = "the first policy of this capability, as its file says"
        adopt_policy(belay, policy, service("policy"), reason)


def _gone(belay: Services, capabilities: Collection[str]) -> list[str]:
    """Return the capabilities that the ledger knows and no file names any more."""
    folder = belay.settings.policies
    return sorted(name for name in capabilities if not (folder / f"{name}.yaml").exists())


def adopt_policy(belay: Services, policy: CapabilityPolicy, by: Actor, reason: str) -> tuple[e.Event, ...]:
    """Bring a policy into force, keep it whole as evidence, and write the flags of what it takes down.

    Returns what followed: nothing when it was in force already.

    Raises
    ------
    RefusedError
        When the rules say no: only a person changes what is in force.
    FlagsUnavailable
        When the flags cannot be written; the policy is in force, and the guard, reconcile or this again
        narrows them.
    """
    command = c.AdoptPolicy(policy, reason, belay.ledger.put_evidence(policy_document(policy)))
    outcome = belay.ledger.execute(command, by=by, at=belay.now())
    if outcome.refusal is not None:
        raise RefusedError(outcome.refusal)
    if by.kind is ActorKind.HUMAN:  # a first policy takes nothing down
        settle_narrowings(belay)
    return outcome.events


def waiting_changes(belay: Services, policy: CapabilityPolicy) -> tuple[str, ...] | None:
    """Return what a policy would change of what is in force, in sentences; None before the first."""
    known = belay.ledger.state().capabilities.get(policy.id)
    if known is None:
        return None
    if known.policy == policy.digest:
        return ()
    before = _kept(belay, known)
    told = () if before is None else policy_changes(before, policy)
    return told or (f"policy: was {known.policy[:12]}, is {policy.digest[:12]}",)


def file_in_force(known: CapabilityState, policy: CapabilityPolicy) -> c.Finding:
    """Say whether a capability's file is what is in force, and what to do where it is not."""
    if known.policy == policy.digest:
        return c.Finding(Rule.POLICY_FILE, Verdict.PASS, "the policy file is what is in force")
    changed = "no longer says human_only" if ends_human_only(known, policy) else "changed"
    sentence = (
        f"the policy file of {policy.id} {changed} "
        f"({known.policy[:12]} is in force, the file is {policy.digest[:12]}): a person brings it into force "
        f"with `belay policy adopt {policy.id} --reason …`; then start a new run"
    )
    return c.Finding(Rule.POLICY_FILE, Verdict.HOLD, sentence)


def policy_moved(belay: Services, known: OptimizationState) -> str:
    """Say that the step under way was admitted under another policy than is in force, or nothing."""
    now = belay.ledger.state().capabilities[known.capability].policy
    if known.step is None or known.step.policy == now:
        return ""
    return (
        f"the policy changed since this step was admitted ({known.step.policy[:12]} then, {now[:12]} now): "
        "start a new run"
    )


def policy_in_force(belay: Services, capability: str) -> CapabilityPolicy:
    """Return the policy that a gate goes by: what was adopted, whatever the file says by now.

    Raises
    ------
    PolicyBrokenError
        When the file is missing or broken, or is another than what is in force and that cannot be read any
        more: nobody widens on a policy that nobody can read.
    """
    return in_force_beside(belay, belay.policy(capability))


def in_force_beside(belay: Services, file: CapabilityPolicy) -> CapabilityPolicy:
    """Return the policy in force of a capability whose file was read already (`policy_in_force`)."""
    known = belay.ledger.state().capabilities.get(file.id)
    if known is None or known.policy == file.digest:
        return file
    kept = _kept(belay, known)
    if kept is None:
        raise PolicyBrokenError(_not_kept(known))
    return kept


def policies_in_force(
    belay: Services, state: State, names: Collection[str]
) -> tuple[dict[str, CapabilityPolicy], list[Unruled]]:
    """Return the policies of capabilities, and those whose policy nobody has kept.

    The file stands in for what was kept only where it is the very policy in force.
    """
    capabilities = {name: state.capabilities[name] for name in sorted(names)}
    documents = belay.ledger.evidence_of({c.document for c in capabilities.values() if c.document})
    policies: dict[str, CapabilityPolicy] = {}
    unruled = []
    for name, capability in capabilities.items():
        try:
            policies[name] = _kept_or_file(belay, capability, documents.get(capability.document or ""))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one policy, the others are watched
            unruled.append(Unruled(name, str(error).strip().splitlines()[0]))
    return policies, unruled


def _kept_or_file(belay: Services, known: CapabilityState, document: Any) -> CapabilityPolicy:
    try:
        kept = policy_of(document)
    except ValueError:
        kept = None
    if kept is None or kept.digest != known.policy:
        file = belay.policy(known.id)
        if file.digest != known.policy:
            raise PolicyBrokenError(_not_kept(known))
        return file
    return kept


def _kept(belay: Services, known: CapabilityState) -> CapabilityPolicy | None:
    """Return the policy in force as it was kept; None where nobody can read that any more."""
    try:
        return None if known.document is None else policy_of(belay.ledger.get_evidence(known.document))
    except (LedgerError, ValueError):
        return None


def _not_kept(known: CapabilityState) -> str:
    return (
        f"the policy of {known.id} in force ({known.policy[:12]}) cannot be read any more, and its file is "
        f"another: `belay policy adopt {known.id} --reason …` brings the file into force"
    )
