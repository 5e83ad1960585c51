"""Untrusted text, whatever it holds, is harmless and within limits."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.slack.text import compose, harmless, mrkdwn, typed, typed_name

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


@given(ANY, st.integers(60, 300))
def test_what_is_escaped_is_not_escaped_again(text, limit):
    shown = mrkdwn(text, limit)
    assert mrkdwn(shown, limit) == shown
    assert compose("{words}", words=shown) == shown


@given(st.from_regex(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*(:[a-z0-9_]+)?", fullmatch=True))
def test_a_name_that_is_shown_can_be_typed(name):
    shown = mrkdwn(name, 500)
    assert typed_name(shown) == typed_name(f"*{shown}*") == typed_name(f"`{shown}`") == name
    assert shown == name, "nothing invisible is put into a name"


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"]), min_size=1))
def test_what_was_escaped_is_read_back(text):
    """What Slack sends of a command is escaped as what Belay sends is."""
    shown = mrkdwn(text, 10_000)
    plain = unicodedata.normalize("NFC", text).strip()
    assert typed(shown) == (plain or "(nothing)")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("it says &lt;b&gt; &amp;amp; more", "it says <b> &amp; more"),
        ("see <https://wiki.example/x|wiki.example/x>", "see https://wiki.example/x"),
        ("ask <@U0NORA|nora> in <#C1|approvals>", "ask @nora in #approvals"),
        ("<!subteam^S1|@risk> and <!channel>", "@risk and @channel"),
        ("home\u200b_\u200bpage", "home_page"),
    ],
)
def test_what_slack_sends_is_read_as_it_was_typed(sent, read):
    assert typed(sent) == read


@given(ANY, st.integers(10, 200))
def test_markup_is_cut_where_nothing_is_open(text, limit):
    cut = mrkdwn(compose("<@U0NORA> {words} <@U0PRIYA>", words=text), limit)
    assert len(cut) <= limit
    assert cut.count("<") == cut.count(">")


def test_what_is_cut_off_is_said():
    assert harmless("y" * 1000, 100).endswith("(1,000 characters in all)")
