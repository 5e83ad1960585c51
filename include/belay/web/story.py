"""The story of an optimization, as its ledger entries tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from belay.domain.actors import ActorKind
from belay.domain.events import GateJudged, LookTaken
from belay.domain.recorded import Recorded
from belay.ledger.narrate import narrate


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: its number, when, by whom, what happened, and the evidence it rests on."""

    seq: int
    at: datetime
    by: str
    kind: str
    sentence: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class Chapter:
    """One entry, or a row of looks that people want folded; ``last`` is the one to show."""

    lines: tuple[Line, ...]

    @property
    def last(self) -> Line:
        """The newest entry of the chapter."""
        return self.lines[-1]


def story(history: Iterable[Recorded]) -> Iterator[Chapter]:
    """Yield the chapters, oldest first: every entry is one, looks in a row are one together."""
    for looking, entries in groupby(history, key=lambda entry: isinstance(entry.event, LookTaken)):
        lines = tuple(map(_line, entries))
        if looking:
            yield Chapter(lines)
        else:
            yield from (Chapter((line,)) for line in lines)


def who(entry: Recorded) -> str:
    """Return who acted, as the beginning of the entry's sentence; a gate's verdict names the gate itself."""
    if isinstance(entry.event, GateJudged):
        return ""
    return entry.by.id if entry.by.kind is ActorKind.SERVICE else f"{entry.by.kind} {entry.by.id}"


def _line(entry: Recorded) -> Line:
    return Line(
        entry.seq,
        entry.at,
        who(entry),
        entry.event.kind,
        narrate(entry.event),
        getattr(entry.event, "evidence", None),
    )
