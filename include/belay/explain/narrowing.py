"""A change that was taken down, for whatever reason: who or what did it, and what it rested on."""

from __future__ import annotations

from collections.abc import Iterator

from belay.domain import events as e
from belay.domain.recorded import Recorded
from belay.domain.scope import percent
from belay.explain import words
from belay.explain.chronicle import Chronicle, when
from belay.explain.claims import Claim, Matter, matter
from belay.explain.step import in_force, proposal, read_back, stage
from belay.ledger.narrate import narrate

_LED_TO_IT = (
    e.GateJudged,
    e.Vetoed,
    e.StageDemoted,
    e.KillSwitchPulled,
    e.ServedWider,
    e.Frozen,
    e.PolicyAdopted,
)


def narrowing(book: Chronicle, entry: Recorded, event: e.NarrowingIntended) -> Matter:
    """Tell a narrowing."""
    capability = book.capability_of(event.optimization)
    with_it = book.breath(entry)
    return matter(
        f"{book.title_of(event.optimization)} was taken down from {percent(event.from_scope)} to "
        f"{percent(event.to_scope)} of units",
        what=[
            book.claim(f"{book.who(entry.by)} took it down on {when(entry.at)}: {event.reason}", entry),
            *_ended(book, event.optimization, with_it),
        ],
        proposed=proposal(book, event.optimization),
        rule=[
            book.claim(words.cause(event.cause), entry),
            *in_force(book, capability, entry.seq),
            *stage(book, capability, entry.seq),
        ],
        evidence=_reasons(book, entry, event, with_it),
        served=[
            *_before(book, entry, event),
            *(
                read_back(book, *found)
                for found in book.find(
                    e.ScopeConfirmed, optimization=event.optimization, epoch=event.epoch, after=entry.seq
                )
            ),
        ],
        owner=book.owners(capability, entry.seq, event.optimization),
    )


def _ended(book: Chronicle, optimization: str, with_it: tuple[Recorded, ...]) -> Iterator[Claim]:
    for entry in with_it:
        if isinstance(entry.event, e.OptimizationEnded) and entry.event.optimization == optimization:
            yield book.claim(f"With that it ended, {words.ENDS[entry.event.outcome]}", entry)


def _reasons(
    book: Chronicle, entry: Recorded, event: e.NarrowingIntended, with_it: tuple[Recorded, ...]
) -> Iterator[Claim]:
    """Yield what set it off in the same transaction; else the last look before it, which may be why."""
    led = [one for one in with_it if isinstance(one.event, _LED_TO_IT) and _concerns(one, event.optimization)]
    for one in led:
        yield book.claim(_led(book, one), one)
    look = book.last(e.LookTaken, before=entry.seq, optimization=event.optimization)
    if look is not None and look[1].sentence != event.reason:
        yield book.claim(f"The last look before it, on {when(look[0].at)}, said: {look[1].sentence}", look[0])
    if event.evidence and not led:
        yield book.claim("What it rests on was stored as evidence with it", entry)


def _led(book: Chronicle, one: Recorded) -> str:
    if isinstance(one.event, e.GateJudged):
        return f"{words.GATES[one.event.gate]} {words.VERDICTS[one.event.verdict]}: {one.event.sentence}"
    return f"{book.who(one.by)} {narrate(one.event)}"


def _concerns(entry: Recorded, optimization: str) -> bool:
    return getattr(entry.event, "optimization", optimization) == optimization


def _before(book: Chronicle, entry: Recorded, event: e.NarrowingIntended) -> Iterator[Claim]:
    shown = book.last(e.ScopeConfirmed, before=entry.seq, optimization=event.optimization)
    if shown is not None:
        told = f"Since {when(shown[0].at)} it had been shown to {percent(shown[1].scope)} of units"
        yield book.claim(told, shown[0])
