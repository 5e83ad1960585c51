"""Is this a reason? One answer for every act of a person or an agent, whatever the channel."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and signs by their category that are drawn as nothing: fillers of Hangul, blank Braille."""


def is_reason(text: str) -> bool:
    """Return whether anybody can read something in ``text``.

    White space, control and format characters (zero-width ones among them), lone surrogates, marks without a
    letter and fillers show nothing: a text of these alone is no reason. Categories: Unicode Standard Annex
    44, table 12.
    """
    return any(unicodedata.category(sign)[0] in "LNPS" and sign not in _UNSEEN for sign in text)
