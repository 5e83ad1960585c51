"""A flagd file whose writer stops at a barrier: so a test can kill at an exact point of a change of scope.

Chosen by ``BELAY_FLAGS=python:tests.faults.paused:open_paused:PATH``. While a file named after a point lies
in the folder ``barriers`` beside the flags, a writer that reaches it says so and waits until it is gone.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from belay.flags.flagd import FlagdFile
from belay.flags.target import Ask, ServedFlag

POINTS = ("intent", "apply", "confirm")
"""The intent is in the ledger; the flags are written; they were read back and nothing is confirmed yet."""


class PausedFlagd(FlagdFile):
    """A real flagd file with barriers around each write."""

    def apply(self, flag: ServedFlag, *, ask: Ask | None = None) -> None:
        pause(self.path, "intent", flag.key)
        super().apply(flag, ask=ask)
        pause(self.path, "apply", flag.key)

    def read(self, key: str) -> ServedFlag | None:
        found = super().read(key)
        pause(self.path, "confirm", key)
        return found


def open_paused(path: str) -> PausedFlagd:
    return PausedFlagd(Path(path))


def barrier(flags: Path, point: str) -> Path:
    return flags.parent / "barriers" / point


def pause(flags: Path, point: str, key: str) -> None:
    """Wait while the point's barrier is up."""
    wanted = barrier(flags, point)
    while wanted.exists():
        wanted.with_suffix(".reached").write_text(f"{os.getpid()} {key}")
        time.sleep(0.05)
