"""What the guard makes of what it cannot see: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from belay.domain import commands as c
from belay.domain.state import BlindState, State
from belay.guard.judge import Problem, reports

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def dark(*sources: str) -> State:
    return State(
        blind={s: BlindState(s, "all" if s == "guard" else s, "it is old", NOW, NOW) for s in sources}
    )


def problem(source: str, hours: float = 1.0) -> Problem:
    return Problem(source, source, f"dark for {hours} hours", NOW - timedelta(hours=hours))


def test_of_two_problems_of_one_source_the_one_that_hides_it_longest_counts() -> None:
    both = [problem("capability:wording", 5), problem("capability:wording", 2)]
    for problems in (both, both[::-1]):
        (told,) = reports(State(), problems)
        assert isinstance(told, c.ReportBlind)
        assert told.since == NOW - timedelta(hours=5)


def test_what_is_dark_already_is_not_told_again_and_what_is_not_is_seen_again() -> None:
    told = reports(dark("surface:checkout", "surface:search"), [problem("surface:checkout")])
    assert told == [c.ReportSighted("surface:search", "it can be read again")]


def test_nothing_is_seen_again_while_the_warehouse_is_away_but_that_a_guard_looks() -> None:
    told = reports(dark("surface:checkout", "guard"), [problem("warehouse")])
    assert [type(each) for each in told] == [c.ReportBlind, c.ReportSighted]
    assert [each.source for each in told] == ["warehouse", "guard"]
