"""Can what everybody goes by be traced? The guard verifies the ledger too, as often as it can be afforded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from belay.flags.target import FlagsUnavailable
from belay.guard import anchors
from belay.ledger.faults import Verification
from belay.ledger.verify import derived, verify

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
    head : str
        The number and hash of the last entry that was verified: an anchor for whoever wants to keep one.
    """

    at: str = ""
    seconds: float = 0.0
    fault: str = ""
    mended: str = ""
    head: str = ""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Traced:
        """Return what a heartbeat's body says, of this Belay or another."""
        said = body.get("traced") or {}
        at, fault, head = (str(said.get(name, "")) for name in ("at", "fault", "head"))
        return cls(at, float(said.get("seconds", 0.0)), fault, head=head)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to verify again."""
        since = (now - datetime.fromisoformat(self.at)).total_seconds() if self.at else -1.0
        return not 0 <= since < _SHARE * self.seconds

    def begun(self, now: datetime) -> Traced:
        """Return what is known while a verification runs: were it not to end, it would not begin at once."""
        return Traced(now.isoformat(), max(self.seconds, _UNENDED), self.fault, head=self.head)


def trace(belay: Services) -> Traced:
    """Verify the ledger, against what was verified before.

    What only does not follow from sound entries is derived from them anew, and what was there before is
    kept as evidence. Tables that know more than the entries are no damage but a sign that entries are gone:
    they stay as they are.
    """
    began, now, mended, head = monotonic(), belay.now().isoformat(), "", ""
    found: Verification | None = None
    try:
        kept = anchors.read(belay)
        found = verify(belay.ledger, anchors=kept)
        if found.fault is not None and found.fault.table == "projections" and not found.fault.ahead:
            evidence = belay.ledger.put_evidence(derived(belay.ledger))
            mended = (
                f"what the ledger derives from its entries was wrong, and is derived anew: {found}; what it "
                f"was is kept as evidence {evidence}"
            )
            belay.ledger.rebuild()
            found = verify(belay.ledger, anchors=kept)
        fault = "" if found.ok else f"the ledger does not verify: {found}"
        head = f"{found.entries}:{found.head}" if found.ok else ""
    except anchors.WrongAnchorError as wrong:
        fault = f"the ledger does not verify: {wrong}"
    except Exception as error:  # noqa: BLE001 - a damaged page has any error; whatever it is, nothing is proved
        fault = f"the ledger cannot be verified: {(str(error).strip().splitlines() or [''])[0]}"
    if head and found is not None:
        with suppress(OSError, FlagsUnavailable, anchors.WrongAnchorError):  # the next look keeps a newer one
            anchors.keep(belay, found)
    return Traced(now, round(monotonic() - began, 3), fault, mended, head)
