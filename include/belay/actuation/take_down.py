"""Take down: flags first, the ledger at the same time, and neither waits for the other.

Needs no scheduler, no triggerer, no warehouse and no Slack; with the ledger away it goes by what the flag
system says, epochs included, and the ledger follows later (see ``outbox``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from belay.actuation import outbox
from belay.actuation.flag_writer import settle_narrowings
from belay.actuation.outbox import Note
from belay.actuation.targets import ALL
from belay.actuation.time_limit import within
from belay.domain.actors import human
from belay.domain.commands import Stop
from belay.domain.rules.containment import covers
from belay.domain.text import clean_text
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable, ServedFlag, StaleEpoch

if TYPE_CHECKING:
    from belay.domain.state import State
    from belay.services import Services

_ROUNDS = 10
PATIENCE = 1.0
"""Seconds that a stop waits for a locked ledger; the flags are at zero by then, and the outbox remembers."""
FLAGS_LIMIT = 2.0
"""Seconds after which a flag system that hangs counts as away: the ledger must hear of the stop."""
_LEDGER_LIMIT = 15.0
"""Seconds after which a ledger that hangs counts as away; one that works has recorded thousands by then."""

_Act = tuple[float, str, Callable[["Services", Note], Note]]


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of a stop.

    Attributes
    ----------
    note : Note
        The stop, and which of flags and ledger it has reached.
    kept : bool
        Whether what is missing is written down and will be completed; True also when nothing is missing.
    remark : str
        How the reason that is kept differs from the one that was given; empty where it does not.
    """

    note: Note
    kept: bool
    remark: str = ""

    @property
    def taken_down(self) -> tuple[str, ...]:
        """The optimizations that were shown to somebody, and are not any more."""
        return self.note.taken_down

    @property
    def complete(self) -> bool:
        """Whether the flags are at zero and the ledger knows."""
        return self.note.flags and self.note.ledger

    @property
    def sentence(self) -> str:
        """What came of it, for the person who pulled it."""
        return f"{self._outcome} (Its reason: {self.remark}.)" if self.remark else self._outcome

    @property
    def _outcome(self) -> str:
        note, count = self.note, len(self.taken_down)
        shown = f"{count} optimization{'s' * (count != 1)} taken down to 0 %" if count else "nothing was live"
        if self.complete and note.target != ALL and ":" not in note.target:
            return (
                f"{note.target} is taken down to 0 %; its capability keeps its stage, and nothing is frozen."
            )
        if self.complete:
            return f"{note.target} is stopped: {shown}; frozen until a person lifts it."
        lead = f"{note.target}: {shown}" if note.flags else f"{note.target}: STILL SHOWN"
        follow = "`belay reconcile --once` or the next stop completes it"
        if not self.kept:
            follow = "and that could not be written down either: STOP AGAIN once the cause is mended"
        return f"{lead}; the {note.missing} could not be reached ({note.problem}); {follow}."


def complete_all(belay: Services) -> list[Stopped]:
    """Complete the stops that wait in the outbox, oldest first; those that still cannot be stay there."""
    return [complete(belay, note) for note in outbox.waiting(belay.settings.home) if note.via != "unknown"]


def complete(belay: Services, note: Note, *, kept: bool = True) -> Stopped:
    """Do what a stop still misses, flags first, and forget it when nothing is missing.

    Nothing is waited for without a limit, and whatever is wrong with the one never keeps the other from it.
    """
    problems: list[str] = []
    hurried = belay.in_a_hurry(PATIENCE)
    try:
        if not note.flags and not note.ledger:
            note = _tried(hurried, note, [(FLAGS_LIMIT, "the flag system", _taken_down)], problems)
        # A flag system that hangs is not waited for as long as a ledger that works.
        limit = _LEDGER_LIMIT if note.flags else FLAGS_LIMIT
        told = (_LEDGER_LIMIT, "the ledger", _recorded)
        note = _tried(hurried, note, [told, (limit, "the flag system", _settled)], problems)
    finally:
        _close(hurried)
    note = replace(note, problem=clean_text("; ".join(problems)))
    if note.flags and note.ledger:
        outbox.drop(belay.settings.home, note)
        return Stopped(note, kept=True)
    return Stopped(note, kept=keep(belay.settings.home, note) or kept)


def _tried(belay: Services, note: Note, acts: Sequence[_Act], problems: list[str]) -> Note:
    """Take a stop as far as ``acts`` get it, in order; why one could not is added to ``problems``."""
    for limit, name, act in acts:
        try:
            note = within(limit, name, partial(act, belay, note))
        except Exception as error:  # noqa: BLE001 - what is at zero stays there, the rest is tried again
            problems.append(str(error) or type(error).__name__)
            break
    return note


def _taken_down(belay: Services, note: Note) -> Note:
    served = take_down(belay, note.target)
    taken = _with(note.taken_down, (key for key, was in served.items() if _shown(was)))
    epochs = {key: was.epoch + _shown(was) for key, was in served.items()}
    return replace(note, flags=True, taken_down=taken, epochs={**note.epochs, **epochs})


def _recorded(belay: Services, note: Note) -> Note:
    """Tell the ledger. ``LedgerError`` when it is away, locked, or not there at all."""
    if note.ledger:
        return note
    command = Stop(note.stop, note.target, note.reason, note.via, note.pulled_at, note.epochs)
    outcome = belay.ledger.execute(command, by=human(note.person), at=belay.now(), key=f"stop:{note.stop}")
    if outcome.refusal is not None:
        raise RefusedError(outcome.refusal)
    return replace(note, ledger=True)


def _settled(belay: Services, note: Note) -> Note:
    narrowed = settle_narrowings(belay)
    return replace(note, flags=True, taken_down=_with(note.taken_down, narrowed))


def state_soon(belay: Services) -> State:
    """Return what the ledger says, by a connection of its own that waits for nobody.

    Raises
    ------
    Exception
        Whatever is wrong with the ledger; ``TimeoutError`` where it hangs.
    """
    hurried = belay.in_a_hurry(PATIENCE)
    try:
        return within(FLAGS_LIMIT, "the ledger", partial(_state, hurried))
    finally:
        _close(hurried)


def _state(belay: Services) -> State:
    return belay.ledger.state()


def _close(belay: Services) -> None:
    if "ledger" in vars(belay):
        belay.ledger.close()


def take_down(belay: Services, target: str) -> Mapping[str, ServedFlag]:
    """Serve everything of ``target`` to nobody, in one write; return what was served before, by key.

    Goes by the flag system alone: what it serves, of whom, and under which epoch.

    Raises
    ------
    FlagsUnavailable
        When it cannot be read or written.
    """
    for _ in range(_ROUNDS):
        served = {
            flag.key: flag
            for flag in belay.flags.read_all().values()
            if covers(target, flag.capability, flag.surface)
        }
        shown = [flag for flag in served.values() if _shown(flag)]
        try:
            belay.flags.apply_all(replace(flag, scope=0, epoch=flag.epoch + 1) for flag in shown)
        except StaleEpoch:
            continue  # a writer came between; whatever it wrote is taken down too
        return served
    raise FlagsUnavailable(f"{belay.flags.name} is written by somebody else all the time: stop again")


def _shown(flag: ServedFlag) -> bool:
    """Whether anybody may see it: what was changed by hand may show anything, whatever scope it names."""
    return flag.scope > 0 or not flag.intact


def _with(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return (*known, *(name for name in more if name not in set(known)))


def keep(home: Path, note: Note) -> bool:
    """Write a stop down in the outbox; return whether that could be done."""
    try:
        outbox.put(home, note)
    except (OSError, ValueError):
        return False
    return True
