"""Text from outside can be kept whatever it holds, and says where it is not what was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.text import MOST, clean_text, cleaned


@given(st.text(st.characters(), max_size=200))
def test_whatever_is_given_can_be_kept_and_cleaning_twice_is_cleaning_once(text: str) -> None:
    kept = clean_text(text)
    assert kept.encode().decode() == kept
    assert "\0" not in kept
    assert clean_text(kept) == kept


@pytest.mark.parametrize(
    ("given", "text", "remark"),
    [
        ("wrong prices", "wrong prices", ""),
        ("falsche Preise für 🙂", "falsche Preise für 🙂", ""),
        ("wrong \ud83d", "wrong \ufffd [what is no text was replaced]", "what is no text was replaced"),
        ("\ud83d\ude42", "🙂", ""),
        (
            "caf\udcc3\0",
            "caf\ufffd\ufffd [what is no text was replaced 2 times]",
            "what is no text was replaced 2 times",
        ),
    ],
)
def test_only_what_is_no_text_is_replaced_and_it_says_so(given: str, text: str, remark: str) -> None:
    assert cleaned(given) == (text, remark)


def test_what_is_too_long_is_cut_and_says_so() -> None:
    kept, remark = cleaned("x" * 1_000_000)
    assert len(kept) == MOST
    assert remark == "cut, it had 1,000,000 characters"
    assert clean_text(kept) == kept
