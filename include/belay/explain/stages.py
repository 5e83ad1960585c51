"""How a capability gained a stage, kept it, or lost it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from belay.domain import events as e
from belay.domain.gates import PromotionGate
from belay.domain.recorded import Recorded
from belay.domain.scope import percent
from belay.domain.vocabulary import HARM, Rule
from belay.explain import words
from belay.explain.chronicle import Chronicle, when
from belay.explain.claims import Claim, Matter, matter
from belay.explain.request import answerable, asked
from belay.explain.step import in_force, read_back, stage
from belay.ledger.narrate import narrate


def promotion(book: Chronicle, started: Recorded, event: e.PromotionStarted) -> Matter:
    """Tell a promotion, or the renewal of a lease, from the run that took it up to its end."""
    name, until = event.capability, _next_start(book, started, event)
    span: dict[str, Any] = {"after": started.seq - 1, "before": until}
    renews = event.from_stage is event.to_stage
    asks = (
        f"keeps stage “{event.to_stage}”"
        if renews
        else f"goes from “{event.from_stage}” to “{event.to_stage}”"
    )
    questions = [
        found
        for found in book.find(e.OversightRequested, capability=name, **span)
        if found[1].to_stage is event.to_stage
    ]
    return matter(
        f"Whether {name} {asks}",
        what=[
            book.claim(f"Run {event.run} took up on {when(started.at)} whether {name} {asks}", started),
            *_came_of_it(book, name, span),
        ],
        proposed=[
            book.claim(
                f"{_asking(book, event)}, and {book.who(started.by)} put the question; no AI agent may, and "
                "no AI promotes itself",
                started,
            )
        ],
        rule=[
            *in_force(book, name, started.seq),
            *stage(book, name, started.seq),
            *(
                book.claim(
                    f"People decide, always. Every criterion was met: {'; '.join(question.rules[1:])}", entry
                )
                for entry, question in questions
            ),
        ],
        evidence=[
            book.claim(
                f"{words.PROMOTION_GATES[gate]} {words.VERDICTS[judged.verdict]}: {judged.sentence}", entry
            )
            for gate in PromotionGate
            for entry, judged in book.find(
                e.PromotionJudged, capability=name, run=event.run, gate=gate, **span
            )
        ],
        votes=[claim for found in questions for claim in asked(book, *found)],
        owner=[
            *book.owners(name, started.seq),
            *(claim for _, question in questions for claim in answerable(book, question)),
        ],
    )


def _asking(book: Chronicle, event: e.PromotionStarted) -> str:
    return f"{book.person(event.asked_by)} asked for it" if event.asked_by else "The schedule asked"


def demotion(book: Chronicle, entry: Recorded, event: e.StageDemoted) -> Matter:
    """Tell a demotion, and what it took down with it."""
    with_it = book.breath(entry)
    return matter(
        f"{event.capability} fell from “{event.from_stage}” to “{event.to_stage}”",
        what=[
            book.claim(
                f"{book.who(entry.by)} lowered {event.capability} from “{event.from_stage}” to "
                f"“{event.to_stage}” on {when(entry.at)}",
                entry,
            )
        ],
        rule=[
            book.claim(f"{words.demotion(event.rule)} (rule {event.rule})", entry),
            *in_force(book, event.capability, entry.seq),
            *stage(book, event.capability, entry.seq),
        ],
        evidence=[
            book.claim(event.reason, entry),
            *(_harm(book, entry, event) if event.rule == Rule.HARM_RATE else ()),
            *(
                book.claim(f"{book.who(one.by)} {narrate(one.event)}", one)
                for one in with_it
                if isinstance(one.event, e.Vetoed | e.KillSwitchPulled | e.PolicyAdopted)
            ),
        ],
        served=_shrunk(book, with_it),
        owner=book.owners(event.capability, entry.seq),
    )


def _harm(book: Chronicle, entry: Recorded, event: e.StageDemoted) -> Iterator[Claim]:
    """Yield what was taken down for harm since the stage began."""
    began = book.stage(event.capability, entry.seq)
    for one, narrowed in book.find(e.NarrowingIntended, after=began[1].seq if began else 0, before=entry.seq):
        if narrowed.cause in HARM and book.capability_of(narrowed.optimization) == event.capability:
            title = f"{book.title_of(narrowed.optimization)} ({narrowed.optimization})"
            yield book.claim(f"{title} was taken down for harm on {when(one.at)}: {narrowed.reason}", one)


def _next_start(book: Chronicle, started: Recorded, event: e.PromotionStarted) -> int | None:
    found = next(book.find(e.PromotionStarted, after=started.seq, capability=event.capability), None)
    return found[0].seq if found else None


def _came_of_it(book: Chronicle, name: str, span: dict[str, Any]) -> Iterator[Claim]:
    for entry, raised in book.find(e.StagePromoted, capability=name, **span):
        yield book.claim(
            f"{book.who(entry.by)} used the grant on {when(entry.at)}: {name} went up to "
            f"“{raised.to_stage}”. {raised.reason}",
            entry,
        )
    for entry, renewed in book.find(e.LeaseRenewed, capability=name, **span):
        yield book.claim(
            f"{book.who(entry.by)} used the grant on {when(entry.at)}: {name} keeps “{renewed.stage}” for "
            f"another period. {renewed.reason}",
            entry,
        )


def _shrunk(book: Chronicle, with_it: tuple[Recorded, ...]) -> Iterator[Claim]:
    for entry in with_it:
        event = entry.event
        if isinstance(event, e.NarrowingIntended):
            yield book.claim(
                f"{book.title_of(event.optimization)} was narrowed from {percent(event.from_scope)} to "
                f"{percent(event.to_scope)} of units",
                entry,
            )
            for confirmed, seen in book.find(
                e.ScopeConfirmed, after=entry.seq, optimization=event.optimization, epoch=event.epoch
            ):
                yield read_back(book, confirmed, seen)
