"""The ledger's first tables, and triggers that let entries and evidence only be added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_APPEND_ONLY = ("entries", "evidence")


def upgrade() -> None:
    """Create the tables and their guards."""
    op.create_table(
        "entries",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("at", "kind", "actor", "capability", "optimization", "key", "body", "prev", "hash")
        ),
    )
    op.create_index("entries_key", "entries", ["key"])
    op.create_index("entries_optimization", "entries", ["optimization", "seq"])
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "projections",
        sa.Column("entity", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.execute(f"INSERT INTO head (id, seq, hash) VALUES (1, 0, '{'0' * 64}')")  # noqa: S608 - a constant
    op.execute("INSERT INTO projections (entity, id, body) VALUES ('head', '', '0')")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the ledger only grows'; END $$"
        )
    for table in _APPEND_ONLY:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows()"
            )
        else:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
                )
