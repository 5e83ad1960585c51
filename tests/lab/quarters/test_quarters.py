"""Agents of known skill through simulated quarters: the rules tell them apart, and can be made to fail."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.oracle import Oracle

from belay.domain.capability import CapabilityPolicy
from belay.domain.stages import Stage
from belay_lab.quarters.agents import KINDS
from belay_lab.quarters.people import People
from belay_lab.quarters.policy import TRAFFIC, busy_policy
from belay_lab.quarters.run import Course, Quarters
from belay_lab.quarters.survey import QUARTER, expectations, of_skill, summary, survey

CAPABILITIES = Path(__file__).parents[3] / "include" / "capabilities"
Run = Callable[..., tuple[Quarters, Course]]


@pytest.fixture(scope="module")
def policy() -> CapabilityPolicy:
    return busy_policy(CAPABILITIES)


@pytest.fixture(scope="module")
def run(policy: CapabilityPolicy) -> Run:
    """Run one course, once a kind, seed and policy."""
    known: dict[tuple[str, int, str], tuple[Quarters, Course]] = {}

    def course(
        kind: str, seed: int = 0, rules: CapabilityPolicy = policy, days: int = 2 * QUARTER
    ) -> tuple[Quarters, Course]:
        key = (kind, seed, rules.digest)
        if key not in known:
            quarters = Quarters(KINDS[kind], seed, rules, TRAFFIC, People())
            known[key] = quarters, quarters.run(days)
        return known[key]

    return course


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_course_breaks_an_invariant(run: Run, policy: CapabilityPolicy, kind: str) -> None:
    """The oracle of the invariants reads every event, and calls no rule itself."""
    quarters, course = run(kind)
    oracle = Oracle(policy.ramp.steps, policy.free_scope)
    for recorded in quarters.world.history:
        oracle.read(recorded)
    ladder = [stage.rank for stage in course.stages]
    assert all(after - before <= 1 for before, after in itertools.pairwise(ladder)), "I1"
    assert course.stages[-1] == oracle.stages[policy.id]


def test_the_same_seed_is_the_same_course(run: Run, policy: CapabilityPolicy) -> None:
    quarters, course = run("drifting")
    again = Quarters(KINDS["drifting"], 0, policy, TRAFFIC, People())
    assert again.run(len(course.stages)) == course
    assert again.world.history == quarters.world.history


def test_a_helpful_agent_climbs_and_keeps_climbing(run: Run) -> None:
    _, course = run("helpful")
    assert course.highest.rank >= Stage.BOUNDED.rank
    assert course.completed > 10


def test_people_take_what_is_theirs(run: Run) -> None:
    _, course = run("human-only")
    assert course.highest is Stage.SUGGEST
    assert course.completed > 10, "it works, and still goes no further"


def test_a_local_gain_that_costs_the_whole_stays_supervised(run: Run, policy: CapabilityPolicy) -> None:
    """It is the holdout that tells: without that criterion the same agent goes on."""
    _, course = run("locally-good")
    assert course.highest is Stage.SUPERVISED
    blind = replace(policy.autonomy.criteria[Stage.SUPERVISED], oec_margin=None)
    criteria = {**policy.autonomy.criteria, Stage.SUPERVISED: blind}
    unwatched = replace(policy, autonomy=replace(policy.autonomy, criteria=criteria), digest="no-oec")
    _, without = run("locally-good", rules=unwatched)
    assert without.highest.rank > Stage.SUPERVISED.rank


def test_drift_costs_stages_at_once(run: Run, policy: CapabilityPolicy) -> None:
    _, course = run("drifting")
    turned = KINDS["drifting"].turns_on
    assert course.stages[turned].rank >= Stage.SUPERVISED.rank
    assert min(day for day, rule in course.demotions if rule == "harm-rate") - turned < 30
    lenient = replace(policy.autonomy, demotion=replace(policy.autonomy.demotion, harm_rate=1.0))
    _, kept = run("drifting", rules=replace(policy, autonomy=lenient, digest="no-demotion"))
    assert all(rule != "harm-rate" for _, rule in kept.demotions)


def test_what_does_nothing_earns_nothing(run: Run) -> None:
    for kind in ("useless", "spamming"):
        _, course = run(kind)
        assert course.highest.rank <= Stage.SUPERVISED.rank


def test_the_survey_says_what_held(policy: CapabilityPolicy) -> None:
    kinds = [KINDS["human-only"], KINDS["useless"]]
    courses = list(survey(kinds, 2, policy, days=40, workers=1))
    assert [(course.kind, course.seed) for course in courses] == [
        ("human-only", 0),
        ("human-only", 1),
        ("useless", 0),
        ("useless", 1),
    ]
    found = expectations(courses, policy)
    assert [one.held for one in found] == [True, True]
    assert "human-only: never passes suggest in 100.0 % of 2 (at least 100 %): held" in map(str, found)
    assert [row["courses"] for row in summary(courses)] == [2, 2]
    helpful = expectations(list(survey([KINDS["helpful"]], 1, policy, days=10, workers=1)), policy)
    assert not helpful[0].held, "ten days are not enough, and it says so"


def test_the_pictures(policy: CapabilityPolicy) -> None:
    from belay.review.charts import to_svg
    from belay_lab.quarters.picture import course_chart, skill_chart

    skills = (-0.05, 0.05)
    courses = list(survey(of_skill(skills), 2, policy, days=30, workers=1))
    assert "suggest" in to_svg(skill_chart(courses, skills))
    assert "skill +5.0 %" in to_svg(course_chart(courses))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_quarters_of_each_kind(policy: CapabilityPolicy) -> None:
    """The acceptance: 70 courses of three quarters, as `belay scenarios --seeds 70` runs them."""
    courses = list(survey(list(KINDS.values()), 70, policy, workers=2))
    assert len(courses) == 70 * len(KINDS)
    for one in expectations(courses, policy):
        assert one.held, str(one)
