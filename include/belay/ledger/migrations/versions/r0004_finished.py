"""The state keeps the promotion that was used last and when each rule took a stage; no table changes."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change nothing here: the projections are derived anew after migrating."""
