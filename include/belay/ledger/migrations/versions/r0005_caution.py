"""The state keeps when harm so far took a change down as caution; no table changes."""

from __future__ import annotations

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change nothing here: the projections are derived anew after migrating."""
