"""The portfolio: a hundred ideas a month do not ship five false winners."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import NormalDist, mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.portfolio import HORIZON, Decision, find, next_level, standing


def stream(results: list[bool], *, fdr: float, alpha: float = 1.0, lag: int = 0) -> list[Decision]:
    """Decide in turn; each result is known ``lag`` decisions later."""
    found: list[Decision] = []
    for position in range(len(results)):
        for begun in range(max(position - lag, 0)):
            if results[begun] and found[begun].shown_at is None:
                found[begun] = replace(found[begun], shown_at=position)
        found.append(Decision(f"idea-{position}", 2, next_level(found, fdr=fdr, alpha=alpha)))
    for begun, shown in enumerate(results):
        if shown and found[begun].shown_at is None:
            found[begun] = replace(found[begun], shown_at=len(results))
    return found


def test_the_first_decisions_have_a_usable_level() -> None:
    assert next_level([], fdr=0.2) == pytest.approx(0.0438, abs=1e-4)
    assert next_level(stream([False] * 9, fdr=0.2), fdr=0.2) > 0.001


def test_winners_earn_and_losers_spend() -> None:
    barren = next_level(stream([False] * 30, fdr=0.1), fdr=0.1)
    fertile = next_level(stream([False] * 29 + [True], fdr=0.1), fdr=0.1)
    assert barren < 0.001
    assert fertile > 10 * barren


@given(st.lists(st.booleans(), max_size=60), st.floats(0.01, 0.3), st.integers(0, 5))
def test_no_more_is_ever_spent_than_was_earned(results: list[bool], fdr: float, lag: int) -> None:
    """What LORD++ holds: the levels spent, an estimate of the false winners, stay below fdr × winners."""
    found = stream(results, fdr=fdr, lag=lag)
    for now in range(1, len(found) + 1):
        known = sum(d.shown_at is not None and d.shown_at < now for d in found)
        assert sum(d.level for d in found[:now]) <= fdr * max(known, 1) + 1e-12
    assert all(d.level > 0 for d in found)


@given(st.lists(st.booleans(), max_size=40), st.floats(0.01, 0.1))
def test_no_decision_gets_more_than_alpha(results: list[bool], alpha: float) -> None:
    assert all(d.level <= alpha for d in stream(results, fdr=0.5, alpha=alpha))


def test_a_lowered_bound_binds_what_was_spent_before() -> None:
    spent = stream([False] * 20, fdr=0.2)
    assert next_level(spent, fdr=0.02) == 0.0
    assert next_level(spent, fdr=0.2) > 0


def test_after_the_horizon_everything_is_spent() -> None:
    barren = [Decision("idea", phase, 0.0) for phase in range(HORIZON)]
    assert next_level(barren, fdr=0.2) == 0.0


def months(fdr: float, useful: float, streams: int = 200, ideas: int = 100) -> tuple[float, float, float]:
    """Return the share of false winners (mean), winners that are false (mean count), and winners found."""
    draw, tail = random.Random(41), NormalDist()
    false_share, false_count, found = [], [], []
    for _ in range(streams):
        truth = [draw.random() < useful for _ in range(ideas)]
        decisions: list[Decision] = []
        for good in truth:
            level = next_level(decisions, fdr=fdr, alpha=0.05)
            p = 1 - tail.cdf(draw.gauss(0, 1) + 4.0 * good)
            at = len(decisions) + 1 if p <= level else None
            decisions.append(Decision("idea", len(decisions), level, at))
        won = [d.shown_at is not None for d in decisions]
        wrong = sum(w and not g for w, g in zip(won, truth, strict=True))
        false_share.append(wrong / max(sum(won), 1))
        false_count.append(wrong)
        found.append(sum(w and g for w, g in zip(won, truth, strict=True)) / max(sum(truth), 1))
    return mean(false_share), mean(false_count), mean(found)


def test_a_hundred_ideas_a_month_that_do_nothing() -> None:
    share, count, _ = months(fdr=0.2, useful=0.0)
    assert share <= 0.2  # with nothing to find, a month has any winner at all with this probability
    assert count <= 0.3  # five, if each were tested at 5 %


def test_a_hundred_ideas_a_month_of_which_some_are_good() -> None:
    for useful in (0.1, 0.5):
        share, _, found = months(fdr=0.2, useful=useful, streams=60)
        assert share <= 0.2
        assert found > 0.6


def test_the_standing_says_what_is_spent_and_left() -> None:
    decisions = stream([True, False, False], fdr=0.2, alpha=0.05)
    found = standing(decisions, 2, fdr=0.2)
    assert (found.number, found.winners, found.earned) == (3, 1, 0.2)
    assert found.spent + found.left == pytest.approx(0.2)
    assert found.sentence.startswith("Decision 3 of this capability is tested at ")
    assert "spent on 3 decisions (1 shown better)" in found.sentence
    assert find(decisions, "idea-2", 2) == 2
    assert find(decisions, "idea-2", 3) is None


@pytest.mark.parametrize("fdr", [0.0, 1.0, -0.1])
def test_a_bound_that_is_no_rate_is_refused(fdr: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        next_level([], fdr=fdr)


def test_a_lowered_promise_is_kept_by_what_comes_before_the_first_winner():
    spent = [Decision("opt-1", 1, 0.08)]
    assert next_level(spent, fdr=0.1) == 0
    assert next_level(spent, fdr=0.2) > 0
