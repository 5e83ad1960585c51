"""Is somebody watching? Where the guard has not looked for too long, nothing widens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from belay.domain.figures import duration
from belay.ledger.watch import Beat, Watch

if TYPE_CHECKING:
    from belay.services import Services

MISSED = 5
"""Looks that a guard may miss before it counts as missing: a busy scheduler is late by one or two."""


class GuardMissing(Exception):  # noqa: N818 - it is a state of the world, not a programming error
    """The guard has not looked for too long; the message says since when, and what to do."""


def is_recent(belay: Services, beat: Beat, missed: int = MISSED) -> bool:
    """Whether a guard looked at most so many intervals ago; a look in the future is none."""
    return abs(belay.now() - beat.at) <= missed * belay.settings.guard_every


def missing_guard(belay: Services) -> str | None:
    """Return since when no guard has looked, in words; None while one does.

    Any guard that looked lately counts, whatever the clock of another one says. Before the first look of all,
    the ledger's beginning counts: a guard has as long to start as it may be late.
    """
    beats = Watch(belay.ledger.engine).beats()
    if any(is_recent(belay, beat) for beat in beats):
        return None
    past = [beat for beat in beats if beat.at <= belay.now()]
    if not beats:
        begun, late = next(iter(belay.ledger.entries()), None), MISSED * belay.settings.guard_every
        if begun is None or belay.now() - datetime.fromisoformat(begun.at) <= late:
            return None
        return "no guard has ever looked: start the DAG `guard`, or run `belay guard`"
    if not past:
        return (
            f"the guard looked {duration(beats[-1].at - belay.now())} from now: one of two clocks is wrong; "
            "once they agree, `belay guard --once` looks again"
        )
    return (
        f"the guard has not looked for {duration(belay.now() - past[0].at)}: is the DAG `guard` running? "
        "`belay guard --once` does its work"
    )


def missing_reconcile(belay: Services) -> str | None:
    """Return since when nobody has compared flags and ledger, in words; None while somebody does."""
    passes = Watch(belay.ledger.engine).passes()
    every = timedelta(seconds=max((one.body.get("every", 0.0) for one in passes), default=0.0))
    if not every or any(abs(belay.now() - one.at) <= MISSED * every for one in passes):
        return None  # by hand once is no watch that could be missed
    return (
        f"nobody has compared flags and ledger for {duration(abs(belay.now() - passes[0].at))}: is the DAG "
        "`reconcile` running? `belay reconcile --once` does its work"
    )


def require_guard(belay: Services) -> None:
    """Let a widening go on only while the guard watches.

    Raises
    ------
    GuardMissing
        When it does not. Nothing is lost: the step can be taken when it does again.
    """
    if (missing := missing_guard(belay)) is not None:
        raise GuardMissing(missing)
