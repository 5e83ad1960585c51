"""How much days differed in the surface's earlier optimizations: what a new one is planned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.domain.gates import Gate

if TYPE_CHECKING:
    from belay.cells.plan import Earlier
    from belay.services import Services

MOST_READ = 200
"""Reviews that are read, newest first; those that show no days are read and not counted."""


def earlier_dispersion(belay: Services, surface: str, but: str = "") -> dict[str, Earlier]:
    """Return by metric how daily effects scattered in the last review of each change of ``surface``.

    ``but`` names the optimization that is planned: its own days are looked at, and not assumed.
    """
    from belay.measurement.dispersion import earlier_of

    reviewed = []
    for other in belay.ledger.state().optimizations.values():
        if other.surface != surface or other.id == but or other.step is None:
            continue
        spoken = other.step.gates.get(Gate.REVIEW)
        if spoken is not None and spoken.evidence and other.phases:
            reviewed.append((spoken.seq, spoken.evidence))
    newest = [evidence for _, evidence in sorted(reviewed, reverse=True)[:MOST_READ]]
    kept = belay.ledger.evidence_of(set(newest))
    return earlier_of(kept[evidence] for evidence in newest if evidence in kept)
