"""I6: an attacker with every right on the database changes something, and verify names the row."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.story import a_story

from belay.domain.events import EVENTS
from belay.ledger.chain import GENESIS, hash_of
from belay.ledger.faults import Fault
from belay.ledger.store import Ledger
from belay.ledger.verify import verify

TRIGGERS = ("entries_no_update", "entries_no_delete", "evidence_no_update", "evidence_no_delete")
COLUMNS = ("at", "kind", "actor", "capability", "optimization", "key", "body", "prev", "hash")
Change = Callable[[sqlite3.Connection], None]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the story once, as one file without a WAL; its triggers are gone."""
    path = tmp_path_factory.mktemp("original") / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{path}")
    a_story(ledger)
    assert verify(ledger).ok
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
    return path


@pytest.fixture(scope="module")
def tampered(original: Path) -> Callable[[Change], Fault | None]:
    """Return a function that changes a copy of the ledger and says what verify finds."""
    copy = original.with_name("copy.db")

    def tamper(change: Change) -> Fault | None:
        with changed(original, copy, change, "?mode=ro&uri=true") as ledger:
            return verify(ledger).fault

    return tamper


@contextmanager
def changed(original: Path, copy: Path, change: Change, mode: str = "?uri=true") -> Iterator[Ledger]:
    """Open a copy of the ledger that ``change`` was let loose on."""
    copy.write_bytes(original.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        change(connection)
        connection.commit()
    ledger = Ledger.open(f"sqlite:///file:{copy}{mode}")
    try:
        yield ledger
    finally:
        ledger.close()


def run(sql: str, *values: Any) -> Change:
    """Return a change that runs one statement."""

    def change(connection: sqlite3.Connection) -> None:
        assert connection.execute(sql, values).rowcount != 0, "nothing was changed"

    return change


def read(original: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(original)) as connection:
        return connection.execute(sql).fetchall()


def flipped(text: str, position: int) -> str:
    """Return ``text`` with one byte of its UTF-8 changed (to what may be no UTF-8 at all)."""
    raw = bytearray(text.encode())
    raw[position % len(raw)] ^= 1
    return raw.decode(errors="surrogateescape")


def test_the_story_is_varied(original: Path) -> None:
    kinds = {kind for (kind,) in read(original, "SELECT kind FROM entries")}
    assert kinds == set(EVENTS), "the story must hold every kind of event"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


@pytest.mark.parametrize("column", COLUMNS)
def test_one_byte_of_each_column_of_each_row(
    original: Path, tampered: Callable[[Change], Fault | None], column: str
) -> None:
    for seq, text in read(original, f"SELECT seq, {column} FROM entries ORDER BY seq"):
        value = flipped(text, seq * 7) if text else "x"
        # A byte is written as the file would hold it: text, whether or not it is UTF-8 any more.
        change = run(f"UPDATE entries SET {column} = CAST(? AS TEXT) WHERE seq = ?", _bytes(value), seq)
        fault = tampered(change)
        assert fault is not None, (column, seq)
        assert (fault.table, fault.row) == ("entries", str(seq)), (column, fault)


@settings(max_examples=60)
@given(data=st.data())
def test_any_byte_of_any_entry(
    original: Path, tampered: Callable[[Change], Fault | None], data: st.DataObject
) -> None:
    column = data.draw(st.sampled_from(COLUMNS))
    rows = [row for row in read(original, f"SELECT seq, {column} FROM entries") if row[1]]
    seq, text = data.draw(st.sampled_from(rows))
    raw = bytearray(text.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    fault = tampered(run(f"UPDATE entries SET {column} = CAST(? AS TEXT) WHERE seq = ?", bytes(raw), seq))
    assert fault is not None
    assert (fault.table, fault.row) == ("entries", str(seq))


@pytest.mark.parametrize("value", [b"\x00\xff", 7, 1.5])
def test_a_column_that_is_text_no_more(
    original: Path, tampered: Callable[[Change], Fault | None], value: Any
) -> None:
    for column in COLUMNS:
        fault = tampered(run(f"UPDATE entries SET {column} = ? WHERE seq = 5", value))
        assert fault is not None
        assert (fault.table, fault.row) == ("entries", "5"), column


def test_the_number_of_each_row(original: Path, tampered: Callable[[Change], Fault | None]) -> None:
    for (seq,) in read(original, "SELECT seq FROM entries"):
        for other in (-seq, seq + 1000, b"x"):
            fault = tampered(run("UPDATE entries SET seq = ? WHERE seq = ?", other, seq))
            first = "1" if other == -seq else str(seq)
            assert fault is not None
            assert (fault.table, fault.row) == ("entries", first), other


def test_each_row_deleted(original: Path, tampered: Callable[[Change], Fault | None]) -> None:
    for (seq,) in read(original, "SELECT seq FROM entries"):
        fault = tampered(run("DELETE FROM entries WHERE seq = ?", seq))
        assert fault is not None
        assert (fault.table, fault.row) == ("entries", str(seq))


def test_a_row_inserted_anywhere(original: Path, tampered: Callable[[Change], Fault | None]) -> None:
    rows = read(original, "SELECT * FROM entries ORDER BY seq")
    for place in range(1, len(rows) + 2):

        def insert(connection: sqlite3.Connection, place: int = place) -> None:
            """Make room, and put a well-formed entry there that follows the one before."""
            for seq, *_ in reversed(rows[place - 1 :]):
                connection.execute("UPDATE entries SET seq = seq + 1 WHERE seq = ?", (seq,))
            prev = rows[place - 2][-1] if place > 1 else GENESIS
            columns = (place, *rows[2][1:8], prev)
            row = (*columns, hash_of(*columns))
            connection.execute("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?)", row)

        fault = tampered(insert)
        assert fault is not None
        assert fault.table == "entries"
        # A well-formed intruder is found by what no longer follows it, or by the head it is not part of.
        assert fault.row in {str(place), str(place + 1)}, place


def test_any_two_rows_swapped(original: Path, tampered: Callable[[Change], Fault | None]) -> None:
    rows = read(original, "SELECT * FROM entries ORDER BY seq")
    pairs = [(a, b) for a in rows for b in rows if a[0] < b[0] and (b[0] - a[0] in {1, 2} or a[0] == 1)]
    content = ", ".join(f"{column} = ?" for column in COLUMNS)
    for one, other in pairs:

        def swap(connection: sqlite3.Connection, one: Any = one, other: Any = other) -> None:
            connection.execute(f"UPDATE entries SET {content} WHERE seq = ?", (*other[1:], one[0]))
            connection.execute(f"UPDATE entries SET {content} WHERE seq = ?", (*one[1:], other[0]))

        fault = tampered(swap)
        assert fault is not None
        assert (fault.table, fault.row) == ("entries", str(one[0]))


def test_the_tail_cut_off(original: Path, tampered: Callable[[Change], Fault | None]) -> None:
    (last,) = read(original, "SELECT max(seq) FROM entries")[0]
    for keep in range(last):
        fault = tampered(run("DELETE FROM entries WHERE seq > ?", keep))
        assert fault is not None
        assert (fault.table, fault.row) == ("entries", str(keep + 1))


def _rewritten(keep: int) -> Change:
    """Cut the tail off and mend the head and the projections: the ledger is consistent in itself."""

    def change(connection: sqlite3.Connection) -> None:
        (text,) = connection.execute("SELECT hash FROM entries WHERE seq = ?", (keep,)).fetchone()
        connection.execute("DELETE FROM entries WHERE seq > ?", (keep,))
        connection.execute("UPDATE head SET seq = ?, hash = ?", (keep, text))

    return change


def test_a_ledger_rewritten_as_a_whole_fails_its_anchor(original: Path, tmp_path: Path) -> None:
    seq, text = read(original, "SELECT seq, hash FROM head")[0]
    with changed(original, tmp_path / "rewritten.db", _rewritten(seq - 3)) as ledger:
        ledger.rebuild()
        assert verify(ledger).ok, "without an anchor nothing shows it"
        fault = verify(ledger, since=(seq, text)).fault
        assert fault is not None
        assert (fault.table, fault.row) == ("entries", str(seq - 2))
        assert "anchor" in fault.problem
        fault = verify(ledger, since=(5, "f" * 64)).fault
        assert fault is not None
        assert fault.row == "5"
        known = read(original, "SELECT hash FROM entries WHERE seq = 5")[0][0]
        assert verify(ledger, since=(5, known)).ok


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE head SET seq = seq - 1",
        "UPDATE head SET hash = replace(hash, substr(hash, 1, 1), 'x')",
        "UPDATE head SET id = 2",
        "DELETE FROM head",
        "INSERT INTO head SELECT 2, seq, hash FROM head",
        "UPDATE head SET seq = 'many'",
    ],
)
def test_the_head(tampered: Callable[[Change], Fault | None], sql: str) -> None:
    fault = tampered(run(sql))
    assert fault is not None
    assert (fault.table, fault.row) == ("head", "1"), fault


