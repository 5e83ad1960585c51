"""Guards that every channel shows the same of a request: each fact of its card, in each channel."""

from __future__ import annotations

import dataclasses
import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from belay.domain.events import Choice
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestStatus
from belay.present.card import Card, Decider, VoteLine, Words
from belay.present.change import Difference, VariantChange
from belay.present.consequences import Consequences
from belay.present.effects import EffectLine
from belay.present.layout import facts
from belay.present.markdown import paragraphs, subject_line
from belay.slack.message import request_message
from belay.slack.thread import details_text
from belay.web.pages import templates

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
STEP = Card(
    request="checkout-delivery-date/2",
    digest="d1g35t" + "0" * 58,
    subject="checkout-delivery-date",
    capability="Checkout wording",
    agents_words=Words("Say when it arrives", "A date calms people.", "The agent copywriter", "Dana Novak"),
    owner="Carla Mendes",
    change=(
        VariantChange("friendly", (Difference("label", "“Order now”", "“Order, yours on Thursday”"),), 0),
        VariantChange("short", (Difference("banner.text", "(nothing)", "“Thursday”"),), 0),
    ),
    before="1 %",
    after="5 %",
    people="about 600 → 3,000 people a day",
    sentence="Conversion rose and no guardrail fell.",
    effects=(
        EffectLine("Conversion", "primary", "harmless", "+8.0 % (+2.0 % to +14.0 %)", "+8.0 %", "+2.0 %"),
        EffectLine("Support", "guardrail", "unknown", "−3.0 %", "−3.0 %", "+16.0 %", "+100 %"),
    ),
    thoughts=("Support is known only roughly: −20.0 % to +16.0 %", "The agent predicted more"),
    consequences=Consequences("5 % see it", "it means no; it stays at 1 %", "it stays so", "it goes to 0 %"),
    oversight=Oversight.APPROVE,
    rules=("the tag pricing asks for approval", "the stage supervised asks for approval"),
    status=RequestStatus.OPEN,
    outcome="",
    aftermath=None,
    votes=(
        VoteLine("Pat Doyle", "Nora Lindqvist", Choice.APPROVE, "worth it", "slack", AT, True, ("cx_owner",)),
        VoteLine("Dana Novak", "", Choice.APPROVE, "mine", "cli", AT, False, ("cx_owner",)),
    ),
    tally="1 of 2 approvals; needs a risk_owner",
    deciders=(
        Decider("Omar Haddad", "risk_owner", "U0OMAR", ("risk_owner",), answered=False),
        Decider("Kim", "risk_owner, for Omar", None, ("risk_owner",), answered=False),
    ),
    conflicted=("Dana Novak", "The agent copywriter"),
    groups=("S0RISK",),
    reminded=True,
    escalated_to=("director",),
    asked_at=AT,
    expires_at=AT + timedelta(hours=5),
    settled_at=None,
    ledger_head="731:0123456789ab",
    evidence="e51de9ce" + "0" * 56,
)
NOTICE = dataclasses.replace(
    STEP, oversight=Oversight.NOTICE, tally="", consequences=Consequences("", "it goes ahead", "no", "down")
)
PROMOTION = dataclasses.replace(
    STEP,
    agents_words=None,
    change=(),
    before="stage suggest",
    after="stage supervised",
    people="AI may show a first 1 % after notice",
    effects=(EffectLine("harm rate", "criterion", "met", "0 of 12 did harm"),),
)
NOT_SHOWN = {
    "groups": "ids of Slack's groups: mentions there, and their roles stand with the people",
    "reminded": "told by the escalation, where there is one",
    "status": "the card is of an open question",
    "outcome": "empty while the question is open",
    "aftermath": "none while the question is open",
    "settled_at": "none while the question is open",
    "oversight": "the words for it are those of `deciders`",
}


def cli(card: Card) -> str:
    return "\n".join(map(str, (card.question, *facts(card))))


def required_actions(card: Card) -> str:
    return "\n".join([subject_line(card), *paragraphs(card)]).replace("\\", "")


def page(card: Card) -> str:
    laid_out = templates().get_template("parts.html").module.facts([fact._asdict() for fact in facts(card)])
    return f"{card.question}\n{html.unescape(re.sub('<[^>]+>', '', str(laid_out)))}"


def slack(card: Card) -> str:
    """Return what Slack shows: the message and the first line of its thread."""
    message = request_message(card, review_url="http://127.0.0.1:1/review")

    def texts(part):
        if isinstance(part, dict):
            yield from ([part["text"]] if isinstance(part.get("text"), str) else [])
            part = list(part.values())
        if isinstance(part, list):
            for one in part:
                yield from texts(one)

    said = "\n".join([*texts(message["blocks"]), details_text(card)])
    dates = re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", said)
    people = dates.replace("<@U0OMAR>", "Omar Haddad").replace("*", "")
    return people.replace("\u200b", "").replace("\u00a0", " ").replace("&gt;", ">")


def expected(card: Card) -> dict[str, list[str]]:
    """Return the texts that each field of the card has to be found by."""
    words, then = card.agents_words, card.consequences
    verb = "Can answer" if card.oversight is Oversight.APPROVE else "Can stop it"
    return {
        "request": [card.request],
        "digest": [card.digest[:12]],
        "subject": [card.subject],
        "capability": [card.capability],
        "agents_words": [words.title, words.hypothesis, words.proposed_by, words.agent_owner]
        if words
        else [],
        "owner": [card.owner],
        "change": [
            text
            for change in card.change
            for one in change.differences
            for text in (change.variant, one.field, one.before, one.after)
        ],
        "before": [card.before],
        "after": [card.after],
        "people": [card.people],
        "sentence": [card.sentence],
        "effects": [text for line in card.effects for text in (line.mark, line.title, line.figures)],
        "thoughts": list(card.thoughts),
        "consequences": [then.approve, then.silence, then.reject, then.veto],
        "rules": list(card.rules),
        "votes": [
            text for v in card.votes for text in (v.voter, v.on_behalf_of, v.reason, f"via {v.via}", "count")
        ],
        "tally": [card.tally],
        "deciders": [verb, *(t for one in card.deciders for t in (one.name, f"({one.right})"))],
        "conflicted": list(card.conflicted),
        "escalated_to": list(card.escalated_to),
        "asked_at": [f"{card.asked_at:%Y-%m-%d %H:%M}"],
        "expires_at": [f"{card.expires_at:%Y-%m-%d %H:%M}"],
        "ledger_head": [card.ledger_head],
        "evidence": [str(card.evidence)[:12]],
    }


@pytest.mark.parametrize("card", [STEP, NOTICE, PROMOTION], ids=["step", "notice", "promotion"])
@pytest.mark.parametrize("channel", [slack, page, required_actions, cli])
def test_every_fact_of_the_card_is_in_every_channel(channel, card):
    shown = channel(card)
    missing = {
        field: lost
        for field, texts in expected(card).items()
        if (lost := [text for text in texts if text not in shown])
    }
    assert missing == {}, shown


def test_no_field_of_the_card_is_forgotten():
    fields = {field.name for field in dataclasses.fields(Card)}
    assert fields == set(expected(STEP)) | set(NOT_SHOWN)
