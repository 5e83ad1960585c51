"""Text that people and outside parts hand over: whatever it holds, it can be kept, sent and shown."""

from __future__ import annotations

from typing import NamedTuple

MOST = 10_000
"""Characters of a text that are kept, its remark included."""

_NO_TEXT = "\N{REPLACEMENT CHARACTER}"


class Cleaned(NamedTuple):
    """Text that can be kept, and what had to be changed for that, in words; empty where nothing had."""

    text: str
    remark: str


def clean_text(text: str) -> str:
    """Return ``text`` as it can be kept, with the remark of ``cleaned`` at its end where there is one.

    Cleaning twice is cleaning once.
    """
    return cleaned(text).text


def cleaned(text: str) -> Cleaned:
    """Make Unicode text without NUL, of at most ``MOST`` characters, from whatever was given.

    Halves of a character (lone surrogates: bytes of a terminal that are no UTF-8, JSON that was cut inside
    an emoji) and NUL, which PostgreSQL cannot keep, become U+FFFD; two halves that belong together become
    the character. Nothing that was typed in a hurry may keep something from being taken down.
    """
    if len(text) <= MOST and text.isascii() and "\0" not in text:
        return Cleaned(text, "")
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", _NO_TEXT)
    lost = whole.count(_NO_TEXT) - text.count(_NO_TEXT)
    remarks = [f"what is no text was replaced {lost} times"] if lost > 1 else []
    remarks += ["what is no text was replaced"] if lost == 1 else []
    remarks += [f"cut, it had {len(whole):,} characters"] if len(whole) > MOST else []
    remark = "; ".join(remarks)
    tail = f" [{remark}]" if remark else ""
    return Cleaned(whole[: MOST - len(tail)] + tail, remark)
