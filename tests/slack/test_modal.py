"""The form asks for a reason that one press gives, and takes no other authority from what it carries."""

from __future__ import annotations

import pytest
from tests.support.block_kit import faults

from belay.slack.modal import OWN_WORDS, Answer, Judging, judging_modal, reason_in, reason_modal

VIEWS = [
    *(reason_modal(Answer(verb, "r", "d"), "Checkout wording", "it stays") for verb in ("approve", "reject")),
    reason_modal(Answer("veto", "r", "d"), "Checkout wording", "it is taken down"),
    judging_modal(Judging("one", agrees=True), "A title"),
    judging_modal(Judging("one", agrees=False), "A title"),
]


def submitted(view, number, written=None):
    options = view["blocks"][1]["element"]["options"]
    values = {"belay_reason_block": {"belay_reason_input": {"value": written}}}
    if number is not None:
        values["belay_quick_block"] = {"belay_quick_reason": {"selected_option": options[number]}}
    return {"state": {"values": values}}


@pytest.mark.parametrize("view", VIEWS)
def test_each_quick_reason_is_a_reason_and_own_words_are_added(view):
    assert faults({"text": "a form", "blocks": view["blocks"]}) == []
    _, quick, written = view["blocks"]
    assert written["optional"]
    assert "optional" not in quick
    options = quick["element"]["options"]
    for number, option in enumerate(options[:-1]):
        assert reason_in(submitted(view, number)) == option["text"]["text"]
        assert reason_in(submitted(view, number, "and more")) == f"{option['text']['text']}. and more"
    assert options[-1]["value"] == OWN_WORDS
    assert reason_in(submitted(view, len(options) - 1, "my own")) == "my own"
    assert reason_in(submitted(view, len(options) - 1)) == "", "no words are no reason"


@pytest.mark.parametrize("forged", ["approve:9", "approve:-1", "approve:²", "approve", "nothing:0", "", ":"])
def test_a_forged_choice_gives_no_reason(forged):
    values = {"belay_quick_block": {"belay_quick_reason": {"selected_option": {"value": forged}}}}
    assert reason_in({"state": {"values": values}}) == ""


def test_the_form_says_what_the_button_does():
    view = reason_modal(
        Answer("veto", "r", "d"), "one: 1 % → 5 %", "it is taken down to 0 % at once, for good"
    )
    assert view["blocks"][0]["text"]["text"] == (
        "one: 1 % → 5 %\nVeto: it is taken down to 0 % at once, for good."
    )
