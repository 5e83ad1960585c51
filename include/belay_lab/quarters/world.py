"""The domain without a ledger: ``decide`` and ``evolve`` with a list to write in."""

from __future__ import annotations

from datetime import datetime

from belay.domain.actors import Actor, service
from belay.domain.commands import Command
from belay.domain.decide import decide
from belay.domain.events import Event
from belay.domain.evolve import Draft
from belay.domain.recorded import Recorded
from belay.domain.rules.answer import Refusal
from belay.domain.state import State


class NotAllowedError(Exception):
    """The scenario asked for what the rules do not allow, and had no business asking for."""


class World:
    """What happened, and the state that follows from it. Every command goes through the rules."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.history: list[Recorded] = []
        self._draft = Draft(State())

    @property
    def state(self) -> State:
        """The state now."""
        return self._draft.state()

    def ask(self, command: Command, by: Actor | str) -> tuple[Event, ...] | Refusal:
        """Put a command to the rules, as an actor or as one of Belay's services, and return the answer."""
        actor = service(by) if isinstance(by, str) else by
        answer = decide(self.state, command, by=actor, at=self.now)
        if not isinstance(answer, Refusal):
            for event in answer:
                recorded = Recorded(self._draft.seq + 1, self.now, actor, event)
                self._draft.apply(recorded)
                self.history.append(recorded)
        return answer

    def do(self, command: Command, by: Actor | str) -> tuple[Event, ...]:
        """Put a command to the rules that they must allow.

        Raises
        ------
        NotAllowedError
            When they refuse it.
        """
        answer = self.ask(command, by)
        if isinstance(answer, Refusal):
            raise NotAllowedError(
                f"{type(command).__name__} was refused by rule {answer.rule}: {answer.message}"
            )
        return answer
