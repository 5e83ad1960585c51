"""The card in Markdown, for Airflow's Required Actions page: nothing of the agent's is interpreted."""

from __future__ import annotations

import re
from itertools import groupby

from belay.domain.oversight import Oversight
from belay.present.card import Card
from belay.present.change import cut
from belay.present.layout import ENDS, Fact, Part, answers, facts

SO_FAR = "Answers so far: "
"""How the paragraph begins that changes with every answer."""
_MARKUP = re.compile(r"[\\`*{}\[\]<>()#+!|~]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown could take for markup; an underscore within a word is none."""
_TITLE = 80


def subject_line(card: Card) -> str:
    """Return what is asked as a title: what it is about, the agent's title, and from where to where."""
    words = card.agents_words
    title = "" if words is None else f", “{cut(' '.join(words.title.split()), _TITLE)}”"
    if card.oversight is Oversight.NOTICE:
        ends = f"{card.expires_at:%Y-%m-%d %H:%M} UTC"
        what = f"{card.capability}{title}, {card.before} → {card.after}"
        return f"For your information: {what}, at {ends} unless vetoed"
    return f"{card.capability}{title}: may it go from {card.before} to {card.after}?"


def paragraphs(card: Card) -> list[str]:
    """Return the card as paragraphs of Markdown, the change first; one of them is `progress`."""
    found = list[str]()
    for part, told in groupby(facts(card), key=lambda fact: fact.part):
        found += [progress(card)] if part is Part.ANSWER else [_paragraph(fact) for fact in told]
    return found


def progress(card: Card) -> str:
    """Return where the request stands, in one paragraph that begins with `SO_FAR`."""
    said = (f"{plain(fact.label)}: {plain(fact.text)}." for fact in answers(card))
    return " ".join(said).replace("..", ".")


def plain(text: str) -> str:
    """Return ``text`` on one line, so that nothing of it passes for markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def _paragraph(fact: Fact) -> str:
    return f"**{plain(fact.label)}:** {plain(fact.text)}{'' if fact.text.endswith(ENDS) else '.'}"
