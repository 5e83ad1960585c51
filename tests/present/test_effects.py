"""One line a metric: raw signs, the end of the interval where harm is, and what needs thought."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.figures import signed_percent
from belay.present.effects import effect_lines, thoughts

SUPPORT = {
    "title": "Support requests",
    "role": "guardrail",
    "direction": "decrease",
    "effect": -0.076,
    "low": -0.298,
    "high": 0.146,
    "margin": 1.0,
    "finding": "harmless",
}
CONVERSION = {
    "title": "Conversion",
    "role": "primary",
    "direction": "increase",
    "effect": 0.08,
    "low": 0.02,
    "high": 0.14,
    "margin": 0.2,
    "finding": "harmless",
}


def said(*lines):
    return [f"{line.mark} {line.title}: {line.figures}" for line in effect_lines({"metrics": list(lines)})]


def test_a_metric_is_one_line_with_the_sign_that_people_know():
    assert said(SUPPORT, CONVERSION) == [
        "✅ Support requests: most likely −7.6 %, at worst +14.6 %, allowed +100 %",
        "✅ Conversion: most likely +8.0 %, at worst +2.0 %, allowed −20 %",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"effect": None, "finding": "unknown"}, "❔ Conversion: unknown"),
        ({"low": None}, "✅ Conversion: most likely +8.0 %, at worst not known, allowed −20 %"),
        ({"margin": None}, "✅ Conversion: most likely +8.0 %, at worst +2.0 %"),
        ({"margin": 0.125}, "✅ Conversion: most likely +8.0 %, at worst +2.0 %, allowed −12.5 %"),
        ({"finding": "harmful"}, "❌ Conversion: most likely +8.0 %, at worst +2.0 %, allowed −20 %"),
    ],
)
def test_what_is_not_known_is_said_to_be_unknown(changes, words):
    assert said(CONVERSION | changes) == [words]


def test_several_arms_are_told_apart():
    arms = [CONVERSION | {"arm": arm} for arm in ("calm", "urgent")]
    assert [line.title for line in effect_lines({"metrics": arms})] == [
        "Conversion (calm)",
        "Conversion (urgent)",
    ]


@given(low=st.floats(-0.9, 5), width=st.floats(0, 5), direction=st.sampled_from(["increase", "decrease"]))
def test_the_worst_end_is_the_one_on_the_side_of_harm(low, width, direction):
    line = CONVERSION | {"direction": direction, "effect": low + width / 2, "low": low, "high": low + width}
    (shown,) = effect_lines({"metrics": [line]})
    worst = low if direction == "increase" else low + width
    assert shown.worst == signed_percent(worst)
    assert shown.allowed == ("−20 %" if direction == "increase" else "+20 %")


def test_what_needs_thought_is_named_once_a_metric():
    near = CONVERSION | {"effect": 0.0, "low": -0.16, "high": 0.16}
    doubtful = SUPPORT | {"high": 1.4, "finding": "unknown"}
    predicted = {
        "prediction": {"effect": 0.08, "low": 0.02, "high": 0.14},
        "found": {"effect": 0.0, "low": -0.16, "high": 0.16},
    }
    assert thoughts({"metrics": [near, doubtful], "predicted": predicted}) == (
        "Support requests is not shown to be safe yet: at worst 1.4 times what is allowed",
        "Conversion comes close to its limit: at worst 80 % of what is allowed",
        "Conversion is known only roughly: −16.0 % to +16.0 %",
        "The agent predicted +8.0 % (+2.0 % to +14.0 %); found was +0.0 %, less than predicted",
    )
    assert thoughts({"metrics": [CONVERSION]}) == ()
    assert thoughts({}) == ()
