"""Every criterion of a promotion at its limit: met at it, not beyond it, and unknown without data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import EASY, NOW, a_policy

from belay.domain.autonomy import Criteria
from belay.domain.capability_state import OecReading
from belay.domain.criteria import Standing, judge_record
from belay.domain.gates import Estimate
from belay.domain.record import Answers, Calibration, Containment, Record, Share
from belay.domain.stages import Stage

MET, NOT_MET, UNKNOWN = Standing.MET, Standing.NOT_MET, Standing.UNKNOWN
NOTHING = Share(0.0, 0.0, 0, None, None, None)
RECORD = Record(
    capability="wording",
    stage=Stage.SUGGEST,
    since=NOW,
    at=NOW,
    seq=1,
    days=14.0,
    proposed=0,
    held=0,
    live=0,
    widened=0,
    completed=5,
    rolled_back=0,
    stopped=0,
    vetoed=0,
    judged=10,
    harm=NOTHING,
    overrides=NOTHING,
    agreement=NOTHING,
    quality=NOTHING,
    calibration=None,
    containment=Containment(0, None, None),
    answers=Answers(0, 0, 0, 0, 0, None),
    claimed_lift=0.0,
    oec=None,
    open_requests=0,
    lease_until=None,
)


def standing(asks: Criteria, to_stage: Stage = Stage.SUPERVISED, **record: object) -> dict[str, Standing]:
    """Return how the criteria for ``to_stage`` stand by a record that is as above but for what is given."""
    policy = a_policy(autonomy=replace(EASY, criteria={Stage.SUGGEST: asks}))
    judged = judge_record(replace(RECORD, **record), policy, to_stage)
    return {one.name: one.standing for one in judged if one.name != "supervision"}


def share(rate: float, low: float, high: float) -> Share:
    return Share(rate * 10, 10.0, 10, rate, low, high)


@pytest.mark.parametrize(("seen", "met"), [(13.9, NOT_MET), (14.0, MET), (14.1, MET)])
def test_days(seen: float, met: Standing) -> None:
    assert standing(Criteria(days=14), days=seen) == {"days": met}


@pytest.mark.parametrize(("seen", "met"), [(4, NOT_MET), (5, MET), (6, MET)])
def test_completed(seen: int, met: Standing) -> None:
    assert standing(Criteria(completed=5), completed=seen) == {"completed": met}


@pytest.mark.parametrize(("seen", "met"), [(9, NOT_MET), (10, MET), (11, MET)])
def test_judged(seen: int, met: Standing) -> None:
    assert standing(Criteria(judged=10), judged=seen) == {"judged": met}


@pytest.mark.parametrize("name", ["harm", "override"])
@pytest.mark.parametrize(
    ("seen", "met"),
    [
        (NOTHING, UNKNOWN),
        (share(0.1, 0.0, 0.2), MET),
        (share(0.1, 0.0, 0.2001), UNKNOWN),
        (share(0.2, 0.1, 0.3), UNKNOWN),
        (share(0.2001, 0.1, 0.3), NOT_MET),
        (replace(share(0.1, 0.0, 0.1), high=None), UNKNOWN),
    ],
)
def test_a_rate_stays_below_its_limit_by_its_upper_bound(name: str, seen: Share, met: Standing) -> None:
    field = {"harm": "harm", "override": "overrides"}[name]
    assert standing(Criteria(**{f"{name}_rate": 0.2}), **{field: seen}) == {f"{name}_rate": met}


@pytest.mark.parametrize(
    ("seen", "met"),
    [
        (NOTHING, UNKNOWN),
        (share(0.9, 0.5, 1.0), MET),
        (share(0.9, 0.4999, 1.0), UNKNOWN),
        (share(0.5, 0.3, 1.0), UNKNOWN),
        (share(0.4999, 0.3, 1.0), NOT_MET),
        (replace(share(0.9, 0.9, 1.0), low=None), UNKNOWN),
    ],
)
def test_agreement_reaches_its_limit_by_its_lower_bound(seen: Share, met: Standing) -> None:
    assert standing(Criteria(agreement=0.5), agreement=seen) == {"agreement": met}


@pytest.mark.parametrize(("rate", "met"), [(None, UNKNOWN), (0.7999, NOT_MET), (0.8, MET), (0.81, MET)])
def test_data_quality(rate: float | None, met: Standing) -> None:
    seen = NOTHING if rate is None else share(rate, 0.0, 1.0)
    assert standing(Criteria(data_quality=0.8), quality=seen) == {"data_quality": met}


@pytest.mark.parametrize(("ratio", "met"), [(None, UNKNOWN), (1.9, MET), (2.0, MET), (2.0001, NOT_MET)])
def test_calibration(ratio: float | None, met: Standing) -> None:
    scored = None if ratio is None else Calibration(3, ratio, 1.0, ratio, 0.9)
    assert standing(Criteria(calibration=2.0), calibration=scored) == {"calibration": met}


@pytest.mark.parametrize(
    ("low", "high", "met"),
    [
        (-0.019, 0.05, MET),
        (-0.02, 0.05, MET),
        (-0.0201, 0.05, UNKNOWN),
        (-0.05, -0.02, UNKNOWN),
        (-0.05, -0.0201, NOT_MET),
    ],
)
def test_the_overall_criterion_loses_no_more_than_its_margin(low: float, high: float, met: Standing) -> None:
    reading = OecReading(Estimate((low + high) / 2, low, high), NOW, NOW, NOW, None)
    assert standing(Criteria(oec_margin=0.02), oec=reading) == {"oec": met}
    assert standing(Criteria(oec_margin=0.02)) == {"oec": UNKNOWN}


def test_what_is_not_asked_is_not_judged() -> None:
    assert standing(Criteria()) == {}
    zero = Criteria(
        harm_rate=0.0, override_rate=0.0, agreement=0.0, data_quality=0.0, calibration=0.0, oec_margin=0.0
    )
    assert len(standing(zero)) == 6, "a limit of nothing is a limit"


def test_keeping_a_stage_asks_for_no_days_and_no_judgements_and_for_agreement_where_people_answered() -> None:
    asks = Criteria(days=99, completed=5, judged=99, agreement=0.5)
    policy = a_policy(autonomy=replace(EASY, criteria={Stage.SUGGEST: asks}))

    def kept(**record: object) -> dict[str, Standing]:
        judged = judge_record(replace(RECORD, stage=Stage.SUPERVISED, **record), policy, Stage.SUPERVISED)
        return {one.name: one.standing for one in judged}

    assert kept() == {"completed": MET, "supervision": MET}
    answered = kept(agreement=share(0.4, 0.1, 0.6))
    assert answered == {"completed": MET, "agreement": NOT_MET, "supervision": MET}


@pytest.mark.parametrize(
    ("waiting", "asked", "expired", "met"),
    [
        (0, 0, 0, MET),
        (4, 0, 0, MET),
        (5, 0, 0, NOT_MET),
        (0, 4, 1, MET),
        (0, 100, 26, NOT_MET),
        (0, 1, 1, NOT_MET),
        (5, 1, 1, NOT_MET),
    ],
)
def test_supervision_is_healthy(waiting: int, asked: int, expired: int, met: Standing) -> None:
    policy = a_policy()
    assert (policy.limits.max_open_requests, policy.autonomy.max_expired) == (5, 0.25)
    answers = Answers(asked, asked - expired, expired, 0, 0, None)
    record = replace(RECORD, open_requests=waiting, answers=answers)
    *_, supervision = judge_record(record, policy, Stage.SUPERVISED)
    assert (supervision.name, supervision.standing) == ("supervision", met)


def test_a_stage_without_criteria_has_none() -> None:
    policy = a_policy(autonomy=replace(EASY, criteria={}))
    assert judge_record(RECORD, policy, Stage.SUPERVISED) == ()
    assert judge_record(RECORD, a_policy(), Stage.OBSERVE) == (), "nothing is below the lowest"
