"""``_calendar.yaml``: named calendars, of which a capability chooses one."""

from __future__ import annotations

from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from belay.domain.calendar import ALWAYS, WEEKDAYS, Calendar, FreezePeriod, Holiday, Hours
from belay.policy.checks import missing, validate
from belay.policy.document import Document
from belay.policy.errors import Path, PolicyError, did_you_mean
from belay.policy.shared_files import CalendarFile, CalendarsFile

CALENDARS = "_calendar.yaml"
_OPTIONAL = {"hours", "holidays", "freeze_days", "freezes"}


def read_calendars(document: Document) -> tuple[dict[str, Calendar], dict[str, list[PolicyError]]]:
    """Return the usable calendars by name, and what is wrong with each of the others.

    ``always`` is there whatever the file says. What is wrong with the file as a whole stands under ``""``.
    """
    value: dict[str, Any] = document.value
    entries = value.get("calendars")
    _, errors = validate(CalendarsFile, document, {**value, "calendars": {}})
    if not isinstance(entries, dict):
        right = "write calendars: and one below, such as office: {zone: Europe/Berlin}"
        errors.append(document.error(("calendars",), ..., "there is no mapping of calendars", right))
        entries = {}
    found, broken = {ALWAYS.name: ALWAYS}, {"": errors} if errors else {}
    for name in entries:
        at: Path = ("calendars", name)
        wrapped, wrong = validate(CalendarsFile, document, {"calendars": {name: entries[name]}})
        entry = (wrapped.calendars or {}).get(name)
        if entry is not None:
            wrong += missing(entry, document, at, optional=_OPTIONAL, reported=wrong).values()
            calendar = _Reader(document, at, wrong).calendar(str(name), entry)
        if wrong or entry is None:
            broken[str(name)] = wrong
        else:
            found[str(name)] = calendar
    return found, broken


class _Reader:
    """Turns one calendar's words into dates and times, and keeps what cannot be."""

    def __init__(self, document: Document, at: Path, errors: list[PolicyError]) -> None:
        self.document, self.at, self.errors = document, at, errors

    def calendar(self, name: str, entry: CalendarFile) -> Calendar:
        zone = entry.zone or "UTC"
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            right = did_you_mean(zone, available_timezones(), "time zones")
            self._wrong(("zone",), zone, "there is no such time zone", right)
        hours = {day: self._hours(day, text) for day, text in (entry.hours or {}).items()}
        if entry.hours is not None and not hours:
            self._wrong(("hours",), ..., "no day has working hours", "leave hours out for round the clock")
        return Calendar(
            name=name,
            zone=zone,
            hours=tuple(hours.get(day) for day in WEEKDAYS) if hours else (),
            holidays=tuple(
                Holiday(day, title)
                for text, title in (entry.holidays or {}).items()
                if (day := self._date(("holidays", text), text))
            ),
            freeze_days=tuple(sorted({WEEKDAYS.index(day) for day in entry.freeze_days or ()})),
            freezes=tuple(self._freezes(entry)),
        )

    def _freezes(self, entry: CalendarFile) -> list[FreezePeriod]:
        periods = []
        for index, period in enumerate(entry.freezes or ()):
            at: Path = ("freezes", index)
            lacking = missing(period, self.document, (*self.at, *at), optional=(), reported=self.errors)
            self.errors += lacking.values()
            first = self._date((*at, "first"), period.first)
            last = self._date((*at, "last"), period.last)
            if first and last and first > last:
                problem, right = "the freeze ends before it begins", f"write {first} or a later day"
                self._wrong((*at, "last"), period.last, problem, right)
            elif first and last and period.reason:
                periods.append(FreezePeriod(first, last, period.reason))
        return periods

    def _hours(self, day: str, text: str) -> Hours | None:
        begin, _, end = text.partition("-")
        try:
            hours = Hours(time.fromisoformat(begin), time.fromisoformat("00:00" if end == "24:00" else end))
        except ValueError:
            self._wrong(("hours", day), text, "this is no time of day", "write 09:00-17:00")
            return None
        if hours.end != time() and hours.start >= hours.end:
            self._wrong(("hours", day), text, "the day ends before it begins", "write 09:00-17:00")
        return hours

    def _date(self, path: Path, text: str | None) -> date | None:
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._wrong(path, text, "there is no such day", "write a day as 2026-12-25")
            return None

    def _wrong(self, path: Path, value: Any, problem: str, right: str) -> None:
        self.errors.append(self.document.error((*self.at, *path), value, problem, right))
