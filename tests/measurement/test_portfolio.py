"""The portfolio: a hundred ideas do not ship five false winners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from belay.measurement.portfolio import levels, next_level


def test_the_first_proposals_have_a_usable_level() -> None:
    first = next_level([], fdr=0.1)
    assert first.number == 1
    assert 0.02 < first.level < 0.03
    assert (first.spent, first.winners) == (0.0, 0)
    assert first.left == first.earned == pytest.approx(0.05)
    assert "Proposal 1 of this capability is tested at" in first.sentence


def test_winners_earn_and_losers_spend() -> None:
    barren = next_level([False] * 30, fdr=0.1)
    fertile = next_level([False] * 29 + [True], fdr=0.1)
    assert barren.level < 0.001
    assert fertile.level > 10 * barren.level
    assert fertile.left > barren.left > 0


@given(st.lists(st.booleans(), max_size=60), st.floats(0.01, 0.3))
def test_no_more_is_ever_spent_than_was_earned(results: list[bool], fdr: float) -> None:
    found = levels(results, fdr=fdr)
    assert len(found) == len(results) + 1
    for now in range(1, len(found) + 1):
        winners = sum(results[: now - 1])
        # What LORD++ holds: the levels spent estimate the false winners.
        assert found[:now].sum() <= fdr * max(winners, 1) + 1e-12
    assert (found > 0).all()


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_the_past_is_never_rewritten(results: list[bool]) -> None:
    np.testing.assert_allclose(levels(results, fdr=0.1)[:-1], levels(results[:-1], fdr=0.1))


def test_false_winners_stay_below_the_bound() -> None:
    rng, streams, ideas, fdr = np.random.default_rng(41), 300, 100, 0.1
    false_share, naive_share, found = [], [], []
    for _ in range(streams):
        useful = rng.random(ideas) < 0.1
        p = norm.sf(rng.standard_normal(ideas) + 4.0 * useful)
        shown: list[bool] = []
        for one in p:
            shown.append(bool(one <= levels(shown, fdr=fdr)[-1]))
        winners = np.array(shown)
        false_share.append((winners & ~useful).sum() / max(winners.sum(), 1))
        naive = p <= 0.05
        naive_share.append((naive & ~useful).sum() / max(naive.sum(), 1))
        found.append((winners & useful).sum() / max(useful.sum(), 1))
    assert np.mean(false_share) <= fdr
    assert np.mean(naive_share) > 0.25
    assert np.mean(found) > 0.5


@pytest.mark.parametrize("fdr", [0.0, 1.0, -0.1])
def test_a_bound_that_is_no_rate_is_refused(fdr: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        levels([], fdr=fdr)
