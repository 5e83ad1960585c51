"""What the guard keeps beside the chain: where its monitors stand, and its heartbeat.

Neither is truth: the monitors are read again from the warehouse when they are lost, and a lost heartbeat is
a guard that nobody has seen, which widens nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from belay.ledger.errors import explained
from belay.ledger.schema import beats, monitors

RECONCILE = "reconcile/"
"""How the names of those begin that compare flags and ledger; all others are guards."""


@dataclass(frozen=True, slots=True)
class MonitorState:
    """Where one optimization's monitor stands.

    Attributes
    ----------
    optimization : str
        Whose.
    phase : int
        The period of constant scope that it reads, by its position in the ledger.
    policy : str
        Digest of the policy that it goes by.
    until : datetime
        Data time up to which it has read.
    looks : int
        Looks in this phase that read something new.
    finding : str
        harmless, harmful or unknown.
    log_e : float
        The largest log e-value of harm seen in this phase.
    sentence : str
        The same for people.
    at : datetime
        Wall-clock time of the look.
    """

    optimization: str
    phase: int
    policy: str
    until: datetime
    looks: int
    finding: str
    log_e: float
    sentence: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Beat:
    """When a guard looked last: wall-clock and data time, and what it did, as plain data."""

    guard: str
    at: datetime
    data_time: datetime
    body: dict[str, Any] = field(default_factory=dict)


class Watch:
    """The guard's tables in the ledger's database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def monitors(self) -> dict[str, MonitorState]:
        """Return where every monitor stands, by optimization."""
        with explained(self._engine), self._engine.connect() as connection:
            rows = connection.execute(sa.select(monitors)).mappings().all()
        return {
            row["optimization"]: MonitorState(
                **{
                    **row,
                    "until": datetime.fromisoformat(row["until"]),
                    "at": datetime.fromisoformat(row["at"]),
                }
            )
            for row in rows
        }

    def put_monitors(self, states: Iterable[MonitorState]) -> None:
        """Keep where monitors stand; those of other optimizations stay as they are."""
        rows = [{**asdict(s), "until": s.until.isoformat(), "at": s.at.isoformat()} for s in states]
        if rows:
            self._upsert(monitors, "optimization", rows)

    def beat(self, beat: Beat) -> None:
        """Note that a guard has looked."""
        row = {
            "guard": beat.guard,
            "at": beat.at.isoformat(),
            "data_time": beat.data_time.isoformat(),
            "body": json.dumps(beat.body, sort_keys=True),
        }
        self._upsert(beats, "guard", [row])

    def beats(self) -> list[Beat]:
        """Return when each guard looked last, the newest first."""
        return [beat for beat in self._all() if not beat.guard.startswith(RECONCILE)]

    def passes(self) -> list[Beat]:
        """Return when whoever compares flags and ledger did so last, the newest first."""
        return [beat for beat in self._all() if beat.guard.startswith(RECONCILE)]

    def _all(self) -> list[Beat]:
        with explained(self._engine), self._engine.connect() as connection:
            rows = connection.execute(sa.select(beats)).all()
        found = [
            Beat(
                row.guard,
                datetime.fromisoformat(row.at),
                datetime.fromisoformat(row.data_time),
                json.loads(row.body),
            )
            for row in rows
        ]
        return sorted(found, key=lambda beat: beat.at, reverse=True)

    def last(self) -> Beat | None:
        """Return the newest heartbeat; None when no guard has ever looked."""
        return next(iter(self.beats()), None)

    def _upsert(self, into: sa.Table, key: str, rows: list[dict[str, Any]]) -> None:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(into)
        changed = {c.name: statement.excluded[c.name] for c in into.columns if c.name != key}
        statement = statement.on_conflict_do_update(index_elements=[key], set_=changed)
        with explained(self._engine), self._engine.execution_options(belay_writes=True).begin() as connection:
            connection.execute(statement, rows)
