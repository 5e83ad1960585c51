"""A flag system that shows nothing to anybody: for replays, rehearsals and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from belay.flags.target import Ask, ServedFlag, refuse_stale


class DryRun:
    """Keeps what would be served in this process's memory, under the same rules as a real target."""

    name = "dry-run"
    remembers = False

    def __init__(self) -> None:
        self._flags: dict[str, ServedFlag] = {}

    def apply(self, flag: ServedFlag, *, ask: Ask | None = None) -> None:
        """Remember ``flag`` as served."""
        served = self._flags.get(flag.key)
        if refuse_stale(served, flag):
            if ask is not None:
                ask(served)
            self._flags[flag.key] = flag

    def apply_all(self, flags: Iterable[ServedFlag]) -> None:
        """Remember all of ``flags`` as served."""
        newer = [flag for flag in flags if refuse_stale(self._flags.get(flag.key), flag)]
        self._flags |= {flag.key: flag for flag in newer}

    def read(self, key: str) -> ServedFlag | None:
        """Return what would be served for ``key``."""
        return self._flags.get(key)

    def read_all(self) -> Mapping[str, ServedFlag]:
        """Return everything that would be served."""
        return dict(self._flags)
