"""Which rows a suite reads, as SQL that is pushed down to the warehouse."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from belay.warehouse.catalogue import Kind, Relation, quoted
from belay.warehouse.forms import TIMES, forms_of

if TYPE_CHECKING:
    import sqlalchemy as sa

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far clocks may differ before a time counts as being in the future."""

ARRIVES_WITHIN = timedelta(days=14)
"""How far data time may go on while the suites are asked (a simulated shop's runs fast)."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """One surface, one optimization (or the surface's history), one period.

    Attributes
    ----------
    surface, optimization : str
        An empty optimization takes every row of the surface.
    since, until, now : datetime
        The period read, and the data clock, UTC, naive.
    """

    surface: str
    optimization: str
    since: datetime
    until: datetime
    now: datetime

    @property
    def live(self) -> bool:
        """Whether units have been exposed to an optimization in this period."""
        return bool(self.optimization)

    @property
    def latest(self) -> datetime:
        """The latest time that an event can have happened."""
        return self.now + CLOCK_TOLERANCE


class Rows:
    """Builds the statements that read one table within a scope.

    Rows without a surface, optimization or time are taken in, because they may belong here: a check for
    empty values that never sees an empty value could not fail. So are rows that claim to be from the
    future.
    """

    def __init__(
        self, connection: sa.Connection, relation: Relation, scope: Scope, figures: Collection[str] = ()
    ) -> None:
        """Find out how the columns of ``relation`` are read; booleans among ``figures`` as 0 and 1.

        Raises
        ------
        UnusableColumnError
            When a time is stored in a way that does not say which time it is.
        """
        import sqlalchemy as sa

        self.scope = scope
        self.columns = frozenset(relation.columns)
        self._dialect = connection.dialect
        self.table = sa.table(relation.name)
        forms = forms_of(connection, relation)
        forms |= {
            name: f"CAST({quoted(name)} AS INTEGER)"
            for name, column in relation.columns.items()
            if column.kind is Kind.BOOLEAN and name in figures and connection.dialect.name != "sqlite"
        }
        self._read = {name: forms.get(name, quoted(name)) for name in relation.columns} if forms else {}
        # A time that compares rightly as it is stored is compared so: an index on it is used.
        compared = forms_of(connection, relation, native=True)
        self.column = {
            name: sa.literal_column(
                compared.get(name, quoted(name)), sa.DateTime() if name in TIMES else sa.types.NULLTYPE
            )
            for name in relation.columns
        }
        self._time = sa.literal_column(forms.get("event_time", '"event_time"'), sa.DateTime())

    def everything(self) -> str:
        """Return the statement of all rows, whatever the scope (for tables without events)."""
        return self._text(self._select())

    def period(self) -> str:
        """Return the statement of the period's rows."""
        return self._text(self._select().where(*self._belongs(), self._in_period()))

    def between(self, start: datetime, end: datetime) -> str:
        """Return the statement of the rows of ``[start, end)`` that arrived when they should have."""
        return self._text(self._select().where(*self._belongs(), *self._seen_between(start, end)))

    def count(self, *, whole_table: bool = False) -> sa.Select[Any]:
        """Return the statement of the number of rows of the period, and their newest credible time."""
        import sqlalchemy as sa

        if whole_table:
            return sa.select(sa.func.count(), sa.null()).select_from(self.table)
        newest = sa.func.max(sa.case((self._time <= self.scope.latest, self._time)))
        return (
            sa.select(sa.func.count(), newest)
            .select_from(self.table)
            .where(*self._belongs(), self._in_period())
        )

    def days(self, count: int) -> sa.Select[Any]:
        """Return the statement of the rows of each of the last ``count`` days, newest first."""
        import sqlalchemy as sa

        time, end = self._time, self.scope.until
        earliest = max(end - DAY * count, self.scope.since) if self.scope.live else end - DAY * count
        counted = [
            sa.func.sum(sa.case(((time >= end - DAY * (i + 1)) & (time < end - DAY * i), 1), else_=0))
            for i in range(count)
        ]
        # When the first row came: days before it are no history.
        return (
            sa.select(sa.func.min(time), *counted)
            .select_from(self.table)
            .where(*self._belongs(), *self._seen_between(earliest, end))
        )

    def split(self) -> sa.Select[Any]:
        """Return the statement of the number of units of each variant in the period."""
        import sqlalchemy as sa

        variant = self.column["variant"]
        return (
            sa.select(variant, sa.func.count(sa.distinct(self.column["unit_id"])))
            .select_from(self.table)
            .where(*self._belongs(), self._in_period(), variant.is_not(None))
            .group_by(variant)
        )

    def _select(self) -> sa.Select[Any]:
        import sqlalchemy as sa

        read: list[Any] = [sa.literal_column(form).label(name) for name, form in self._read.items()]
        return sa.select(*(read or [sa.literal_column("*")])).select_from(self.table)

    def _belongs(self) -> list[sa.ColumnElement[bool]]:
        wanted = {"surface": self.scope.surface}
        if self.scope.live:
            wanted["optimization"] = self.scope.optimization
        columns = {name: self.column[name] for name in wanted if name in self.columns}
        return [(column == wanted[name]) | column.is_(None) for name, column in columns.items()]

    def _in_period(self) -> sa.ColumnElement[bool]:
        scope, time = self.scope, self.column["event_time"]
        inside = (time >= scope.since) & ((time < scope.until) | (time >= scope.now))
        if "ingested_at" not in self.columns:
            return inside | time.is_(None)
        arrived = self.column["ingested_at"]
        timeless = time.is_(None) & (arrived.is_(None) | (arrived >= scope.since))
        # What arrived after this reading began is no row of it, and so none from the future: the
        # warehouse goes on filling while the suites are asked, one after the other, and they must all see
        # the same rows. An arrival stamped far ahead is no arrival
        # but a broken clock.
        here = arrived.is_(None) | (arrived <= scope.now) | (arrived > scope.now + ARRIVES_WITHIN)
        return (inside | timeless) & here

    def _seen_between(self, start: datetime, end: datetime) -> list[sa.ColumnElement[bool]]:
        time = self.column["event_time"]
        return [time >= start, time < end]

    def _text(self, statement: sa.Select[Any]) -> str:
        compiled = statement.compile(dialect=self._dialect, compile_kwargs={"literal_binds": True})
        return str(compiled).replace("\n", " ")


def literal(value: datetime | str) -> str:
    """Return ``value`` as a literal of SQL."""
    text = value.isoformat(sep=" ", timespec="microseconds") if isinstance(value, datetime) else value
    return "'" + text.replace("'", "''") + "'"
