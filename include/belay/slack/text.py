"""Untrusted text made harmless. An agent's words must not forge blocks, links, mentions, or us."""

from __future__ import annotations

import unicodedata

_KEPT = {"\n", "\t"}


def harmless(text: str, limit: int) -> str:
    """Return ``text`` fit for a ``plain_text`` or ``rich_text`` element of at most ``limit`` characters.

    Those elements parse nothing. What is left to take out is what deceives the eye: control characters,
    bidirectional overrides, zero-width characters. What is cut off is said.
    """
    clean = "".join(c for c in unicodedata.normalize("NFC", text) if c in _KEPT or not _deceives(c))
    clean = clean.strip() or "(nothing)"
    if len(clean) <= limit:
        return clean
    note = f"… ({len(clean):,} characters in all)"
    return _whole_graphemes(clean[: max(limit - len(note), 0)], clean) + note


def mrkdwn(text: str, limit: int) -> str:
    """Return ``text`` escaped for a ``mrkdwn`` element: nothing of it can become a link or a mention.

    Slack's rule: ``&``, ``<`` and ``>`` become entities. Formatting characters are kept from pairing up
    by a zero-width space, so that words of others are never shown as ours in bold or code.
    """
    clean = harmless(text, limit)
    escaped = clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "*_~`":
        escaped = escaped.replace(mark, mark + "\u200b")
    while len(escaped) > limit:
        clean = harmless(text, len(clean) - (len(escaped) - limit) - 1)
        escaped = clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped


def _deceives(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _whole_graphemes(cut: str, whole: str) -> str:
    """Take back characters so that a base letter does not lose its combining marks at the cut."""
    end = len(cut)
    while 0 < end < len(whole) and unicodedata.combining(whole[end]):
        end -= 1
    return whole[:end]
