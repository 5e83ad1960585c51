"""I1, I2, I3, I4, I7 and I8 over random sequences of commands, against the rules alone."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import settings
from tests.support.climbers import Climbers
from tests.support.profiles import sequences

from belay.domain.actors import Actor
from belay.domain.commands import Command
from belay.domain.decide import decide
from belay.domain.evolve import evolve, fold
from belay.domain.recorded import Recorded
from belay.domain.rules.answer import Refusal
from belay.domain.state import State
from belay.ledger.codec import encode_state

pytestmark = pytest.mark.no_cover  # twice as long with it, and every line is covered by the rules' own tests


class Rules(Climbers):
    """The machine on ``decide`` and ``evolve``."""

    def __init__(self) -> None:
        super().__init__()
        self.present = State()
        self.history: list[Recorded] = []

    def state(self) -> State:
        return self.present

    def append(self, command: Command, by: Actor, at: datetime) -> list[Recorded]:
        answer = decide(self.present, command, by=by, at=at)
        if isinstance(answer, Refusal):
            assert answer.rule
            assert answer.message
            return []
        appended = [Recorded(self.present.seq + n, at, by, event) for n, event in enumerate(answer, 1)]
        for recorded in appended:
            self.present = evolve(self.present, recorded)
        self.history += appended
        return appended

    def teardown(self) -> None:
        """I7: the events alone give the state, byte for byte."""
        assert encode_state(fold(self.history)) == encode_state(self.present)


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=sequences(), stateful_step_count=15)
