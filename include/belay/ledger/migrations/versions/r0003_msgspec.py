"""The state is written by msgspec, which spells some numbers differently; no table changes."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change nothing here: the projections are derived anew after migrating."""
