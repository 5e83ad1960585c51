"""What one cycle of the guard saw and did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from belay.guard.ledger_check import Traced


@dataclass(slots=True)
class Cycle:
    """What one cycle saw and did.

    Attributes
    ----------
    live, read, statements : int
        Optimizations that somebody sees; those read anew; statements sent to the warehouse.
    rolled_back, shrunk, turned : list[str]
        Optimizations taken down for harm; narrowed to what was shown harmless; whose hold-back took a turn.
    blind, sighted : list[str]
        Sources that went dark in this cycle, and that came back.
    harmless : list[str]
        Optimizations whose scope was shown harmless in this cycle.
    uncomparable : list[str]
        Live optimizations without anybody to compare with.
    interacting : list[str]
        Optimizations held in this cycle, because they interact with one that was live before.
    demoted : list[str]
        Capabilities that lost a stage in this cycle, to which, and by which rule.
    froze : str
        Why everything was frozen in this cycle; empty when it was not.
    traced : Traced
        When the ledger was verified last, and what was wrong with it.
    problems : list[str]
        What could not be done; the next cycle tries again.
    seconds : float
        Wall-clock time that it took.
    """

    live: int = 0
    read: int = 0
    statements: int = 0
    rolled_back: list[str] = field(default_factory=list)
    shrunk: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    sighted: list[str] = field(default_factory=list)
    harmless: list[str] = field(default_factory=list)
    uncomparable: list[str] = field(default_factory=list)
    interacting: list[str] = field(default_factory=list)
    demoted: list[str] = field(default_factory=list)
    froze: str = ""
    traced: Traced = field(default_factory=Traced)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)
