"""A flag system that shows nothing to anybody: for replays, rehearsals and tests."""

from __future__ import annotations

from collections.abc import Mapping

from belay.flags.target import ServedFlag, refuse_stale


class DryRun:
    """Keeps what would be served in this process's memory, under the same rules as a real target."""

    name = "dry-run"

    def __init__(self) -> None:
        self._flags: dict[str, ServedFlag] = {}

    def apply(self, flag: ServedFlag) -> None:
        """Remember ``flag`` as served."""
        if refuse_stale(self._flags.get(flag.key), flag):
            self._flags[flag.key] = flag

    def read(self, key: str) -> ServedFlag | None:
        """Return what would be served for ``key``."""
        return self._flags.get(key)

    def read_all(self) -> Mapping[str, ServedFlag]:
        """Return everything that would be served."""
        return dict(self._flags)
