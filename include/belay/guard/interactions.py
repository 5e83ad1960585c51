"""Pairs of climbing changes that some units meet: those that interact do not both go on."""

from __future__ import annotations

import random
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING

from belay.domain import commands as c
from belay.domain.state import OptimizationState, Status
from belay.guard.live import Live, sights_of
from belay.measurement.interaction import judge_interaction
from belay.warehouse.interaction import read_groups

if TYPE_CHECKING:
    from belay.services import Services

MOST_PAIRS = 20
"""Pairs that one cycle asks about: one statement each, and only for what climbs at the same time."""


def pairs_of(live: list[Live]) -> list[tuple[Live, Live]]:
    """Return the pairs of climbing changes whose audiences do not exclude each other, first live first."""
    climbing = [one for one in live if one.known.status is not Status.COMPLETED]
    climbing.sort(key=lambda one: (_exposed(one.known), one.known.id))
    return [
        (first, later)
        for first, later in combinations(climbing, 2)
        if first.known.id not in later.known.interacts_with and _may_share(first.known, later.known)
    ]


def _drawn(pairs: list[tuple[Live, Live]], at: datetime) -> list[tuple[Live, Live]]:
    """Return those that a cycle asks about: all, or as many as it may, others at another data time."""
    if len(pairs) <= MOST_PAIRS:
        return pairs
    return random.Random(at.isoformat()).sample(pairs, MOST_PAIRS)  # noqa: S311 - nothing is guarded by it


def _exposed(known: OptimizationState) -> datetime:
    return known.results.exposed_at or known.proposed_at


def _may_share(one: OptimizationState, other: OptimizationState) -> bool:
    mine = one.proposal.audience
    return all(mine.get(name, value) == value for name, value in other.proposal.audience.items())


def interactions(
    belay: Services, live: list[Live], until: dict[str, datetime]
) -> tuple[list[c.RecordInteraction], int]:
    """Return the interactions shown, and how many statements it took to ask."""
    readable = [one for one in live if one.known.surface in until and one.comparable]
    pairs = pairs_of(readable)
    asked = _drawn(pairs, max(until.values())) if pairs else []
    found = []
    for first, later in asked:
        other_sight, later_sight = sights_of(belay, [first, later], until)
        shown = judge_interaction(read_groups(belay.warehouse, other_sight, later_sight), len(pairs))
        if shown.found:
            title = later.policy.primary.metric.title
            sentence = (
                f"{later.known.id} changes {title} by {shown.alone:+.3g} a unit alone and by "
                f"{shown.together:+.3g} together with {first.known.id} ({sum(shown.units):,} units met both)"
            )
            evidence = belay.ledger.put_evidence(
                {
                    "kind": "interaction",
                    "of": [first.known.id, later.known.id],
                    "units": list(shown.units),
                    "alone": shown.alone,
                    "together": shown.together,
                    "log_e": shown.log_e,
                }
            )
            found.append(c.RecordInteraction(later.known.id, first.known.id, sentence, evidence))
    return found, len(asked)
