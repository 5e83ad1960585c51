"""The ledger's entries as a reader of them needs them: by kind, by subject, and what came before what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from belay.domain import events as e
from belay.domain.actors import Actor, ActorKind
from belay.domain.recorded import Recorded
from belay.explain.claims import Claim

_E = TypeVar("_E")


class Chronicle:
    """All entries in order.

    Parameters
    ----------
    names
        What people are called, by id.
    document
        Returns the evidence of a digest, or None where it is not at hand.
    """

    def __init__(
        self,
        history: Iterable[Recorded],
        names: Mapping[str, str],
        document: Callable[[str], Any] = lambda _digest: None,
    ) -> None:
        self.all: Sequence[Recorded] = tuple(history)
        self.document = document
        self._names = names
        self._by_kind: dict[type, list[Recorded]] = defaultdict(list)
        for entry in self.all:
            self._by_kind[type(entry.event)].append(entry)

    # -- who, when, what ---------------------------------------------------------------------------

    def person(self, name: str) -> str:
        """Return what a person is called."""
        return self._names.get(name, name)

    def people(self, names: Iterable[str]) -> str:
        """Return several people in a row."""
        return listed([self.person(name) for name in names])

    def who(self, actor: Actor) -> str:
        """Return an actor as the subject of a sentence."""
        if actor.kind is ActorKind.HUMAN:
            return self.person(actor.id)
        if actor.kind is ActorKind.AGENT:
            return f"the AI agent {actor.id}"
        return f"Belay itself ({actor.id})"

    def claim(self, sentence: str, *of: Recorded) -> Claim:
        """Return a claim that rests on the entries ``of``, with the evidence that they name."""
        sentence = sentence[:1].upper() + sentence[1:]
        if not sentence.endswith((".", "!", "?", ".”", "?”", "!”")):
            sentence += "."
        evidence = dict.fromkeys(getattr(entry.event, "evidence", None) for entry in of)
        return Claim(
            sentence, tuple(sorted({entry.seq for entry in of})), tuple(name for name in evidence if name)
        )

    # -- finding -----------------------------------------------------------------------------------

    def entry(self, seq: int) -> Recorded | None:
        """Return the entry numbered ``seq``."""
        return self.all[seq - 1] if 0 < seq <= len(self.all) else None

    def find(
        self, kind: type[_E], *, before: int | None = None, after: int = 0, **fields: Any
    ) -> Iterator[tuple[Recorded, _E]]:
        """Yield entries whose event is a ``kind`` with ``fields``, oldest first, within the numbers given."""
        for entry in self._by_kind.get(kind, ()):
            if entry.seq > after and (before is None or entry.seq < before):
                event: Any = entry.event
                if all(getattr(event, name, None) == value for name, value in fields.items()):
                    yield entry, event

    def last(
        self, kind: type[_E], *, before: int | None = None, after: int = 0, **fields: Any
    ) -> tuple[Recorded, _E] | None:
        """Return the newest of what `find` yields."""
        found = None
        for found in self.find(kind, before=before, after=after, **fields):  # noqa: B007 - the last one stays
            pass
        return found

    def breath(self, entry: Recorded) -> tuple[Recorded, ...]:
        """Return the entries that were appended with ``entry``, by one command."""
        same = [entry]
        for step in (-1, 1):
            seq = entry.seq + step
            while (near := self.entry(seq)) and near.act == entry.act:
                same.append(near)
                seq += step
        return tuple(sorted(same, key=lambda one: one.seq))

    # -- what holds as of an entry ------------------------------------------------------------------

    def policy(self, capability: str, seq: int) -> tuple[Recorded, e.PolicyAdopted] | None:
        """Return the adoption of the policy that was in force at entry ``seq``."""
        return self.last(e.PolicyAdopted, before=seq + 1, capability=capability)

    def stage(self, capability: str, seq: int) -> tuple[str, Recorded] | None:
        """Return the capability's stage before entry ``seq``, and the entry that says so."""
        raised = self.last(e.StagePromoted, before=seq, capability=capability)
        lowered = self.last(e.StageDemoted, before=seq, capability=capability)
        if raised and not (lowered and lowered[0].seq > raised[0].seq):
            return str(raised[1].to_stage), raised[0]
        if lowered:
            return str(lowered[1].to_stage), lowered[0]
        first = next(self.find(e.PolicyAdopted, before=seq + 1, capability=capability), None)
        return None if first is None else (str(first[1].initial_stage), first[0])

    def proposed(self, optimization: str) -> tuple[Recorded, e.Proposed] | None:
        """Return the proposal of an optimization."""
        return next(self.find(e.Proposed, optimization=optimization), None)

    def capability_of(self, optimization: str) -> str:
        """Return the capability that an optimization belongs to; empty when it is unknown."""
        found = self.proposed(optimization)
        return found[1].capability if found else ""

    def title_of(self, optimization: str) -> str:
        """Return an optimization's title in quotes, or its id where nobody proposed it."""
        found = self.proposed(optimization)
        return f"“{found[1].proposal.title}”" if found else optimization

    def owners(self, capability: str, seq: int, optimization: str = "") -> Iterator[Claim]:
        """Yield who owns the consequences, as of entry ``seq``."""
        if found := self.policy(capability, seq):
            entry, policy = found
            yield self.claim(
                f"{self.person(policy.owner)} owns “{policy.title}” ({capability}) and answers for what it "
                "does",
                entry,
            )
        proposed = self.proposed(optimization) if optimization else None
        if proposed is not None and proposed[1].proposal.proposed_by.kind is ActorKind.AGENT:
            proposal = proposed[1].proposal
            yield self.claim(
                f"{self.person(proposal.agent_owner)} answers for the AI agent {proposal.proposed_by.id}",
                proposed[0],
            )


def listed(parts: Iterable[object]) -> str:
    """Return a list as people say it."""
    *first, last = [str(part) for part in parts] or ["nobody"]
    return f"{', '.join(first)} and {last}" if first else last


def when(moment: datetime) -> str:
    """Return a time as people read it."""
    return f"{moment:%-d %B %Y, %H:%M:%S} UTC"


def day(moment: datetime) -> str:
    """Return a time to the minute."""
    return f"{moment:%-d %B %Y, %H:%M} UTC"
