"""Replays: recorded experiments end at the gate, and with the verdict, that their data call for."""

from __future__ import annotations

from pathlib import Path

import pytest

from belay.domain.gates import Gate, Verdict
from belay.domain.state import Status
from belay.ledger.store import Ledger
from belay.ledger.verify import verify
from belay_lab.recorded import HeadlineTest, headline_tests, open_bandit, upworthy
from belay_lab.replay import Walk, replay

pytestmark = pytest.mark.slow


def ledger_of(home: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{home / 'ledger.db'}")


def ended(walk: Walk) -> tuple[Gate, Verdict]:
    return walk.last.gate, walk.last.verdict


def made_up(impressions: tuple[int, ...], clicks: tuple[int, ...]) -> HeadlineTest:
    return HeadlineTest("t" * 24, 201410, tuple("abc"[: len(clicks)]), impressions, clicks)


def test_a_better_headline_passes_every_gate(tmp_path: Path) -> None:
    walk = replay(upworthy(made_up((5000, 5000), (50, 150))), tmp_path)
    gates = [(outcome.step, outcome.gate) for outcome in walk.outcomes]
    before = [Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW]
    assert gates == [(1, g) for g in (*before, Gate.APPROVAL)] + [(2, g) for g in before]
    assert ended(walk) == (Gate.REVIEW, Verdict.PASS)
    # Three times the clicks are certain before the week is over, by a rule that keeps its error.
    assert walk.outcomes[-2].sentence.startswith("decided early, after 5")
    assert "7,856 people, 3,928 of whom saw it" in walk.sentence
    ledger = ledger_of(tmp_path)
    assert verify(ledger).ok
    known = ledger.state().optimizations["headline-tttttttttttt"]
    assert (known.scope, [phase.scope for phase in known.phases]) == (5000, [5000])


def test_a_worse_headline_is_taken_down_before_its_week_is_over(tmp_path: Path) -> None:
    walk = replay(upworthy(made_up((5000, 5000), (250, 50))), tmp_path)
    assert ended(walk) == (Gate.WINDOW, Verdict.FAIL)
    assert walk.looks < 13
    known = ledger_of(tmp_path).state().optimizations["headline-tttttttttttt"]
    assert (known.status, known.scope) == (Status.HELD, 0), "harm so far, on days too few to charge it"
    assert known.results.cautioned_at is not None
    assert known.results.harmed_at is None


def test_a_broken_split_is_stopped_by_the_quality_gate(tmp_path: Path) -> None:
    walk = replay(upworthy(made_up((9000, 6000, 6000), (90, 60, 60))), tmp_path)
    assert ended(walk) == (Gate.QUALITY, Verdict.FAIL)
    assert "control" in walk.sentence
    assert walk.looks == 0


@pytest.mark.data
@pytest.mark.parametrize(
    ("campaign", "verdict", "said"),
    [
        ("all", Verdict.HOLD, "not shown better than control"),
        ("men", Verdict.PASS, "shown better than control"),
        ("women", Verdict.HOLD, "not shown better than control"),
    ],
)
def test_open_bandit_widens_where_the_recommender_is_better(
    campaign: str, verdict: Verdict, said: str, recorded_data: Path, tmp_path: Path
) -> None:
    walk = replay(open_bandit(campaign, recorded_data), tmp_path)
    assert ended(walk) == (Gate.REVIEW, verdict)
    assert said in walk.sentence
    assert "20,000 people, 10,000 of whom saw it" in walk.sentence
    ledger = ledger_of(tmp_path)
    assert verify(ledger).ok
    assert walk.last.evidence is not None
    portfolio = ledger.get_evidence(walk.last.evidence)["portfolio"]
    assert (portfolio["number"], round(portfolio["level"], 4)) == (1, 0.0439)


@pytest.mark.data
def test_upworthys_published_fault_is_seen(recorded_data: Path, tmp_path: Path) -> None:
    test = next(t for t in headline_tests(recorded_data) if t.id == "51d1e3934a5d3ff28b0001b0")
    assert test.in_faulty_weeks
    assert ended(replay(upworthy(test), tmp_path)) == (Gate.QUALITY, Verdict.FAIL)
