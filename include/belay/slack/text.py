"""Untrusted text made harmless. An agent's words must not forge blocks, links, mentions, or us."""

from __future__ import annotations

import re
import unicodedata

_KEPT = {"\n", "\t"}
_APART = "\u200b"
_FORMATS = re.compile(r"[*~`]|(?<![^\W_])_|_(?![^\W_])")
"""What begins or ends formatting; an underscore between two letters or digits does not."""
_ANGLED = re.compile(r"<(?P<kind>[@#!]?)(?P<target>[^<>|]+)(\|(?P<label>[^<>]*))?>")


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


class Mrkdwn(str):
    """Text in Slack's own markup: whatever of it came from outside is escaped already.

    Senders escape every other string, so that nobody escapes for them, and nothing is escaped twice.
    """

    __slots__ = ()


def mrkdwn(text: str, limit: int) -> Mrkdwn:
    """Return ``text`` escaped for a ``mrkdwn`` element: nothing of it can become a link or a mention.

    What is `Mrkdwn` already stays as it is, cut at ``limit``. Slack's rule: ``&``, ``<`` and ``>`` become
    entities. Formatting characters are kept from pairing up by a zero-width space, so that words of others
    are never shown as ours in bold or code; the underscore inside a name forms no pair and stays alone.
    """
    if isinstance(text, Mrkdwn):
        return text if len(text) <= limit else Mrkdwn(_cut_markup(text, limit))
    clean = harmless(text, limit)
    while len(escaped := _escaped(clean)) > limit:
        clean = harmless(text, len(clean) - (len(escaped) - limit) - 1)
    return Mrkdwn(escaped)


def compose(template: str, **words: object) -> Mrkdwn:
    """Return markup of ours with the words of others in it, each escaped once."""
    return Mrkdwn(
        template.format(
            **{
                name: mrkdwn(str(word), 2000) if not isinstance(word, Mrkdwn) else word
                for name, word in words.items()
            }
        )
    )


def typed(text: str) -> str:
    """Return what somebody typed or pasted, as they read it.

    Slack sends ``&``, ``<`` and ``>`` as entities and links, mentions and channels in angle brackets; and
    what is copied from a message carries the zero-width spaces that `mrkdwn` put there.
    """
    plain = _ANGLED.sub(_label, text.replace(_APART, ""))
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        plain = plain.replace(entity, character)
    return plain


def typed_name(text: str) -> str:
    """Return a name that was typed or pasted: without what cannot be seen, and without marks around it."""
    plain = "".join(c for c in unicodedata.normalize("NFC", typed(text)) if not _deceives(c))
    return plain.strip().strip("*`\"'“”‘’„,")


def _escaped(clean: str) -> str:
    escaped = clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _FORMATS.sub(lambda found: found[0] + _APART, escaped)


def _cut_markup(text: str, limit: int) -> str:
    """Cut markup where no entity and no angled part is open."""
    cut = text[: limit - 1]
    for opened, closed in (("<", ">"), ("&", ";")):
        if cut.rfind(opened) > cut.rfind(closed):
            cut = cut[: cut.rfind(opened)]
    return cut + "…"


def _label(found: re.Match[str]) -> str:
    kind, target, label = found["kind"], found["target"], found["label"]
    if kind == "!":  # a group or a special mention
        return label or f"@{target}"
    return f"{kind}{label or target}" if kind else target


def _deceives(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _whole_graphemes(cut: str, whole: str) -> str:
    """Take back characters so that a base letter does not lose its combining marks at the cut."""
    end = len(cut)
    while 0 < end < len(whole) and unicodedata.combining(whole[end]):
        end -= 1
    return whole[:end]
