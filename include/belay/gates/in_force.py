"""The policies in force: as the ledger keeps them, whatever became of their files since."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from belay.domain.capability import CapabilityPolicy
from belay.domain.state import State
from belay.ledger.policies import policy_of

if TYPE_CHECKING:
    from belay.services import Services


@dataclass(frozen=True, slots=True)
class Unruled:
    """A capability with something live and no policy that could be read; ``why`` says what is wrong."""

    capability: str
    why: str


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
