"""The card in Markdown, for Airflow's Required Actions page: nothing of the agent's is interpreted."""

from __future__ import annotations

from belay.domain.oversight import Oversight
from belay.present.card import Card
from belay.present.change import change_lines

_SIGNS = "\\`*_{}[]<>()#+!|~"
_TITLE = 80


def subject_line(card: Card) -> str:
    """Return what is asked as a title: what it is about, the agent's title, and from where to where."""
    words = card.agents_words
    title = "" if words is None else f", “{_cut(' '.join(words.title.split()), _TITLE)}”"
    if card.oversight is Oversight.NOTICE:
        ends = f"{card.expires_at:%Y-%m-%d %H:%M} UTC"
        what = f"{card.capability}{title}, {card.before} → {card.after}"
        return f"For your information: {what}, at {ends} unless vetoed"
    return f"{card.capability}{title}: may it go from {card.before} to {card.after}?"


def paragraphs(card: Card) -> list[str]:
    """Return what a person decides on as paragraphs of Markdown: the change first."""
    words, found = card.agents_words, list[str]()
    found += [f"**What customers would see:** {plain(line)}" for line in change_lines(card.change)]
    if words is not None:
        proposes = f"{plain(words.proposed_by)} proposes “{plain(words.title)}”"
        found.append(f"{proposes} ({plain(words.agent_owner)} is accountable).")
    found.append(f"**{card.before} → {card.after}**, {plain(card.people)}.".replace("..", "."))
    found += [f"{line.mark} {plain(line.words)}" for line in card.effects] or [plain(card.sentence)]
    found += [f"Think about: {plain(thought)}." for thought in card.thoughts]
    found += [f"**{what}:** {plain(then)}." for what, then in card.consequences.lines(card.expires_at)]
    who = ", ".join(f"{plain(one.name)} ({plain(one.right)})" for one in card.deciders) or "nobody"
    verb = "Can answer" if card.oversight is Oversight.APPROVE else "Can stop it"
    return [*found, f"{verb}: {who}."]


def plain(text: str) -> str:
    """Return ``text`` on one line, so that nothing of it passes for markup."""
    flat = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in flat)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
