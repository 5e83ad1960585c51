"""The state knows by what names people go and who answers for each agent; no table changes."""

from __future__ import annotations

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change nothing here: the projections are derived anew after migrating."""
