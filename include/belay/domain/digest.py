"""Canonical JSON and its SHA-256: one content, one name.

The form is Python's (``json.dumps`` with ``sort_keys=True, separators=(",", ":"), ensure_ascii=False,
allow_nan=False``), and part of the ledger's format: keys in the order of their code points, no white space,
UTF-8, strings escaped as RFC 8259 asks and no more, whole numbers in full, other numbers in the fewest digits
that read back to the same double (IEEE 754). It is not RFC 8785 (JSON Canonicalization Scheme), whose digits
are the same but which writes doubles as ECMAScript does (``1`` for 1.0, ``1e+21`` only from there on) and
orders keys by UTF-16 code units.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_CANONICAL = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,  # as costly as all the rest, and plain data hold no circles
)


def canonical_json(document: Any) -> str:
    """Return ``document`` as canonical JSON text.

    Raises
    ------
    ValueError
        When it holds NaN or an infinity: such evidence could not be named or compared.
    """
    return _CANONICAL.encode(document)


def sha256_of(document: Any) -> str:
    """Return the SHA-256 of the canonical JSON of ``document``, in hexadecimal."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()
