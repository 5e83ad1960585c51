"""A moment that people type, such as "friday", means what they say in their own time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from belay.oversight.until import until

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
"""11:00 in Berlin."""


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("3d", datetime(2026, 11, 26, 10, 0, tzinfo=UTC)),
        ("12 hours", datetime(2026, 11, 23, 22, 0, tzinfo=UTC)),
        ("2w", datetime(2026, 12, 7, 10, 0, tzinfo=UTC)),
        ("until Friday", datetime(2026, 11, 27, 23, 0, tzinfo=UTC)),
        ("fri", datetime(2026, 11, 27, 23, 0, tzinfo=UTC)),
        ("monday", datetime(2026, 11, 23, 23, 0, tzinfo=UTC)),
        ("today", datetime(2026, 11, 23, 23, 0, tzinfo=UTC)),
        ("tomorrow", datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 12, 1, 23, 0, tzinfo=UTC)),
        ("18:00", datetime(2026, 11, 23, 17, 0, tzinfo=UTC)),
        ("9:30", datetime(2026, 11, 23, 8, 30, tzinfo=UTC)),
        ("2026-12-01T18:00", datetime(2026, 12, 1, 17, 0, tzinfo=UTC)),
        ("2026-12-01T18:00+00:00", datetime(2026, 12, 1, 18, 0, tzinfo=UTC)),
    ],
)
def test_what_people_say(said, means):
    assert until(said, MONDAY, BERLIN) == means


def test_a_day_ends_at_its_own_midnight_when_the_clocks_change():
    saturday = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    assert until("sunday", saturday, BERLIN) == datetime(2026, 10, 25, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize("said", ["", "soon", "0d", "25:00", "2026-13-01", "fr", "-3d", "99999d"])
def test_what_means_nothing(said):
    with pytest.raises(ValueError, match="is no time: say friday"):
        until(said, MONDAY, BERLIN)
