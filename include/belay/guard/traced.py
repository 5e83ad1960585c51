"""Can what everybody goes by be traced? The guard verifies the ledger too, as often as it can be afforded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from belay.ledger.verify import verify

if TYPE_CHECKING:
    from belay.ledger.watch import Beat
    from belay.services import Services

_SHARE = 20
"""Verifying takes at most one part in so many of the guard's time: a large ledger is verified less often."""


@dataclass(frozen=True, slots=True)
class Traced:
    """When the ledger was verified last, and what was wrong with it.

    Attributes
    ----------
    at : str
        Wall-clock time, ISO; empty when it never was.
    seconds : float
        How long it took.
    fault : str
        What does not verify; empty when all does.
    """

    at: str = ""
    seconds: float = 0.0
    fault: str = ""


def trace(belay: Services, last: Beat | None) -> Traced:
    """Verify the ledger, or return what the ``last`` heartbeat says where that is recent enough.

    Raises
    ------
    LedgerError
        When the ledger cannot be read.
    """
    known, now = Traced(**(last.body.get("traced") or {})) if last else Traced(), belay.now()
    if known.at:
        since = (now - datetime.fromisoformat(known.at)).total_seconds()
        if 0 <= since < _SHARE * known.seconds:
            return known
    began = monotonic()
    found = verify(belay.ledger)
    fault = "" if found.ok else f"the ledger does not verify: {found}"
    return Traced(now.isoformat(), round(monotonic() - began, 3), fault)