def test_evidence(original: Path, tampered: Callable[[Change], Fault | None]) -> None:
    for name, body in read(original, "SELECT sha256, body FROM evidence"):
        for position in (0, len(body) // 2, len(body) - 1):
            change = run("UPDATE evidence SET body = ? WHERE sha256 = ?", flipped(body, position), name)
            fault = tampered(change)
            assert fault is not None
            assert (fault.table, fault.row) == ("evidence", name)
        fault = tampered(run("DELETE FROM evidence WHERE sha256 = ?", name))
        assert fault is not None
        assert (fault.table, fault.row) == ("evidence", name)
        fault = tampered(run("UPDATE evidence SET sha256 = ? WHERE sha256 = ?", flipped(name, 9), name))
        assert fault is not None
        assert (fault.table, fault.row) == ("evidence", flipped(name, 9))
        fault = tampered(run("UPDATE evidence SET body = ? WHERE sha256 = ?", b"\x00", name))
        assert fault is not None
        assert (fault.table, fault.row) == ("evidence", name)


def test_projections(original: Path, tampered: Callable[[Change], Fault | None]) -> None:
    for entity, name, body in read(original, "SELECT entity, id, body FROM projections"):
        where = "WHERE entity = ? AND id = ?"
        for sql, values in [
            (f"UPDATE projections SET body = ? {where}", (flipped(body, len(body) // 2), entity, name)),
            (f"UPDATE projections SET entity = 'other' {where}", (entity, name)),
            (f"UPDATE projections SET id = id || 'x' {where}", (entity, name)),
            (f"DELETE FROM projections {where}", (entity, name)),
        ]:
            fault = tampered(run(sql, *values))
            assert fault is not None, (sql, values)
            assert fault.table == "projections"


def test_an_entity_nobody_recorded(tampered: Callable[[Change], Fault | None]) -> None:
    fault = tampered(run("INSERT INTO projections VALUES ('freezes', 'surface:home', '{}')"))
    assert fault is not None
    assert (fault.table, fault.row) == ("projections", "freezes/surface:home")


def test_a_projection_is_mended_by_rebuilding(original: Path, tmp_path: Path) -> None:
    change = run("UPDATE projections SET body = replace(body, 'vetoed', 'climbing')")
    with changed(original, tmp_path / "mended.db", change) as ledger:
        assert not verify(ledger).ok
        ledger.rebuild()
        assert verify(ledger).ok


def test_an_entry_of_an_unknown_kind(original: Path, tmp_path: Path) -> None:
    """A chain may be sound and still hold what this Belay cannot fold: verify says where."""

    def append(connection: sqlite3.Connection) -> None:
        seq, prev = connection.execute("SELECT seq, hash FROM head").fetchone()
        columns = (seq + 1, "2026-03-02T12:00:00+00:00", "moon.landed", "service:x", "", "", "", "{}", prev)
        row = (*columns, hash_of(*columns))
        connection.execute("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?)", row)
        connection.execute("UPDATE head SET seq = ?, hash = ?", (row[0], row[-1]))

    with changed(original, tmp_path / "newer.db", append) as ledger:
        found = verify(ledger)
        assert found.fault is not None
        assert found.fault.row == str(found.entries + 1)
        assert "newer Belay" in found.fault.problem
        assert "BROKEN at entries" in str(found)
