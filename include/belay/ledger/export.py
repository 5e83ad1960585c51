"""The ledger as JSON Lines: one entry a line, evidence behind it, verifiable without Belay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from belay.ledger import codec
from belay.ledger.errors import LedgerError, explained
from belay.ledger.schema import evidence
from belay.ledger.store import Ledger


def export(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Yield every entry, with its body as a document, then every evidence document.

    The ``hash`` of an entry is the SHA-256 of the JSON array (no white space, UTF-8) of its columns
    ``seq, at, kind, actor, capability, optimization, key, body, prev``, the body as canonical JSON text.
    """
    for entry in ledger.entries():
        yield {"type": "entry", **entry._asdict(), "body": _document(entry.body, f"entry {entry.seq}")}
    with explained(ledger.engine), ledger.engine.connect() as connection:
        for row in connection.execution_options(yield_per=500).execute(
            sa.select(evidence).order_by(evidence.c.sha256)
        ):
            yield {"type": "evidence", "sha256": row.sha256, "body": _document(row.body, row.sha256)}


def _document(body: str, where: str) -> Any:
    try:
        return codec.from_json(body)
    except (TypeError, ValueError) as error:
        raise LedgerError(f"{where} is not JSON any more ({error}): run `belay ledger verify`") from error
