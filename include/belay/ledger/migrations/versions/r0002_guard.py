"""The guard's own tables: where its monitors stand, and when it looked last. Neither is part of the chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "guard_monitors",
        sa.Column("optimization", sa.Text, primary_key=True),
        sa.Column("phase", sa.Integer, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("finding", sa.Text, nullable=False),
        sa.Column("log_e", sa.Float, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_table(
        "guard_beats",
        sa.Column("guard", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("data_time", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
