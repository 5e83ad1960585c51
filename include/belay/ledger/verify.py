"""Does the ledger still say what was written? Names the first row that does not."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from belay.ledger.errors import explained
from belay.ledger.faults import Verification, check
from belay.ledger.schema import projections
from belay.ledger.store import Ledger


def verify(
    ledger: Ledger,
    *,
    since: tuple[int, str] | None = None,
    anchors: Mapping[int, str] | None = None,
    projections_too: bool = True,
    legal: bool = True,
) -> Verification:
    """Check the chain, the evidence it names, that its history is legal (I12), and what is derived from it.

    Parameters
    ----------
    ledger
        The ledger.
    since
        Number and hash of an entry noted earlier somewhere else (an anchor): a ledger that was
        rewritten as a whole, and so is consistent in itself, does not pass it.
    anchors
        More of them: hashes by the numbers of their entries.
    projections_too
        False leaves out folding the entries and comparing what follows from them: that what was written is
        what is there is checked as strictly, and faster. Whether it was legal is not checked then.
    legal
        False leaves that out alone.
    """
    known = {**(anchors or {}), **dict([since] if since else [])}
    with explained(ledger.engine), _uncollected():
        try:
            return check(ledger.engine, known, projections_too=projections_too, legal=legal, tolerant=False)
        except sa.exc.OperationalError as error:
            if "UTF-8" not in str(error.orig):
                raise
            # Somewhere there is text that is no text any more: read again so that its row is named.
            return check(ledger.engine, known, projections_too=projections_too, legal=legal, tolerant=True)


def derived(ledger: Ledger) -> dict[str, Any]:
    """Return the derived tables as they stand, as a document: before they are derived anew."""
    with explained(ledger.engine), ledger.engine.connect() as connection:
        rows = connection.execute(sa.select(projections).order_by(projections.c.entity, projections.c.id))
        return {"kind": "derived", "rows": [[row.entity, row.id, row.body] for row in rows]}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from collecting garbage: the state grows and stays, and no cycle is made meanwhile.

    Going through all of it for cycles, again and again, would cost a sixth of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
