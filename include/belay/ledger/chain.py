"""The hash chain: each entry is bound to the one before, so no row can change, vanish, appear or move."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

GENESIS = "0" * 64
"""What the first entry follows."""

_canonical = msgspec.json.Encoder().encode
"""JSON without white space: of texts and whole numbers the same as json.dumps makes, several times faster."""


class Entry(NamedTuple):
    """One row of the ledger, as stored.

    Attributes
    ----------
    seq : int
        Number, from 1, without gaps.
    at : str
        Wall-clock time, UTC, ISO 8601.
    kind : str
        The event's kind.
    actor : str
        ``human:…``, ``agent:…`` or ``service:…``.
    capability, optimization : str
        What it is about; empty where it is about neither.
    key : str
        The command that led to it: its idempotency key, or where it had none ``command:`` and the number of
        its first entry. Empty in entries from before that was kept.
    body : str
        The event as canonical JSON.
    prev, hash : str
        SHA-256 of the entry before, and of this one.
    """

    seq: int
    at: str
    kind: str
    actor: str
    capability: str
    optimization: str
    key: str
    body: str
    prev: str
    hash: str


def hash_of(seq: int, *texts: str) -> str:
    """Return the SHA-256 (FIPS 180-4) of an entry's columns, written as one canonical JSON array.

    ``texts`` are the columns from ``at`` to ``prev``.

    Raises
    ------
    TypeError
        When a column holds something else than text.
    UnicodeEncodeError
        When a column holds what is no text any more.
    """
    "".join(texts)  # bytes are no text: the encoder would take them, and write another text in their place
    return hashlib.sha256(_canonical((seq, *texts))).hexdigest()
