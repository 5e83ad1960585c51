"""Working time stands still at night, on weekends, holidays and freezes, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.calendar import ALWAYS, Calendar, FreezePeriod, Holiday, Hours

DAY = Hours(time(9), time(17))
OFFICE = Calendar(
    name="office",
    zone="Europe/Berlin",
    hours=(DAY, DAY, DAY, DAY, DAY, None, None),
    holidays=(Holiday(date(2026, 12, 25), "Christmas"),),
    freeze_days=(5, 6),
    freezes=(FreezePeriod(date(2026, 11, 26), date(2026, 11, 30), "sales days"),),
)
FRIDAY_1600 = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
"""16:00 in Berlin."""


def test_round_the_clock_is_plain_addition():
    assert ALWAYS.after(FRIDAY_1600, 7200) == FRIDAY_1600 + timedelta(hours=2)
    assert ALWAYS.working(FRIDAY_1600)
    assert ALWAYS.freeze_at(FRIDAY_1600) is None


def test_the_clock_stops_over_the_weekend():
    assert OFFICE.after(FRIDAY_1600, 2 * 3600) == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)  # Monday, 10:00
    assert OFFICE.after(FRIDAY_1600, 3600) == datetime(
        2026, 3, 6, 16, 0, tzinfo=UTC
    )  # to the minute it closes


def test_the_clock_stops_on_a_holiday():
    thursday = datetime(2026, 12, 24, 15, 30, tzinfo=UTC)
    assert OFFICE.after(thursday, 3600) == datetime(2026, 12, 28, 8, 30, tzinfo=UTC)
    assert not OFFICE.working(datetime(2026, 12, 25, 10, 0, tzinfo=UTC))


def test_local_time_counts_on_both_sides_of_the_clock_change():
    winter, summer = datetime(2026, 3, 27, 16, 0, tzinfo=UTC), datetime(2026, 3, 30, 15, 0, tzinfo=UTC)
    assert not OFFICE.working(winter)  # Friday 17:00
    assert not OFFICE.working(summer)  # Monday 17:00, an hour earlier in UTC
    assert OFFICE.working(summer - timedelta(minutes=1))


def test_a_freeze_says_why_and_until_when():
    said = OFFICE.freeze_at(datetime(2026, 11, 27, 12, 0, tzinfo=UTC))
    assert said == "sales days: nothing widens before 2026-12-01 (Europe/Berlin)"
    assert OFFICE.freeze_at(datetime(2026, 3, 7, 12, 0, tzinfo=UTC)) == (
        "saturday is closed: nothing widens before 2026-03-09 (Europe/Berlin)"
    )
    assert OFFICE.freeze_at(FRIDAY_1600) is None


def test_a_freeze_follows_the_local_date():
    late_friday = datetime(2026, 3, 6, 22, 59, tzinfo=UTC)  # 23:59 in Berlin
    assert OFFICE.freeze_at(late_friday) is None
    assert OFFICE.freeze_at(late_friday + timedelta(minutes=1)) is not None


def test_a_calendar_without_working_time_says_so():
    never = Calendar("never", hours=(None,) * 7)
    with pytest.raises(ValueError, match="calendar never has no 60 seconds"):
        never.after(FRIDAY_1600, 60)


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.floats(0, 10 * 86_400), st.floats(0, 10 * 86_400))
def test_working_time_adds_up(start, first, second):
    """Waiting twice is waiting for the sum; no wait ends before its seconds have passed."""
    whole = OFFICE.after(start, first + second)
    apart = OFFICE.after(OFFICE.after(start, first), second)
    assert abs(whole - apart) < timedelta(seconds=0.001) or not OFFICE.working(min(whole, apart))
    assert whole - start >= timedelta(seconds=first + second) - timedelta(milliseconds=1)


def test_holidays_alone_stop_the_clock_for_their_day():
    calendar = Calendar("open", holidays=(Holiday(date(2026, 3, 6), "a day off"),))
    assert not calendar.working(FRIDAY_1600)
    assert calendar.working(FRIDAY_1600 + timedelta(days=1))
    assert calendar.after(FRIDAY_1600, 3600) == datetime(2026, 3, 7, 1, 0, tzinfo=UTC)


def test_working_hours_hold_from_their_first_moment_to_just_before_their_end():
    opens, closes = datetime(2026, 3, 6, 8, 0, tzinfo=UTC), datetime(2026, 3, 6, 16, 0, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    held = [OFFICE.working(at) for at in (opens - moment, opens, closes - moment, closes)]
    assert held == [False, True, True, False]
