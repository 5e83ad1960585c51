"""Untrusted text, whatever it holds, is harmless and within limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from belay.slack.text import harmless, mrkdwn

ANY = st.text(st.characters(), max_size=400)


@given(ANY, st.integers(60, 300))
def test_plain_text_is_short_and_shows_nothing_that_deceives(text, limit):
    shown = harmless(text, limit)
    assert 0 < len(shown) <= limit
    assert not any(c in shown for c in "\u202a\u202e\u2066\u200b\x00\x1b")


@given(ANY, st.integers(60, 300))
def test_no_link_or_mention_survives_in_mrkdwn(text, limit):
    shown = mrkdwn(text, limit)
    assert 0 < len(shown) <= limit
    assert "<" not in shown
    assert ">" not in shown


def test_what_is_cut_off_is_said():
    assert harmless("y" * 1000, 100).endswith("(1,000 characters in all)")
