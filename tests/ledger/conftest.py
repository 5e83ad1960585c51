"""Ledgers to try things on: SQLite files, and databases of their own on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.story import a_story

from belay.ledger.migrations import upgrade
from belay.ledger.store import Ledger


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a SQLite ledger that is not there yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Open an empty SQLite ledger."""
    ledger = Ledger.open(url)
    yield ledger
    ledger.close()


@pytest.fixture
def story(ledger: Ledger) -> Ledger:
    """Return a SQLite ledger in which something of every kind has happened."""
    a_story(ledger)
    return ledger


@pytest.fixture
def postgres_ledger(postgres_database: str) -> Iterator[Ledger]:
    """Open an empty ledger on PostgreSQL."""
    engine = sa.create_engine(postgres_database)
    upgrade(engine)
    engine.dispose()
    ledger = Ledger.open(postgres_database)
    yield ledger
    ledger.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_ledger(request: pytest.FixtureRequest) -> Ledger:
    """Open an empty ledger, once on each database."""
    found: Ledger = request.getfixturevalue("ledger" if request.param == "sqlite" else "postgres_ledger")
    return found
