"""The verdict: harm first, then doubt, then what was shown. Unknown never widens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.review.conftest import GOOD, proposal_document

from belay.domain.capability import CapabilityPolicy
from belay.domain.digest import canonical_json
from belay.domain.gates import ReviewVerdict
from belay.domain.metrics import PrimaryRule
from belay.gates.intake import parse_proposal
from belay.review.verdict import Review, judge_before_exposure

Judge = Callable[..., Review]


def without_arm(arm: int) -> Callable[[Any], Any]:
    """Take nine in ten units of an arm away: the split is not the one asked for."""

    def edit(cells: Any) -> Any:
        units = cells.units.copy()
        units[..., arm] = np.floor(units[..., arm] / 10)
        return replace(cells, units=units)

    return edit


def worse_in_second(cells: Any) -> Any:
    """Make the second treatment's conversion fall close to its margin: neither harmless nor harmful."""
    metric = cells.metrics["conversion"]
    mean, scatter = metric.mean.copy(), metric.scatter.copy()
    mean[:, :, 2] *= 0.685
    return replace(
        cells, metrics={**cells.metrics, "conversion": replace(metric, mean=mean, scatter=scatter)}
    )


def test_a_good_change_widens_and_says_for_whom(reviewed: Judge) -> None:
    review = reviewed(GOOD)
    assert review.verdict is ReviewVerdict.WIDEN
    assert "all 3 guardrails stay within their margins" in review.sentence
    assert "Measured on 24,000 people, " in review.sentence
    assert review.document["next"].endswith("it widens to 100 %.")


def test_the_document_is_plain_json_and_holds_what_the_page_shows(reviewed: Judge) -> None:
    document = reviewed(GOOD).document
    again = json.loads(canonical_json(document))
    assert again == document
    assert {
        "metrics",
        "segments",
        "timeline",
        "split",
        "sample",
        "quality",
        "predicted",
        "plan",
        "policy",
    } <= set(document)
    assert sum(document["sample"].values()) == 24_000
    assert document["predicted"]["prediction"]["effect"] == 0.08
    assert {line["segment"] for line in document["metrics"]} == {None}
    assert {line["segment"] for line in document["segments"]} == {"device: desktop", "device: phone"}


def test_harm_to_a_guardrail_rolls_back(reviewed: Judge) -> None:
    review = reviewed({"conversion": 0.2, "page_errors": 1.0})
    assert review.verdict is ReviewVerdict.ROLL_BACK
    assert review.sentence.startswith("Harm: Page errors")


def test_harm_to_the_primary_metric_rolls_back(reviewed: Judge) -> None:
    assert reviewed({"conversion": -0.5}).verdict is ReviewVerdict.ROLL_BACK


def test_harm_in_one_segment_rolls_back(reviewed: Judge) -> None:
    review = reviewed(GOOD | {"page_errors": 2.0}, only="desktop")
    assert review.verdict is ReviewVerdict.ROLL_BACK
    assert any(line["finding"] == "harmful" for line in review.document["segments"])


def test_harm_rolls_back_even_when_the_data_are_in_doubt(reviewed: Judge) -> None:
    bad = {"verdict": "fail", "sentence": "rows are missing", "checks": []}
    assert reviewed({"conversion": -0.5}, quality=bad).verdict is ReviewVerdict.ROLL_BACK


@pytest.mark.parametrize(
    "quality", [None, {"verdict": "hold", "sentence": "late"}, {"verdict": "fail", "sentence": "late"}, {}]
)
def test_data_that_cannot_be_believed_hold(reviewed: Judge, quality: dict[str, Any] | None) -> None:
    review = reviewed(GOOD, quality=quality)
    assert review.verdict is ReviewVerdict.HOLD
    assert review.sentence.startswith("The data cannot be believed")


def test_a_split_that_was_not_asked_for_holds(reviewed: Judge) -> None:
    review = reviewed(GOOD, edit=without_arm(1))
    assert review.verdict is ReviewVerdict.HOLD
    assert review.sentence.startswith("The split cannot be believed")


def test_a_broken_split_does_not_stop_a_change_either(reviewed: Judge, policy: CapabilityPolicy) -> None:
    superior = replace(policy, primary=replace(policy.primary, rule=PrimaryRule.SUPERIOR, minimum_effect=0.3))
    review = reviewed({}, rule=superior, edit=without_arm(0), units=8000)
    assert review.verdict is ReviewVerdict.HOLD


def test_no_benefit_worth_having_stops(reviewed: Judge, policy: CapabilityPolicy) -> None:
    superior = replace(policy, primary=replace(policy.primary, rule=PrimaryRule.SUPERIOR, minimum_effect=0.3))
    review = reviewed({}, rule=superior, units=8000)
    assert review.verdict is ReviewVerdict.STOP
    assert review.sentence.startswith("No benefit worth having.")


def test_too_little_data_hold_and_say_so(reviewed: Judge) -> None:
    review = reviewed(GOOD, units=100)
    assert review.verdict is ReviewVerdict.HOLD
    assert review.sentence.startswith("Inconclusive after 600 people, ")
    assert "Too early" in review.sentence


def test_a_treatment_in_doubt_holds_the_other_back(reviewed: Judge) -> None:
    both = reviewed(GOOD, variants=("one", "two"), units=8000)
    assert both.verdict is ReviewVerdict.WIDEN
    held = reviewed(GOOD, variants=("one", "two"), units=8000, edit=worse_in_second)
    assert held.verdict is ReviewVerdict.HOLD
    assert "one passes and two does not: propose one alone" in held.sentence


def test_before_exposure_it_says_who_would_see_what(policy: CapabilityPolicy) -> None:
    review = judge_before_exposure(
        proposal=parse_proposal(proposal_document()),
        policy=policy,
        from_scope=0,
        to_scope=100,
        quality=None,
        admission={"plan": {"units_per_day": 12_345.0, "window_seconds": 259_200}},
    )
    assert review.verdict is ReviewVerdict.WIDEN
    assert "1 % of checkout (about 123 people a day)" in review.sentence
    assert "+8.0 % (+2.0 % to +14.0 %)" in review.sentence
    canonical_json(review.document)


def test_before_exposure_without_traffic_or_prediction(policy: CapabilityPolicy) -> None:
    review = judge_before_exposure(
        proposal=parse_proposal(proposal_document(prediction=None)),
        policy=policy,
        from_scope=0,
        to_scope=100,
        quality=None,
        admission=None,
    )
    assert "some people" in review.sentence
    assert "does not say by how much" in review.sentence
