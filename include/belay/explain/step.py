"""One step of one optimization: how it came that it was shown to more units, or was not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.figures import with_interval
from belay.domain.gates import Gate, Verdict
from belay.domain.recorded import Recorded
from belay.domain.scope import percent
from belay.explain import words
from belay.explain.chronicle import Chronicle, day, when
from belay.explain.claims import Claim, Matter, matter
from belay.explain.request import answerable, asked, granted_by_rule, rules


def step(book: Chronicle, started: Recorded, event: e.StepStarted) -> Matter:
    """Tell the step that ``started``."""
    questions = list(book.find(e.OversightRequested, optimization=event.optimization, step=event.step))
    grants = [
        (entry, grant)
        for entry, grant in book.find(e.OversightGranted, optimization=event.optimization, step=event.step)
        if grant.request is None
    ]
    capability = book.capability_of(event.optimization)
    return matter(
        f"Step {event.step} of {book.title_of(event.optimization)}: from {percent(event.from_scope)} to "
        f"{percent(event.to_scope)} of units",
        what=_what(book, started, event),
        proposed=proposal(book, event.optimization),
        rule=[
            *in_force(book, capability, started.seq),
            *stage(book, capability, started.seq),
            *(rules(book, *found) for found in questions),
            *(rules(book, *found) for found in grants),
        ],
        evidence=_evidence(book, event),
        votes=[
            *(claim for found in questions for claim in asked(book, *found)),
            *(granted_by_rule(book, *found) for found in grants),
        ],
        served=_served(book, started, event),
        owner=[
            *book.owners(capability, started.seq, event.optimization),
            *(claim for _, question in questions for claim in answerable(book, question)),
        ],
    )


def proposal(book: Chronicle, optimization: str) -> Iterator[Claim]:
    """Yield who put an optimization forward, and what they said of it."""
    found = book.proposed(optimization)
    if found is None:
        return
    entry, event = found
    put = event.proposal
    yield book.claim(
        f"{book.who(put.proposed_by)} proposed “{put.title}” ({put.optimization}) for {event.capability} on "
        f"{day(entry.at)}",
        entry,
    )
    if hypothesis := " ".join(put.hypothesis.split()):
        whose = "agent's" if put.proposed_by.kind is ActorKind.AGENT else "proposer's"
        yield book.claim(f"The reason, in the {whose} words: “{hypothesis}”", entry)
    if put.prediction is not None:
        effect, low, high = put.prediction.effect, put.prediction.low, put.prediction.high
        told = f"It was predicted to change the primary metric by {with_interval(effect, low, high)}"
        yield book.claim(told, entry)


def in_force(book: Chronicle, capability: str, seq: int) -> Iterator[Claim]:
    """Yield which policy was in force at entry ``seq``, and who brought it there and why."""
    if found := book.policy(capability, seq):
        entry, event = found
        yield book.claim(
            f"The policy in force was {event.digest[:12]}, adopted by {book.who(entry.by)} on "
            f"{day(entry.at)}: {event.reason}",
            entry,
        )


def stage(book: Chronicle, capability: str, seq: int) -> Iterator[Claim]:
    """Yield the stage that the capability had at entry ``seq``."""
    if found := book.stage(capability, seq):
        yield book.claim(f"The capability {capability} stood at the stage “{found[0]}”", found[1])


def read_back(book: Chronicle, entry: Recorded, event: e.ScopeConfirmed) -> Claim:
    """Return that the flag system was read back."""
    return book.claim(
        f"The flag system ({event.target}) was read back on {when(entry.at)} and showed it to "
        f"{percent(event.scope)} of units",
        entry,
    )


def _what(book: Chronicle, started: Recorded, event: e.StepStarted) -> Iterator[Claim]:
    moves = f"from {percent(event.from_scope)} to {percent(event.to_scope)} of units"
    yield book.claim(f"Run {event.run} asked on {when(started.at)} whether it may go {moves}", started)
    if event.asked_by:
        yield book.claim(f"{book.person(event.asked_by)} started that run", started)
    of: dict[str, Any] = {"optimization": event.optimization, "step": event.step}
    widened = book.last(e.WideningIntended, **of)
    if widened is not None:
        confirmed = book.last(e.ScopeConfirmed, optimization=event.optimization, epoch=widened[1].epoch)
        if confirmed is not None:
            yield book.claim("It went there", widened[0], confirmed[0])
        else:
            yield book.claim("It was sent there, and was not seen to arrive", widened[0])
        return
    against = [found for found in book.find(e.GateJudged, **of) if found[1].verdict is not Verdict.PASS]
    if against:
        entry, judged = against[-1]
        yield book.claim(
            f"It has not gone there: {_gate(judged.gate)} {words.VERDICTS[judged.verdict]}", entry
        )


def _gate(gate: Gate) -> str:
    return words.GATES[gate].split(" (")[0]


def _evidence(book: Chronicle, event: e.StepStarted) -> Iterator[Claim]:
    of: dict[str, Any] = {"optimization": event.optimization, "step": event.step}
    for gate in Gate:
        looks = list(book.find(e.LookTaken, **of)) if gate is Gate.WINDOW else []
        if looks:
            last, look = looks[-1]
            times = "once" if len(looks) == 1 else f"{len(looks)} times"
            yield book.claim(
                f"The figures were read {times}. The last time, on {when(last.at)}, they said: "
                f"{look.sentence}",
                *(entry for entry, _ in looks),
            )
        for entry, judged in book.find(e.GateJudged, gate=gate, **of):
            said = f"{words.GATES[gate]} {words.VERDICTS[judged.verdict]}: {judged.sentence}"
            yield book.claim(said, entry)


def _served(book: Chronicle, started: Recorded, event: e.StepStarted) -> Iterator[Claim]:
    of: dict[str, Any] = {"optimization": event.optimization}
    for entry, widening in book.find(e.WideningIntended, step=event.step, **of):
        yield book.claim(
            f"The grant was spent on {when(entry.at)} to show it to {percent(widening.to_scope)} of units "
            f"instead of {percent(widening.from_scope)}",
            entry,
        )
        for found in book.find(e.ScopeConfirmed, epoch=widening.epoch, **of):
            yield read_back(book, *found)
    told = ""
    if back := next(book.find(e.NarrowingIntended, after=started.seq, **of), None):
        entry, down = back
        told = down.reason
        went = f"It was taken down to {percent(down.to_scope)} of units on {when(entry.at)}"
        yield book.claim(f"{went}: {told}", entry)
    if end := next(book.find(e.OptimizationEnded, after=started.seq, **of), None):
        entry, ended = end
        why = "" if ended.reason == told else f": {ended.reason}"
        yield book.claim(f"It ended on {when(entry.at)}, {words.ENDS[ended.outcome]}{why}", entry)
