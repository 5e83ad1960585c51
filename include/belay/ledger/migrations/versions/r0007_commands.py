"""Entries name the command that appended them, in the column of its key; no table changes."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Change nothing here: an older Belay, which names no commands, may not append beside this one."""
