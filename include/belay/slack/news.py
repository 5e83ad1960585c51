"""What people are told without being asked, as a Slack message: nothing in it is interpreted."""

from __future__ import annotations

from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    RichTextBlock,
    RichTextElementParts,
    RichTextListElement,
    RichTextSectionElement,
)

from belay.domain.roster import Roster
from belay.present.news import News
from belay.slack.text import harmless, mrkdwn

_MOST = 8
"""Sentences of one matter that are shown; a kill switch may take down a thousand changes."""


def news_message(matter: News, roster: Roster, *, pages: str) -> dict[str, Any]:
    """Return text and blocks of one matter.

    Parameters
    ----------
    matter
        What happened.
    roster
        Who is who: those who answer for it are mentioned, where they have a Slack id.
    pages
        Address of Belay's pages.
    """
    shown, more = matter.sentences[:_MOST], len(matter.sentences) - _MOST
    lines = [*shown, *([f"and {more} more: belay explain {matter.seq}"] if more > 0 else [])]
    said = [
        RichTextSectionElement(elements=[RichTextElementParts.Text(text=harmless(s, 340))]) for s in lines
    ]
    why = RichTextElementParts.Link(url=f"{pages}/explain/{matter.seq}", text="Why, and who is accountable")
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=harmless(matter.title, 150))),
        RichTextBlock(
            elements=[
                RichTextListElement(style="bullet", elements=said),
                RichTextSectionElement(elements=[why]),
            ]
        ),
        ContextBlock(elements=[MarkdownTextObject(text=_answerable(matter, roster))]),
    ]
    return {
        "text": harmless(f"{matter.title}. {' '.join(shown)}", 3900),
        "blocks": [block.to_dict() for block in blocks],
    }


def alarm_message(sentences: list[str]) -> dict[str, Any]:
    """Return text and blocks of what everybody has to hear of; of its end, where nothing is left of it."""
    title = "Belay needs somebody to look" if sentences else "What Belay needed somebody for is mended"
    over = "Somebody watches again, and what is live has its policy file."
    lines = [harmless(one, 1000) for one in sentences or [over]]
    said = [RichTextSectionElement(elements=[RichTextElementParts.Text(text=one)]) for one in lines]
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=title)),
        RichTextBlock(elements=[RichTextListElement(style="bullet", elements=said)]),
    ]
    return {
        "text": harmless(f"{title}. {' '.join(lines)}", 3900),
        "blocks": [block.to_dict() for block in blocks],
    }


def _answerable(matter: News, roster: Roster) -> str:
    """Mention those who answer for it."""
    people = [roster.person(owner) for owner in matter.owners]
    named = [
        f"<@{person.slack_id}>"
        if person and person.slack_id
        else mrkdwn(person.name if person else owner, 100)
        for owner, person in zip(matter.owners, people, strict=True)
    ]
    return f"Accountable: {', '.join(named)}" if named else "It concerns everybody."
