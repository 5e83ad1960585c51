"""Can what everybody goes by be traced? The guard verifies the ledger too, as often as it can be afforded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from belay.ledger.verify import verify

if TYPE_CHECKING:
    from belay.services import Services

_SHARE = 20
"""Verifying takes at most one part in so many of the guard's time: a large ledger is verified less often."""
_UNENDED = 60.0
"""Seconds that a verification counts as when it did not end: the guard was killed over it, or its machine."""


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
    mended : str
        What did not follow from the entries and was derived from them anew.
    """

    at: str = ""
    seconds: float = 0.0
    fault: str = ""
    mended: str = ""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Traced:
        """Return what a heartbeat's body says, of this Belay or another."""
        said = body.get("traced") or {}
        return cls(str(said.get("at", "")), float(said.get("seconds", 0.0)), str(said.get("fault", "")))

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to verify again."""
        since = (now - datetime.fromisoformat(self.at)).total_seconds() if self.at else -1.0
        return not 0 <= since < _SHARE * self.seconds

    def begun(self, now: datetime) -> Traced:
        """Return what is known while a verification runs: were it not to end, it would not begin at once."""
        return Traced(now.isoformat(), max(self.seconds, _UNENDED), self.fault)


def trace(belay: Services) -> Traced:
    """Verify the ledger. What only does not follow from sound entries is derived from them anew."""
    began, now, mended = monotonic(), belay.now().isoformat(), ""
    try:
        found = verify(belay.ledger)
        if found.fault is not None and found.fault.table == "projections":
            mended = f"what the ledger derives from its entries was wrong, and is derived anew: {found}"
            belay.ledger.rebuild()
            found = verify(belay.ledger)
        fault = "" if found.ok else f"the ledger does not verify: {found}"
    except Exception as error:  # noqa: BLE001 - a damaged page has any error; whatever it is, nothing is proved
        fault = f"the ledger cannot be verified: {str(error).strip().splitlines()[0]}"
    return Traced(now, round(monotonic() - began, 3), fault, mended)
