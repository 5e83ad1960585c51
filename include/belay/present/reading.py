"""A request's card from the ledger, for whatever channel shows it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from belay.domain.request_state import RequestState
from belay.domain.roster import Roster
from belay.domain.state import State
from belay.ledger.store import Ledger, LedgerError
from belay.present.card import Card, build_card

_log = logging.getLogger(__name__)


def read_card(ledger: Ledger, state: State, request: RequestState, *, roster: Roster, now: datetime) -> Card:
    """Return what people see of ``request``.

    A review that cannot be read leaves the card without its figures, which says so: nobody is kept from
    answering, and nobody is shown a figure that is not there.
    """
    return build_card(
        state,
        request,
        review=evidence_of(ledger, request.evidence, request.id),
        roster=roster,
        ledger_head=ledger.head(),
        now=now,
    )


def evidence_of(ledger: Ledger, evidence: str | None, about: str) -> Mapping[str, Any] | None:
    """Return a document of the ledger, or None (and a line in the log) where it cannot be had."""
    if evidence is None:
        return None
    try:
        document: dict[str, Any] = ledger.get_evidence(evidence)
    except LedgerError as error:
        _log.warning("the review of %s cannot be shown: %s", about, error)
        return None
    return document
