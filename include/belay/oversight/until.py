"""Until when, as people say it: ``friday``, ``2026-12-01``, ``3d``, ``tomorrow``, ``18:00``."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from belay.domain.calendar import WEEKDAYS

_SPAN = re.compile(r"([1-9][0-9]{0,3})\s*(d|days?|h|hours?|w|weeks?)\Z")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def until(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment (UTC) that ``text`` means, said at ``now`` by somebody in ``zone``.

    A day is meant to its end: ``friday`` is the midnight after the next Friday (today's, on a Friday).

    Raises
    ------
    ValueError
        When it means none of these, with what can be said.
    """
    said = text.strip().lower().removeprefix("until ").strip()
    here = now.astimezone(zone)
    if span := _SPAN.match(said):
        return now.astimezone(UTC) + int(span[1]) * _UNITS[span[2][0]]
    if (day := _day(said, here.date())) is not None:
        return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    try:
        if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", said):
            clock = time.fromisoformat(said.zfill(5))
            return datetime.combine(here.date(), clock, zone).astimezone(UTC)
        moment = datetime.fromisoformat(said)
    except ValueError:
        message = f"{text!r} is no time: say friday, tomorrow, 2026-12-01, 2026-12-01T18:00, 18:00, 3d or 12h"
        raise ValueError(message) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _day(said: str, today: date) -> date | None:
    if said in {"today", "tonight"}:
        return today
    if said == "tomorrow":
        return today + timedelta(days=1)
    names = [day for day in WEEKDAYS if len(said) >= 3 and day.startswith(said)]
    if names:
        return today + timedelta(days=(WEEKDAYS.index(names[0]) - today.weekday()) % 7)
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None
