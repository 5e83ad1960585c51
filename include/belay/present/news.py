"""What people are told unasked: what was taken down, stopped, went dark, lost a stage, got other rules.

Plain text, so that Slack, mail and a terminal show the same. Pure: entries of the ledger in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from belay.domain import events as e
from belay.domain.actors import Actor, ActorKind
from belay.domain.recorded import Recorded
from belay.domain.roster import Roster
from belay.domain.scope import percent
from belay.domain.state import State
from belay.domain.vocabulary import HARM, Cause
from belay.ledger.narrate import narrate

_TOLD = (
    e.KillSwitchPulled,
    e.Vetoed,
    e.StageDemoted,
    e.ServedWider,
    e.Frozen,
    e.PolicyAdopted,
    e.GuardBlinded,
    e.InteractionFound,
    e.NarrowingIntended,
    e.GuardSighted,
    e.Unfrozen,
)
"""What is told, the gravest first: that gives a matter its title."""


@dataclass(frozen=True, slots=True)
class News:
    """One matter.

    Attributes
    ----------
    seq : int
        The entry at its head, by which `belay explain` tells all of it.
    title : str
        It in a few words.
    sentences : tuple[str, ...]
        What happened, each with the number of its entry.
    owners : tuple[str, ...]
        Ids of the people who answer for what it is about.
    """

    seq: int
    title: str
    sentences: tuple[str, ...]
    owners: tuple[str, ...]


def news(entries: Iterable[Recorded], state: State, roster: Roster) -> Iterator[News]:
    """Yield what people are to be told of ``entries`` (in the ledger's order), oldest first.

    What one command appended is one matter: a demotion with everything that it takes down, a kill switch
    with everything that it stops, what one look of the guard narrows because it cannot see.
    """
    teller = _Teller(state, roster)
    for _, together in groupby(entries, key=lambda entry: entry.act):
        told = [entry for entry in together if _is_told(entry)]
        if told:
            yield teller.tell(told)


def _is_told(entry: Recorded) -> bool:
    """A capability's first policy, which comes into force by itself, is no news."""
    changed = entry.by.kind is ActorKind.HUMAN or not isinstance(entry.event, e.PolicyAdopted)
    return isinstance(entry.event, _TOLD) and changed


def _why(causes: set[str]) -> str:
    if causes == {Cause.CAUTION}:
        return "as caution: harm so far"
    if causes <= HARM:
        return "for harm"
    known = {name: Cause.named(name) for name in sorted(causes)}
    return f"because of {' and '.join(one.because if one else name for name, one in known.items())}"


@dataclass(frozen=True, slots=True)
class _Teller:
    """Knows what things and people are called."""

    state: State
    roster: Roster

    def tell(self, told: list[Recorded]) -> News:
        head = min(told, key=lambda entry: _TOLD.index(type(entry.event)))
        sentences = tuple(
            f"{self._subject(one)} {narrate(one.event)}{self._done(one.event)} [#{one.seq}]" for one in told
        )
        owners = dict.fromkeys(owner for one in told for owner in self._owners(one.event))
        return News(head.seq, self._title(head.event, told), sentences, tuple(owners))

    def _done(self, event: Any) -> str:
        """Say that a narrowing is carried out, where the flag system was read back since."""
        known = self.state.optimizations.get(getattr(event, "optimization", ""))
        if not isinstance(event, e.NarrowingIntended) or known is None or known.pending is not None:
            return ""
        return f"; it is at {percent(known.scope)} now" if known.scope <= event.to_scope else ""

    def _title(self, event: Any, told: list[Recorded]) -> str:
        match event:
            case e.KillSwitchPulled():
                return f"Kill switch: {event.target}"
            case e.Vetoed():
                return f"Vetoed: {self._called(event.target)}"
            case e.StageDemoted():
                return f"{event.capability} fell from {event.from_stage} to {event.to_stage}"
            case e.ServedWider():
                return f"Incident: {self._called(event.optimization)} was shown as nobody decided"
            case e.PolicyAdopted():
                return f"New policy of {event.capability}"
            case e.Frozen():
                return f"Frozen: {event.target}"
            case e.GuardBlinded():
                return f"The guard cannot see {event.target}: nothing there widens"
            case e.InteractionFound():
                return f"Held: {self._called(event.optimization)} interacts with {self._called(event.other)}"
            case e.GuardSighted():
                return f"The guard sees {event.target} again"
            case e.Unfrozen():
                return f"The freeze of {event.target} is lifted"
        narrowed = [one.event for one in told if isinstance(one.event, e.NarrowingIntended)]
        causes = {one.cause for one in narrowed}
        if len(narrowed) > 1:
            because = ": the guard cannot see them" if causes == {Cause.BLIND} else f" {_why(causes)}"
            return f"{len(narrowed)} changes are shown less{because}"
        return f"{self._called(event.optimization)} goes to {percent(event.to_scope)} {_why(causes)}"

    def _subject(self, entry: Recorded) -> str:
        """Return who did it, and to what where the sentence does not say."""
        optimization = getattr(entry.event, "optimization", "")
        about = f"{self._called(optimization)}: " if optimization else ""
        return f"{about}{self._who(entry.by)}"

    def _who(self, actor: Actor) -> str:
        if actor.kind is ActorKind.HUMAN:
            person = self.roster.person(actor.id)
            return person.name if person else actor.id
        return f"the AI agent {actor.id}" if actor.kind is ActorKind.AGENT else f"Belay ({actor.id})"

    def _called(self, name: str) -> str:
        known = self.state.optimizations.get(name)
        return f"“{known.proposal.title}”" if known else name

    def _owners(self, event: Any) -> Iterator[str]:
        """Yield who answers for the capability, and for the agent whose change it is."""
        known = self.state.optimizations.get(
            getattr(event, "optimization", "") or getattr(event, "target", "")
        )
        name = known.capability if known else getattr(event, "capability", "")
        capability = self.state.capabilities.get(
            name or getattr(event, "target", "").removeprefix("capability:")
        )
        if capability is not None:
            yield capability.owner
        if known is not None:
            yield known.proposal.agent_owner
