"""The order in which a card is read: every fact of it once, as a label and plain text.

The board, Airflow's Required Actions and the command line only dress these facts; Slack, whose room is small,
builds its blocks from the same card and puts the rest into the thread (`Part.DETAIL`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from belay.domain.events import Choice
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestStatus
from belay.present.aftermath import words as aftermath_words
from belay.present.card import Card, VoteLine
from belay.present.change import change_lines

ENDS = (".", "!", "?", "”")
"""What a fact's text may end with, so that no full stop follows."""


class Part(StrEnum):
    """What a fact is about: channels set them apart by it."""

    CHANGE = "change"
    PROPOSAL = "proposal"
    REACH = "reach"
    EFFECT = "effect"
    THOUGHT = "thought"
    CONSEQUENCE = "consequence"
    ANSWER = "answer"
    DETAIL = "detail"


class Fact(NamedTuple):
    """One fact of a card. ``text`` may be an agent's or a person's words: whoever shows it escapes it."""

    part: Part
    label: str
    text: str

    def __str__(self) -> str:
        return f"{self.label}: {self.text}"


def facts(card: Card) -> tuple[Fact, ...]:
    """Return what people decide on, in the order in which they read it: what customers would see first."""
    return (
        *(Fact(Part.CHANGE, "What customers would see", line) for line in change_lines(card.change)),
        *_proposal(card),
        Fact(Part.REACH, f"{card.before} → {card.after}", card.people),
        *_findings(card),
        *(Fact(Part.CONSEQUENCE, *pair) for pair in card.consequences.lines(card.expires_at)),
        *answers(card),
        *details(card),
    )


def answers(card: Card) -> Iterator[Fact]:
    """Yield how far the approvals go, who has answered, and who may."""
    if card.status is RequestStatus.OPEN:
        silent = "nobody has to answer; a veto stops it"
        yield Fact(Part.ANSWER, "Answers so far", card.tally or silent)
    else:
        yield Fact(Part.ANSWER, "Outcome", outcome_words(card).rstrip("."))
    if card.aftermath is not None:
        why = f": {card.aftermath.why}" if card.aftermath.why else ""
        yield Fact(Part.ANSWER, "Now", f"{aftermath_words(card.aftermath)}{why}".rstrip("."))
    for vote in card.votes:
        yield Fact(Part.ANSWER, f"{vote_words(vote)} via {vote.via}", f"“{vote.reason}”")
    if card.status is not RequestStatus.OPEN:
        return
    if card.escalated_to:
        yield Fact(Part.ANSWER, "Escalated", f"{' or '.join(card.escalated_to)} may answer now too")
    elif card.reminded:
        yield Fact(Part.ANSWER, "Reminded", "nobody has completed the approvals yet")
    verb = "Can answer" if card.oversight is Oversight.APPROVE else "Can stop it"
    who = ", ".join(f"{one.name} ({one.right})" for one in card.deciders)
    yield Fact(Part.ANSWER, verb, who or "nobody: ask whoever keeps _people.yaml")


def details(card: Card) -> Iterator[Fact]:
    """Yield what a decision rests on and a glance does not need."""
    if card.effects:
        yield Fact(Part.DETAIL, "The review", card.sentence)
    yield Fact(Part.DETAIL, "Accountable for it", card.owner)
    if card.conflicted:
        who = ", ".join(card.conflicted)
        aside = "they proposed it, or are accountable for its agent"
        yield Fact(Part.DETAIL, "Answers that do not count", f"of {who}: {aside}")
    for rule in card.rules:
        yield Fact(Part.DETAIL, "Why people are asked", rule)
    for what, then in (("If rejected", card.consequences.reject), ("If vetoed", card.consequences.veto)):
        yield Fact(Part.DETAIL, what, then)
    yield Fact(Part.DETAIL, "Asked", f"{card.asked_at:%Y-%m-%d %H:%M} UTC, about {card.subject}")
    bound = f"digest {card.digest[:12]}, ledger {card.ledger_head}"
    rests = f", review {card.evidence[:12]}" if card.evidence else ""
    yield Fact(Part.DETAIL, f"Request {card.request}", bound + rests)


def outcome_words(card: Card) -> str:
    """Return how a request ended, in a plain sentence with people's full names."""
    if card.status is RequestStatus.GRANTED:
        counted = [vote for vote in card.votes if vote.counted and vote.choice is Choice.APPROVE]
        who = [f"{v.voter} for {v.on_behalf_of}" if v.on_behalf_of else v.voter for v in counted]
        if card.oversight is Oversight.NOTICE:
            return "Nobody said no in time, so it went ahead."
        return f"Approved by {' and '.join(who)}." if who else "The approvals are complete."
    if card.status is RequestStatus.EXPIRED:
        return "Not enough people answered in time, and silence means no."
    said = card.outcome.strip()
    return f"{said[:1].upper()}{said[1:].rstrip('.')}." if said else "The ledger gives no reason."


def vote_words(vote: VoteLine) -> str:
    """Return who answered what: ``Pat Doyle for Nora Lindqvist approved (cx_owner)``."""
    who = f"{vote.voter} for {vote.on_behalf_of}" if vote.on_behalf_of else vote.voter
    verb = "approved" if vote.choice is Choice.APPROVE else "rejected"
    kept_out = "" if vote.counted else "; does not count: proposed it, or is accountable for its agent"
    return f"{who} {verb} ({', '.join(vote.roles)}{kept_out})"


def _proposal(card: Card) -> Iterator[Fact]:
    words = card.agents_words
    if words is None:
        return
    title, why = " ".join(words.title.split()), " ".join(words.hypothesis.split())
    owner = f"{words.agent_owner} is accountable"
    yield Fact(Part.PROPOSAL, f"{words.proposed_by} proposes ({owner})", f"“{title}”")
    if why:
        yield Fact(Part.PROPOSAL, "The agent's reason", why)


def _findings(card: Card) -> Iterator[Fact]:
    for line in card.effects:
        yield Fact(Part.EFFECT, f"{line.mark} {line.title}", line.figures)
    if not card.effects:
        yield Fact(Part.EFFECT, "The review", card.sentence)
    for thought in card.thoughts:
        yield Fact(Part.THOUGHT, "Think about", thought)
