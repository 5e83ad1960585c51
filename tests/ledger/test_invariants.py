"""I6 and I7 over random sequences of commands, against a real ledger in SQLite."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from tests.support.climbers import Climbers
from tests.support.profiles import sequences

from belay.domain.actors import Actor
from belay.domain.commands import Command, JudgeGate, JudgePromotion
from belay.domain.events import Event
from belay.domain.recorded import Recorded
from belay.domain.state import State
from belay.ledger.codec import encode_state
from belay.ledger.schema import entries, open_engine
from belay.ledger.store import Ledger
from belay.ledger.verify import verify

pytestmark = pytest.mark.no_cover  # twice as long with it, and every line is covered by the rooms' own tests


def _empty_ledger() -> bytes:
    """Return a migrated, empty ledger as the bytes of its file: migrating takes longer than a sequence."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        Ledger.open(f"sqlite:///{path}").close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")  # a WAL is a file, and memory has none
            return connection.serialize()


_EMPTY = _empty_ledger()
_ENGINE = open_engine("sqlite://")  # shared, because SQLAlchemy compiles each query once an engine


class Ledgered(Climbers):
    """The machine on a ledger in memory, each command under a key of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(_ENGINE)
        with self.ledger.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            connection.rollback()
            raw.deserialize(_EMPTY)
        self.present = State()
        self.asked = 0
        self.done: tuple[Command, Actor] | None = None
        self.answered: tuple[Event, ...] = ()
        self.seed = 0

    @initialize(seed=st.integers(0, 2**32))
    def choose(self, seed: int) -> None:
        self.seed = seed

    def state(self) -> State:
        return self.present

    def append(self, command: Command, by: Actor, at: datetime) -> list[Recorded]:
        if isinstance(command, JudgeGate | JudgePromotion):
            command = replace(command, evidence=self.ledger.put_evidence({"found": command.evidence}))
        self.done = (command, by)
        self.asked += 1
        before = self.present.seq
        outcome = self.ledger.execute(command, by=by, at=at, key=f"key-{self.asked}")
        appended = list(self.ledger.history(before))
        self.present = outcome.state
        self.answered = outcome.events
        if outcome.refusal is None:
            assert tuple(recorded.event for recorded in appended) == outcome.events
        else:
            assert [recorded.event.kind for recorded in appended] in ([], ["command.refused"])
        return appended

    @rule()
    def same_key_again(self) -> None:
        """I7: asked again under its key, a command is answered as before, and nothing is appended."""
        if self.done is not None:
            head, (command, by) = self.ledger.head(), self.done
            answered = self.answered
            again = self.ledger.execute(command, by=by, at=self.now, key=f"key-{self.asked}")
            self.present = again.state
            if answered:
                assert again.replayed
                assert again.events == answered, "I7: answered otherwise"
                assert self.ledger.head() == head, "I7: done twice"
            else:
                self.read_on(head[0])

    def read_on(self, after: int) -> None:
        for recorded in self.ledger.history(after):
            self.oracle.read(recorded)

    def teardown(self) -> None:
        state = encode_state(self.present)
        assert encode_state(self.ledger.state()) == state, "I7: read again"
        assert verify(self.ledger).fault is None, str(verify(self.ledger))
        assert encode_state(Ledger(self.ledger.engine).state()) == state, "I7: a new reader"
        assert encode_state(self.ledger.rebuild()) == state, "I7: folded anew"
        assert verify(self.ledger).fault is None, str(verify(self.ledger))
        if self.ledger.head()[0]:
            self._tamper(random.Random(self.seed))

    def _tamper(self, chance: random.Random) -> None:
        """I6: change one character somewhere, and be told where."""
        seq = chance.randint(1, self.ledger.head()[0])
        entry = next(self.ledger.entries(after=seq - 1))
        column = chance.choice([column.name for column in entries.columns][1:])
        text = getattr(entry, column)
        place = chance.randrange(len(text) + 1)
        changed = text[:place] + chance.choice("aé0") + text[place + 1 :]
        if changed == text:
            changed = text + " "
        with self.ledger.engine.execution_options(belay_writes=True).begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER entries_no_update")
            connection.execute(sa.update(entries).where(entries.c.seq == seq).values({column: changed}))
        fault = verify(self.ledger).fault
        assert fault is not None
        assert (fault.table, fault.row) == ("entries", str(seq))


class TestLedger(Ledgered.TestCase):  # type: ignore[name-defined, misc]
    """A quarter of the sequences with every change; all of them below."""

    settings = settings(max_examples=sequences() // 4, stateful_step_count=3)


@pytest.mark.long
class TestLedgerAtLength(Ledgered.TestCase):  # type: ignore[name-defined, misc]
    """All of them: two minutes in CI."""

    settings = settings(max_examples=sequences(), stateful_step_count=3)
