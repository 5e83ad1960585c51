"""A question to people and all that became of it: the same for a step and for a promotion."""

from __future__ import annotations

from collections.abc import Iterator

from belay.domain import events as e
from belay.domain.oversight import Oversight
from belay.domain.recorded import Recorded
from belay.explain import words
from belay.explain.chronicle import Chronicle, day, listed, when
from belay.explain.claims import Claim

_ABOUT_A_REQUEST = (
    e.ReviewOpened,
    e.RequestReminded,
    e.RequestEscalated,
    e.VoteCast,
    e.RequestClosed,
    e.OversightGranted,
)


def asked(book: Chronicle, question: Recorded, event: e.OversightRequested) -> Iterator[Claim]:
    """Yield who was asked, who answered and why, and how it ended."""
    until = day(event.expires_at)
    if event.oversight is Oversight.NOTICE:
        yield book.claim(
            f"Notice was given to {listed(event.roles)}: it goes ahead at {until} unless somebody objects "
            f"(question {event.request})",
            question,
        )
    else:
        yield book.claim(
            f"{_many(event.quorum)} had to approve, with somebody for each role ({listed(event.roles)}), "
            f"until {until}; then silence means no (question {event.request})",
            question,
        )
    if event.conflicted:
        yield book.claim(
            f"Answers of {book.people(event.conflicted)} do not count: they proposed it or answer for its "
            "agent, and nobody decides about their own work",
            question,
        )
    for entry in book.all[question.seq :]:
        if isinstance(entry.event, _ABOUT_A_REQUEST) and entry.event.request == event.request:
            yield book.claim(_became(book, entry), entry)


def granted_by_rule(book: Chronicle, granted: Recorded, event: e.OversightGranted) -> Claim:
    """Return how a step was granted without a question."""
    return book.claim(f"Nobody had to be asked: {words.OVERSIGHT[event.oversight]}", granted)


def rules(book: Chronicle, entry: Recorded, event: e.OversightRequested | e.OversightGranted) -> Claim:
    """Return which oversight was needed, and by which rules."""
    told = words.rules(event)
    because = f", because {told}" if told else ""
    return book.claim(f"What it took: {words.OVERSIGHT[event.oversight]}{because}", entry)


def answerable(book: Chronicle, event: e.OversightRequested) -> Iterator[Claim]:
    """Yield who answers for having approved."""
    for vote, cast in book.find(e.VoteCast, request=event.request, choice=e.Choice.APPROVE, counted=True):
        yield book.claim(f"{book.person(cast.voter)} answers for having approved it", vote)


def _many(quorum: int) -> str:
    return f"{quorum} people" if quorum > 1 else "one person"


def _became(book: Chronicle, entry: Recorded) -> str:
    event = entry.event
    if isinstance(event, e.VoteCast):
        return _vote(book, entry, event)
    if isinstance(event, e.ReviewOpened):
        return f"{book.who(entry.by)} opened the review on {when(entry.at)}"
    if isinstance(event, e.RequestReminded):
        return f"people were reminded on {when(entry.at)}; missing was {listed(event.missing)}"
    if isinstance(event, e.RequestEscalated):
        return (
            f"it was escalated to {listed(event.roles)} on {when(entry.at)}, because {listed(event.missing)} "
            "was still missing"
        )
    if isinstance(event, e.RequestClosed):
        ended = {"rejected": "rejected", "expired": "closed unanswered", "void": "taken back"}
        return (
            f"the question was {ended.get(event.outcome, event.outcome)} on {when(entry.at)}: {event.reason}"
        )
    return f"with that it was granted on {when(entry.at)}, for exactly what was shown and to be used once"


def _vote(book: Chronicle, entry: Recorded, event: e.VoteCast) -> str:
    did = "approved" if event.choice is e.Choice.APPROVE else "said no"
    for_whom = f" for {book.person(event.on_behalf_of)}, who had delegated this" if event.on_behalf_of else ""
    roles = f", as {listed(event.roles)}" if event.roles else ""
    told = (
        f"{book.person(event.voter)} {did}{for_whom}{roles} (through {event.via}, {when(entry.at)}): "
        f"“{event.reason}”"
    )
    return told if event.counted else f"{told}. It does not count: nobody decides about their own work"
