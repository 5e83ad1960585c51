"""What breaks below the ledger: each time a sentence that says what to do, and nothing appended."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.builders import GATE, NOW, a_policy

from belay.domain import commands as c
from belay.ledger.store import Ledger, LedgerError
from belay.ledger.verify import verify

ADOPT = c.AdoptPolicy(a_policy(), "start")


def _filled(path: Path) -> Path:
    ledger = Ledger.open(f"sqlite:///{path}")
    ledger.execute(ADOPT, by=GATE, at=NOW)
    ledger.close()
    return path


def test_a_read_only_ledger_can_be_read_and_says_why_it_cannot_be_written(tmp_path: Path) -> None:
    path = _filled(tmp_path / "ledger.db")
    ledger = Ledger.open(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert "wording" in ledger.state().capabilities
    assert verify(ledger).ok
    with pytest.raises(LedgerError, match="read-only: give the user that runs Belay"):
        ledger.execute(c.Freeze("all", "x"), by=GATE, at=NOW)
    with pytest.raises(LedgerError, match="read-only"):
        ledger.put_evidence({"p": 1})
    assert ledger.head()[0] == 1
    assert not (tmp_path / "file:").exists()


def test_a_full_disk(tmp_path: Path) -> None:
    path = _filled(tmp_path / "ledger.db")
    ledger = Ledger.open(f"sqlite:///{path}")

    @sa.event.listens_for(ledger.engine, "connect")
    def _limit(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    ledger.engine.dispose()
    with pytest.raises(LedgerError, match="its disk is full: free some room"):
        ledger.execute(c.Freeze("all", "x" * 100_000), by=GATE, at=NOW)
    with pytest.raises(LedgerError, match="its disk is full"):
        ledger.put_evidence({"p": "x" * 100_000})
    assert ledger.head()[0] == 1
    assert ledger.state().freezes == {}
    assert verify(ledger).ok


def test_a_ledger_that_somebody_holds_locked(tmp_path: Path) -> None:
    path = _filled(tmp_path / "ledger.db")
    ledger = Ledger.open(f"sqlite:///{path}", patience=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another process holds it locked"):
            ledger.execute(c.Freeze("all", "x"), by=GATE, at=NOW)
        assert "wording" in ledger.state().capabilities, "reading goes on"
        other.execute("ROLLBACK")
    assert ledger.execute(c.Freeze("all", "x"), by=GATE, at=NOW).events


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is not a database, whatever it is called" * 100)
    with pytest.raises(LedgerError, match="the file is damaged: put back a copy"):
        Ledger.open(f"sqlite:///{path}")


def test_a_file_that_is_damaged_in_the_middle(tmp_path: Path) -> None:
    path = _filled(tmp_path / "ledger.db")
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    path.write_bytes(raw)
    with pytest.raises(LedgerError, match="the file is damaged"):
        Ledger.open(f"sqlite:///{path}").state()


def test_tables_that_are_gone(tmp_path: Path) -> None:
    path = _filled(tmp_path / "ledger.db")
    ledger = Ledger.open(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE head")
    with pytest.raises(LedgerError, match="its tables are missing"):
        ledger.execute(c.Freeze("all", "x"), by=GATE, at=NOW)
    with pytest.raises(LedgerError, match="its tables are missing"):
        verify(ledger)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="folder cannot be made"):
        Ledger.open(f"sqlite:///{tmp_path}/file/ledger.db")


def test_a_ledger_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"unable to open database file.*its folder is there"):
        Ledger.open(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("url", ["", "ledger.db", "mongodb://somewhere/x", "sqlite//typo"])
def test_what_is_no_url_of_a_ledger(url: str) -> None:
    with pytest.raises(LedgerError, match="no URL of a ledger"):
        Ledger.open(url)


def test_a_ledger_written_by_a_newer_belay(tmp_path: Path) -> None:
    path = _filled(tmp_path / "ledger.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE ledger_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match=r"at revision 9999.*newer Belay"):
        Ledger.open(f"sqlite:///{path}")


@pytest.mark.postgres
def test_a_server_without_the_tables(postgres_database: str) -> None:
    with pytest.raises(LedgerError, match="tables are missing: run `belay ledger upgrade`"):
        Ledger.open(postgres_database)


@pytest.mark.postgres
def test_a_server_whose_tables_were_dropped(postgres_ledger: Ledger) -> None:
    with postgres_ledger.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE head")
    with pytest.raises(LedgerError, match="its tables are missing"):
        postgres_ledger.execute(ADOPT, by=GATE, at=NOW)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(LedgerError, match="check that it is there, and run `belay doctor`") as refusal:
        Ledger.open("postgresql://belay:secret@127.0.0.1:1/ledger")
    assert "secret" not in str(refusal.value)


@pytest.mark.postgres
def test_a_user_who_may_only_read(postgres_ledger: Ledger) -> None:
    postgres_ledger.execute(ADOPT, by=GATE, at=NOW)
    with postgres_ledger.engine.begin() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar()
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    postgres_ledger.engine.dispose()
    assert verify(postgres_ledger).ok
    with pytest.raises(LedgerError, match="read-only: give the user"):
        postgres_ledger.execute(c.Freeze("all", "x"), by=GATE, at=NOW)
    assert postgres_ledger.head()[0] == 1
