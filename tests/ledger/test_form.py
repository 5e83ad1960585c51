"""A Belay that derives another form of state from the entries derives it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.support.builders import GATE, NOW, a_policy
from tests.support.story import a_story

from belay.domain.commands import AdoptPolicy
from belay.domain.digest import sha256_of
from belay.ledger import codec
from belay.ledger.errors import LedgerError
from belay.ledger.schema import REVISION, projections
from belay.ledger.store import Ledger
from belay.ledger.verify import verify

FORM = ("0007", "12e9c56a4a87a706e5a9f554aedb20a11623944978d06a87e188f3cf896a6f83")
"""The newest migration, and the digest of the state's form at it."""


def bare(schema: Any) -> Any:
    """Return a JSON schema without what is only said about it."""
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key not in {"description", "title"}}
    return [bare(part) for part in schema] if isinstance(schema, list | tuple) else schema


def test_whenever_the_state_gets_another_form_there_is_a_migration() -> None:
    form = sha256_of(bare(list(msgspec.json.schema_components(codec.ENTITIES.values()))))
    assert (REVISION, form) == FORM, "add a migration (an empty one will do), and note the new form here"


def test_an_older_ledger_is_migrated_and_its_state_derived_anew(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger.open(url)
    a_story(ledger)
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.update(projections).where(projections.c.entity == "freezes").values(body="{}"))
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '0002'"))
    assert not verify(ledger).ok, "as a form that this Belay does not derive"
    ledger.close()
    again = Ledger.open(url)
    assert verify(again).ok
    again.close()


def test_an_older_ledger_that_cannot_be_folded_says_which_row_is_wrong(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger.open(url)
    a_story(ledger)
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.text("DROP TRIGGER entries_no_update"))
        connection.execute(sa.text("UPDATE entries SET body = '{}' WHERE seq = 7"))
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '0002'"))
    ledger.close()
    with pytest.raises(LedgerError, match="cannot be migrated: entries 7: its content does not match"):
        Ledger.open(url)


def test_a_process_that_was_left_behind_by_a_migration_writes_nothing_more(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    a_story(ledger)
    before = ledger.head()
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match=r"migrated to revision 9999 while this process ran.*restart it"):
        ledger.execute(AdoptPolicy(a_policy(id="other", surface="new"), "start"), by=GATE, at=NOW)
    assert ledger.head() == before
