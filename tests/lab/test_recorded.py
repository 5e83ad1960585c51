"""Recorded experiments: nothing is lost on the way into a lake, and what is missing is said."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from belay_lab import recorded
from belay_lab.recorded import (
    CAMPAIGNS,
    HeadlineTest,
    NoRecordingError,
    Recording,
    headline_tests,
    open_bandit,
    upworthy,
)

PUBLISHED = {"all": (38, 42), "men": (46, 69), "women": (46, 46)}
"""Clicks among 10,000 impressions of the random policy and of the recommender."""


def counted(recording: Recording) -> dict[str, tuple[int, int]]:
    """Return units and clicks of each arm."""
    shown: Counter[str] = Counter()
    clicked: Counter[str] = Counter()
    for part in recording.parts:
        arm = dict(zip(*(part.exposures[name].to_pylist() for name in ("unit_id", "variant")), strict=True))
        shown.update(arm.values())
        for unit, click in zip(
            part.outcomes["unit_id"].to_pylist(), part.outcomes["converted"].to_pylist(), strict=True
        ):
            clicked[arm[unit]] += click
    return {arm: (shown[arm], clicked[arm]) for arm in shown}


@pytest.mark.data
@pytest.mark.parametrize("campaign", CAMPAIGNS)
@pytest.mark.parametrize("source", ["package", "folder"])
def test_open_bandit_has_its_clicks_from_either_source(
    campaign: str, source: str, recorded_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source == "folder":
        monkeypatch.setattr(recorded, "find_spec", lambda _: None)
    elif find_spec("obp") is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("the demo's extra, which holds Open Bandit, is not installed: make venv")
    recording = open_bandit(campaign, recorded_data if source == "folder" else Path("/nowhere"))
    random, recommender = PUBLISHED[campaign]
    assert counted(recording) == {"control": (10_000, random), "recommender": (10_000, recommender)}
    assert (recording.start, recording.end) == (
        datetime(2019, 11, 24, tzinfo=UTC),
        datetime(2019, 12, 1, tzinfo=UTC),
    )
    assert recording.scope == 5000


def test_open_bandit_that_is_nowhere_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "find_spec", lambda _: None)
    with pytest.raises(NoRecordingError, match=r"requirements-demo\.txt"):
        open_bandit("men", tmp_path)


@pytest.mark.data
def test_upworthy_has_every_test_and_its_faulty_weeks(recorded_data: Path) -> None:
    tests = headline_tests(recorded_data)
    assert len(tests) == 4873
    assert sum(len(test.impressions) for test in tests) == 22_666
    assert sum(test.in_faulty_weeks for test in tests) == 1058
    begins = [upworthy(test).start for test in (tests[0], next(t for t in tests if t.week % 100 == 0))]
    assert all(moment.weekday() == 0 for moment in begins)


def test_upworthy_that_is_nowhere_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NoRecordingError, match="set BELAY_DATA"):
        headline_tests(tmp_path)


@pytest.mark.parametrize(
    ("week", "monday"),
    [
        (201325, datetime(2013, 6, 24, tzinfo=UTC)),  # the fault is dated 25 June 2013 …
        (201401, datetime(2014, 1, 6, tzinfo=UTC)),  # … to 10 January 2014
        (201400, datetime(2013, 12, 30, tzinfo=UTC)),
        (201517, datetime(2015, 4, 27, tzinfo=UTC)),
    ],
)
def test_weeks_begin_where_the_archive_says(week: int, monday: datetime) -> None:
    test = HeadlineTest("t" * 24, week, ("one", "two"), (20, 30), (0, 5))
    recording = upworthy(test)
    assert (recording.start, recording.end) == (monday, monday + timedelta(days=7))
    assert counted(recording) == {"control": (20, 0), "headline-1": (30, 5)}


def test_parts_come_in_order_and_hold_only_what_has_happened() -> None:
    recording = upworthy(HeadlineTest("t" * 24, 201325, ("a", "b", "c"), (500, 400, 300), (9, 1, 300)))
    assert counted(recording) == {"control": (500, 9), "headline-1": (400, 1), "headline-2": (300, 300)}
    assert recording.scope == 6667
    ends = [part.until for part in recording.parts]
    assert ends == [recording.start + i * timedelta(hours=12) for i in range(1, 15)]
    for part in recording.parts:
        times = [moment.replace(tzinfo=UTC) for moment in part.exposures["event_time"].to_pylist()]
        assert part.until - timedelta(hours=12) <= min(times) <= max(times) < part.until
