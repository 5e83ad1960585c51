"""Canonical JSON and its SHA-256: one content, one name.

Follows the part of RFC 8785 (JSON Canonicalization Scheme) that plain data needs: keys sorted, no
white space, UTF-8, no NaN or infinity.
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
