"""Criteria, leases and demotion rules: what a file may say, and what is wrong with it."""

import pytest

from belay.domain.autonomy import DEFAULT_CRITERIA, DEFAULT_LEASES, AutonomyRule
from belay.domain.stages import Stage


def add(folder, name, text):
    folder.write(name, (folder.path / f"{name}.yaml").read_text() + text)


def rule(folder):
    assert folder.errors() == []
    return folder.load().capabilities["example"].autonomy


def test_what_is_shipped_is_what_belay_goes_by_without_it(folder):
    shipped = rule(folder)
    assert shipped.criteria == DEFAULT_CRITERIA
    assert shipped.leases == DEFAULT_LEASES
    assert (shipped.confidence, shipped.demotion) == (AutonomyRule().confidence, AutonomyRule().demotion)
    assert shipped.holdout == 500
    assert (shipped.roles, shipped.quorum) == (("cx_owner", "risk_owner"), 2)


def test_a_folder_that_says_nothing_gets_the_same(folder):
    for name, marker in (("_ladder", "\n# What the record"), ("_defaults", "\nautonomy:")):
        text = (folder.path / f"{name}.yaml").read_text()
        folder.write(name, text[: text.index(marker)])
    quiet = rule(folder)
    assert quiet.criteria == DEFAULT_CRITERIA
    assert quiet.roles == (), "the roles that answer for a step answer for a promotion"


def test_a_capability_asks_for_more(folder):
    add(
        folder,
        "example",
        "promotion: {suggest: {completed: 9, calibration: 1.5}}\nautonomy: {holdout: 500}\n",
    )
    asked = rule(folder)
    suggest = asked.criteria[Stage.SUGGEST]
    assert (suggest.completed, suggest.calibration, suggest.harm_rate) == (9, 1.5, 0.45)
    assert asked.holdout == 500
    assert asked.leases == DEFAULT_LEASES, "the rest stays as the defaults say"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("promotion: {suggest: {completed: 2}}", "completed is looser than _ladder.yaml, which asks for 5"),
        ("promotion: {suggest: {harm_rate: 0.9}}", "write 0.45 or less"),
        ("promotion: {autonomous: {completed: 2}}", "nothing is above autonomous"),
        ("promotion: {suggest: {complete: 9}}", "did you mean 'completed'"),
        ("autonomy: {leases: {observe: 9d}}", "observe cannot lapse"),
        ("autonomy: {leases: {bounded: 9d}}", "due for renewal from its first day"),
        ("autonomy: {holdout: 9000}", "it must be ≤ 5000"),
        ("autonomy: {half_life: soon}", "this is not a duration"),
        ("autonomy: {confidence: 1.5}", "it must be < 1"),
        ("autonomy: {roles: [cx_owner, poet]}", "role 'poet' is not in _people.yaml"),
        ("autonomy: {quorum: 9}", "the quorum cannot be reached"),
        ("autonomy: {demotion: {harm_rat: 1}}", "did you mean 'harm_rate'"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(folder, text, said):
    add(folder, "example", text + "\n")
    error = folder.error()
    assert said in error
    assert error.startswith(f"example.yaml:{folder.line_of('example', text)}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  observe:    {days: 7,  judged: 10, agreement: 0.5}\n", "", "does not say what observe must show"),
        ("{days: 7,  judged: 10, agreement: 0.5}", "{}", "observe is left without showing anything"),
        ("{days: 7,  judged: 10", "{days: 7,  judged: -1", "it must be ≥ 0"),
    ],
)
def test_a_ladder_with_a_missing_rung(folder, old, new, said):
    folder.edit("_ladder", old, new)
    assert said in folder.error()
    assert folder.load().capabilities == {}
