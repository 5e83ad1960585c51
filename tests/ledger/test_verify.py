"""A ledger of many lives: read in parts and folded in place, its first fault is named wherever it is."""

from __future__ import annotations

import gc
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.builders import GATE, NOW, a_policy
from tests.support.lives import write_lives
from tests.support.story import a_story

from belay.domain import commands as c
from belay.domain.evolve import evolve, fold
from belay.domain.gates import Estimate
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import hash_of
from belay.ledger.schema import evidence
from belay.ledger.store import Ledger
from belay.ledger.verify import verify

SIZE = 1100
"""More than four of the parts that rows are read in."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the ledger once; its triggers are gone."""
    path = tmp_path_factory.mktemp("lived") / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{path}")
    write_lives(ledger, SIZE)
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("DROP TRIGGER entries_no_update")
    return path


def test_it_verifies_with_the_projections_and_without(lived: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{lived}")
    for projections_too in (True, False):
        found = verify(ledger, projections_too=projections_too)
        assert (found.fault, found.entries, found.head) == (None, *ledger.head())
    ledger.close()


@pytest.mark.parametrize("seq", [1, 249, 250, 251, 1000, 1001, SIZE])
def test_the_first_wrong_row_is_named_wherever_parts_begin_and_end(
    lived: Path, tmp_path: Path, seq: int
) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(lived.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE entries SET actor = actor || 'x' WHERE seq >= ?", (seq,))
        connection.commit()
    ledger = Ledger.open(f"sqlite:///{copy}")
    for projections_too in (True, False):
        found = verify(ledger, projections_too=projections_too)
        assert found.fault is not None
        assert (found.fault.table, found.fault.row, found.entries) == ("entries", str(seq), seq - 1)
    ledger.close()


@pytest.mark.parametrize(("broken", "first"), [(1080, 1080), (1081, 1081), (1082, 1081), (1083, 1081)])
def test_the_first_fault_wins_whatever_it_is(lived: Path, tmp_path: Path, broken: int, first: int) -> None:
    """Entry 1081 is soundly chained and cannot be folded; another one near it does not match its hash."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(lived.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute("SELECT * FROM entries WHERE seq >= 1081 ORDER BY seq").fetchall()
        prev = rows[0][8]
        for seq, at, kind, *others in rows:
            columns = (seq, at, "moon.landed" if seq == 1081 else kind, *others[:-2], prev)
            prev = hash_of(*columns)
            connection.execute(
                "UPDATE entries SET kind = ?, prev = ?, hash = ? WHERE seq = ?",
                (columns[2], columns[8], prev, seq),
            )
        connection.execute("UPDATE entries SET key = key || 'x' WHERE seq = ?", (broken,))
        connection.commit()
    ledger = Ledger.open(f"sqlite:///{copy}")
    found = verify(ledger)
    ledger.close()
    assert found.fault is not None
    assert (found.fault.row, found.entries) == (str(first), first - 1)
    assert ("newer Belay" in found.fault.problem) is (first < broken)


def test_of_several_changed_documents_the_first_is_named(ledger: Ledger) -> None:
    bodies = [f'{{"number":{number}}}' for number in range(20)]
    names = sorted(codec.sha256_text(body) for body in bodies)
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        rows = [{"sha256": codec.sha256_text(body), "body": body} for body in bodies]
        connection.execute(sa.insert(evidence), rows)
        connection.exec_driver_sql("DROP TRIGGER evidence_no_update")
        changed = evidence.c.sha256.in_([names[3], names[11]])
        connection.execute(sa.update(evidence).where(changed).values(body="{}"))
    fault = verify(ledger).fault
    assert fault is not None
    assert (fault.table, fault.row) == ("evidence", names[3])


def test_folding_in_place_gives_what_folding_by_copies_gives(story: Ledger, lived: Path) -> None:
    """I7, over every kind of event and over many lives."""
    other = Ledger.open(f"sqlite:///{lived}")
    for ledger in (story, other):
        history, state, left = list(ledger.history()), State(), []
        for recorded in history:
            state = evolve(state, recorded)
            if recorded.seq % 50 == 0:
                left.append((state, codec.encode_state(state)))
        assert codec.encode_state(fold(history)) == codec.encode_state(state)
        assert codec.encode_state(ledger.state()) == codec.encode_state(state)
        assert all(codec.encode_state(past) == text for past, text in left), "a state left behind has changed"
    other.close()


def test_every_entity_there_and_back(story: Ledger) -> None:
    state, seen = story.state(), set()
    for table in codec.ENTITIES:
        for entity in getattr(state, table).values():
            text = codec.encode_entity(entity)
            assert codec.decode_entity(table, text) == entity
            assert codec.encode_entity(codec.decode_entity(table, text)) == text
            seen.add(table)
    assert seen >= {"capabilities", "optimizations", "requests", "lifted"}


def test_a_whole_number_where_a_fraction_could_be_is_folded_as_it_is_read_again(ledger: Ledger) -> None:
    policy = a_policy()
    ledger.execute(c.AdoptPolicy(policy, "start"), by=GATE, at=NOW)
    found, since = Estimate(0, -1, 1), NOW - timedelta(days=9)
    ledger.execute(c.RecordOec(policy.id, found, since, NOW, "no difference", None), by=GATE, at=NOW)
    assert verify(ledger).ok
    assert codec.encode_state(Ledger(ledger.engine).state()) == codec.encode_state(ledger.state())


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_again_afterwards(ledger: Ledger, *, collects: bool) -> None:
    a_story(ledger)
    (gc.enable if collects else gc.disable)()
    try:
        verify(ledger)
        assert gc.isenabled() is collects
    finally:
        gc.enable()
