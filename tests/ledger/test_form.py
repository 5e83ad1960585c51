"""A Belay that derives another form of state from the entries derives it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from tests.support.story import a_story

from belay.domain.digest import sha256_of
from belay.ledger import codec
from belay.ledger.schema import REVISION, projections
from belay.ledger.store import Ledger
from belay.ledger.verify import verify

FORM = ("0004", "1f999475d10f2f4fdfac83b156feb172295dabf413daefe0ce02d457e166d573")
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
