"""Policies as evidence: kept whole when they come into force, so that a broken file blinds nobody."""

from __future__ import annotations

from typing import Any

from belay.domain.capability import CapabilityPolicy
from belay.ledger.codec import plain, restored

KIND = "policy"


def policy_document(policy: CapabilityPolicy) -> dict[str, Any]:
    """Return a policy as a plain document, from which ``policy_of`` gives it back."""
    return {"kind": KIND, "policy": plain(policy)}


def policy_of(document: Any) -> CapabilityPolicy:
    """Return the policy that a document holds.

    Raises
    ------
    ValueError
        When it holds none that this Belay understands.
    """
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ValueError("the document holds no policy")
    try:
        policy: CapabilityPolicy = restored(CapabilityPolicy, document["policy"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the document holds no policy that this Belay understands: {error}") from error
    return policy
