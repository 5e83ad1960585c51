"""Is somebody watching? Where the guard has not looked for too long, nothing widens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from belay.gates.outcome import in_words
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

    A ledger on which no guard has ever looked has none to miss: `belay doctor` says so.
    """
    last = Watch(belay.ledger.engine).last()
    if last is None:
        return None
    if is_recent(belay, last):
        return None
    age = belay.now() - last.at
    if age < timedelta(0):
        return (
            f"the guard looked {in_words(-age)} from now: one of two clocks is wrong; "
            "once they agree, `belay guard --once` looks again"
        )
    return (
        f"the guard has not looked for {in_words(age)}: is the DAG `guard` running? "
        "`belay guard --once` does its work"
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
