"""Alembic migrations of the ledger."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from belay.ledger.schema import head
from belay.ledger.writing import derive_anew


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the ledger's tables to ``revision``, and derive the state in them anew.

    In one transaction: what an older Belay derived from the entries is not what this one derives, so nobody
    reads it between the two. On SQLite it has the write lock before it looks where the tables are: of
    processes that open an older ledger at once, one migrates it, and the others find that done.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.execution_options(belay_writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        if connection.scalar(sa.select(head.c.seq)):
            derive_anew(connection)
