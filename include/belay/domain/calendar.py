"""When people can be asked, and when nothing may widen: a calendar in the approvers' own time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
_FURTHEST_DAYS = 800
"""No wait is longer than a year of working time, and nobody is away for the other one."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Working hours of one day, local time; ``end`` 00:00 is the midnight that ends the day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which nobody is asked to answer."""

    day: date
    name: str


@dataclass(frozen=True, slots=True)
class FreezePeriod:
    """Days, first and last included, on which nothing widens."""

    first: date
    last: date
    reason: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar.

    Attributes
    ----------
    name : str
        Its name in the policy files.
    zone : str
        IANA time zone of the people who answer.
    hours : tuple[Hours | None, ...]
        Working hours, Monday first, None on a day off; empty when the clock never stops.
    holidays : tuple[Holiday, ...]
        Days off by date.
    freeze_days : tuple[int, ...]
        Weekdays (Monday is 0) on which nothing widens.
    freezes : tuple[FreezePeriod, ...]
        Periods in which nothing widens.
    """

    name: str = "always"
    zone: str = "UTC"
    hours: tuple[Hours | None, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    freeze_days: tuple[int, ...] = ()
    freezes: tuple[FreezePeriod, ...] = ()

    def after(self, start: datetime, seconds: float) -> datetime:
        """Return the moment (UTC) when ``seconds`` of working time have passed since ``start``.

        Raises
        ------
        ValueError
            When the calendar has too little working time for it.
        """
        left = timedelta(seconds=seconds)
        if not self.hours and not self.holidays:
            return start.astimezone(UTC) + left
        for opens, closes in self._working(start):
            begins = max(opens, start)
            if closes - begins >= left:
                return (begins + left).astimezone(UTC)
            left -= max(closes - begins, timedelta())
        raise ValueError(f"calendar {self.name} has no {seconds:g} seconds of working time after {start}")

    def working(self, at: datetime) -> bool:
        """Return whether people can be expected to answer at ``at``."""
        if not self.hours and not self.holidays:
            return True
        return any(opens <= at < closes for opens, closes in self._on(at.astimezone(self._zone).date()))

    def freeze_at(self, at: datetime) -> str | None:
        """Return why nothing widens at ``at``, and until when; None when it may."""
        day = at.astimezone(self._zone).date()
        reason = self._frozen(day)
        if reason is None:
            return None
        for ahead in range(1, _FURTHEST_DAYS):
            if self._frozen(day + ahead * _DAY) is None:
                return f"{reason}: nothing widens before {day + ahead * _DAY} ({self.zone})"
        return f"{reason}: nothing widens, and calendar {self.name} names no end"

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def _frozen(self, day: date) -> str | None:
        for period in self.freezes:
            if period.first <= day <= period.last:
                return period.reason
        return f"{WEEKDAYS[day.weekday()]} is closed" if day.weekday() in self.freeze_days else None

    def _working(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        first = start.astimezone(self._zone).date()
        for ahead in range(_FURTHEST_DAYS):
            yield from self._on(first + ahead * _DAY)

    def _on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the working time of a local day, in UTC (a day of the clock change has its true length)."""
        if any(holiday.day == day for holiday in self.holidays):
            return
        hours = self.hours[day.weekday()] if self.hours else Hours(time(), time())
        if hours is None:
            return
        last = day + _DAY if hours.end == time() else day
        opens = datetime.combine(day, hours.start, self._zone).astimezone(UTC)
        closes = datetime.combine(last, hours.end, self._zone).astimezone(UTC)
        if opens < closes:
            yield opens, closes


ALWAYS = Calendar()
"""Round the clock, every day."""
