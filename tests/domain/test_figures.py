"""Guards that one value reads the same wherever it is shown: effects, shares, durations."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from belay.domain.durations import seconds_of
from belay.domain.figures import duration, moment, short_percent, signed_percent, with_interval
from belay.measurement.words import interval
from belay.present.effects import effect_lines
from belay.quality.suites import _duration


@pytest.mark.parametrize(
    ("value", "reads"),
    [
        (0.031, "+3.1 %"),
        (-0.004, "−0.4 %"),
        (0.0, "+0.0 %"),
        (-0.0, "+0.0 %"),
        (0.0003, "+0.03 %"),
        (-0.0003, "−0.03 %"),
        (1e12, "over +1,000,000 %"),
        (-1e12, "below −1,000,000 %"),
        (math.inf, "unbounded"),
        (math.nan, "unbounded"),
    ],
)
def test_an_effect_reads_the_same_on_the_card_and_in_the_review(value, reads):
    metric = {"title": "Conversion", "effect": value, "low": value, "high": value}
    (line,) = effect_lines({"metrics": [metric]})
    assert signed_percent(value) == line.likely == line.worst == reads
    assert line.effect == with_interval(value, value, value) == f"{reads} ({interval(value, value)})"


@pytest.mark.parametrize(
    ("seconds", "reads"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (3_599, "1 hour"),
        (86_399, "1 day"),
        (40, "40 seconds"),
        (9_000, "2.5 hours"),
        (3 * 86_400, "3 days"),
    ],
)
def test_a_duration_is_never_sixty_minutes_or_1_seconds(seconds, reads):
    assert duration(timedelta(seconds=seconds)) == reads


@pytest.mark.parametrize("written", ["12h", "1.5h", "7d", "30m", "10s"])
def test_suites_and_policies_read_one_duration(written):
    assert _duration(written).total_seconds() == seconds_of(written)


@pytest.mark.parametrize("written", ["0h", "h", "-1d", "1w", "12 h", 12, "9" * 400 + "d"])
def test_suites_and_policies_refuse_the_same(written):
    for read in (_duration, seconds_of):
        with pytest.raises(ValueError, match="duration"):
            read(written)


def test_shares_and_moments():
    shares = {0.05: "5 %", 0.125: "12.5 %", 0.9999: "100 %", 1.0: "100 %", 12.0: "1,200 %"}
    assert {value: short_percent(value) for value in shares} == shares
    assert moment(datetime(2026, 12, 1, 9, 5, 30, tzinfo=UTC)) == "2026-12-01 09:05"
