"""Group commit: commands that wait for the same durable write share it.

Whoever gets the ledger first takes what others are waiting for along: the commands are decided one after
the other, each on the state that the one before left, and one transaction makes all of them durable. Nobody
is answered before it. (DeWitt et al. 1984, "Implementation techniques for main memory database systems".)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from belay.domain.actors import Actor
from belay.domain.commands import Command
from belay.domain.copying import replace
from belay.domain.events import Event
from belay.domain.rules.answer import Refusal
from belay.domain.state import State
from belay.domain.text import clean_text

MOST = 256
"""Commands of one transaction: enough to share the disk's work, few enough to stay out of others' way."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One command as it is put to the ledger.

    Attributes
    ----------
    command : Command
        What is asked.
    by : Actor
        Who asks.
    at : datetime
        Wall-clock time, aware; kept in UTC.
    key : str
        Idempotency key: a command whose key has led to entries before is answered with those.
    """

    command: Command
    by: Actor
    at: datetime
    key: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("the ledger's times are aware: a time without a zone means nothing later")
        object.__setattr__(self, "at", self.at.astimezone(UTC))
        object.__setattr__(self, "command", _readable(self.command))


_WORDS = ("reason", "sentence", "detail")
"""Fields of commands that hold words for people, and that decide nothing."""


def _readable(command: Command) -> Command:
    """Return ``command`` with words that can be kept: what they hold never keeps it from being decided."""
    found = {name: said for name in _WORDS if isinstance(said := getattr(command, name, None), str)}
    changed = {name: kept for name, said in found.items() if (kept := clean_text(said)) != said}
    return replace(command, **changed) if changed else command


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command.

    Attributes
    ----------
    events : tuple[Event, ...]
        What was appended, now or (``replayed``) when the same key was asked before.
    refusal : Refusal | None
        Why nothing was, when the rules said no.
    state : State
        A state after it: that of the transaction which made it durable.
    replayed : bool
        Whether an earlier command with the same key is being answered again.
    """

    events: tuple[Event, ...]
    refusal: Refusal | None
    state: State
    replayed: bool = False


class _Waiting:
    """A command in the queue, and its answer once there is one."""

    __slots__ = ("answer", "ask")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.answer: Outcome | Exception | None = None


class Turns:
    """The queue before one ledger. ``serve`` answers a batch, in order, when all of it is durable.

    ``lock`` is held while it does, and by whoever must not be served meanwhile.
    """

    def __init__(self, serve: Callable[[Sequence[Ask]], Sequence[Outcome]]) -> None:
        self.lock = threading.RLock()
        self._serve = serve
        self._queue: deque[_Waiting] = deque()
        self._news = threading.Condition()
        self._serving = False

    def take(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Put ``asks`` at the end of the queue, and return their outcomes when all of them are durable."""
        mine = [_Waiting(ask) for ask in asks]
        self._queue.extend(mine)
        while True:
            with self._news:
                self._news.wait_for(lambda: not self._serving or _answered(mine))
                if _answered(mine):
                    return [_told(waiting) for waiting in mine]
                self._serving = True
            try:
                self._answer_some()
            finally:
                with self._news:
                    self._serving = False
                    self._news.notify_all()

    def _answer_some(self) -> None:
        with self.lock:
            batch = [self._queue.popleft() for _ in range(min(MOST, len(self._queue)))]
            try:
                self._try(batch)
            finally:  # an interrupt is for the thread that it meets; the others' commands go on waiting
                self._queue.extendleft(waiting for waiting in reversed(batch) if waiting.answer is None)

    def _try(self, batch: Sequence[_Waiting]) -> None:
        try:
            outcomes = self._serve([waiting.ask for waiting in batch])
        except Exception as error:  # noqa: BLE001 - raised again by whoever asked
            if len(batch) == 1:
                batch[0].answer = error
                return
            for waiting in batch:  # nothing was written: one bad command must not take the others with it
                self._try([waiting])
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.answer = outcome


def _answered(these: Sequence[_Waiting]) -> bool:
    return all(waiting.answer is not None for waiting in these)


def _told(waiting: _Waiting) -> Outcome:
    if isinstance(waiting.answer, Outcome):
        return waiting.answer
    raise waiting.answer or RuntimeError("unanswered")
