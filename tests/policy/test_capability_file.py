"""Every mistake in a capability file is refused with file, line, the value and what would be right."""

import pytest

from belay.domain.capability import ShadowRule
from belay.domain.metrics import PrimaryRule
from belay.domain.oversight import Oversight, StepKind
from belay.domain.stages import Stage


def test_ten_lines_make_a_capability(folder):
    policy = folder.load().capabilities["example"]
    assert len((folder.path / "example.yaml").read_text().splitlines()) == 10
    assert policy.primary.metric.id == "conversion"
    assert [(guardrail.metric.id, guardrail.margin) for guardrail in policy.guardrails] == [
        ("revenue_per_visitor", 0.25),
        ("support_tickets", 1.0),
    ]
    assert policy.ramp.steps == (100, 500, 2500, 10000)
    assert policy.window.minimum_seconds == 3 * 86_400
    assert policy.ceiling is Stage.AUTONOMOUS
    assert policy.exposure_filters["is_bot"] == "false"


# What is changed in the file; where the error is; what it must say.
MISTAKES = [
    ("title: Ch", "titel: Ch", "titel", "unknown key 'titel'; did you mean 'title'?"),
    ("minimum_effect: 0.1", "minimum_efect: 0.1", "primary.minimum_efect", "did you mean 'minimum_effect'?"),
    ("owner: carla", "owner: karla", "owner", "nobody called 'karla' is in _people.yaml (found 'karla')"),
    ("owner: carla\n", "", "", "'owner' is missing; write owner:"),
    ("owner: carla", "owner: 17", "owner", "a word or text is needed (found 17)"),
    ("owner: carla", "owner:", "", "'owner' is missing"),
    ("metric: conversion", "metric: convrsion", "primary.metric", "did you mean 'conversion'?"),
    (
        "support_tickets: 1.0",
        "support_ticket: 1.0",
        "guardrails.support_ticket",
        "did you mean 'support_tickets'?",
    ),
    ("support_tickets: 1.0", "support_tickets: 0", "guardrails.support_tickets", "it must be > 0"),
    ("support_tickets: 1.0", "support_tickets: -0.1", "guardrails.support_tickets", "it must be > 0"),
    ("support_tickets: 1.0", "support_tickets: 25", "guardrails.support_tickets", "write 0.25 for 25 %"),
    (
        "support_tickets: 1.0",
        "support_tickets: .nan",
        "guardrails.support_tickets",
        "a finite number is needed",
    ),
    (
        "support_tickets: 1.0",
        "support_tickets: 20 of 100",
        "guardrails.support_tickets",
        "a number is needed (found '20 of 100')",
    ),
    (
        "revenue_per_visitor: 0.25",
        "revenue_per_visitor: 1.0",
        "guardrails.revenue_per_visitor",
        "can never fire",
    ),
    ("revenue_per_visitor: 0.25", "conversion: 0.25", "guardrails.conversion", "could never fire first"),
    ("rule: non_inferior", "rule: superior", "primary.margin", "a margin cannot apply"),
    ("rule: non_inferior", "rule: noninferior", "primary.rule", "did you mean 'non_inferior'?"),
    ("margin: 0.2}", "margin: 1.5}", "primary.margin", "can never fire"),
    (
        "decision_class: reversible",
        "decision_class: reversibel",
        "decision_class",
        "did you mean 'reversible'?",
    ),
    ("initial_stage: supervised", "initial_stage: bounded", "initial_stage", "is earned, never declared"),
    ("[device, visitor]", "[device, visitr]", "segments[1]", "did you mean 'visitor'?"),
    ("[device, visitor]", "[device, device]", "segments[1]", "given twice"),
    ("[device, visitor]", "[variant]", "segments[0]", "exposures has no segment column 'variant'"),
    ("[device, visitor]", "device", "segments", "a list is needed (found 'device')"),
    (
        "segments:",
        "exposure_filters: {is_robot: no}\nsegments:",
        "exposure_filters.is_robot",
        "did you mean 'is_bot'?",
    ),
    (
        "segments:",
        "exposure_filters: {duplicate_events: keep}\nsegments:",
        "exposure_filters.duplicate_events",
        "write drop",
    ),
    ("segments:", "ramp: [100, 500, 500]\nsegments:", "ramp[2]", "the ramp does not increase: 500 after 500"),
    ("segments:", "ramp: [500, 100]\nsegments:", "ramp[1]", "100 after 500"),
    ("segments:", "ramp: [0, 100]\nsegments:", "ramp[0]", "it must be ≥ 1"),
    ("segments:", "ramp: [100, 20000]\nsegments:", "ramp[1]", "it must be ≤ 10000"),
    ("segments:", "ramp: []\nsegments:", "ramp", "this is empty"),
    ("segments:", "ramp: [1.5]\nsegments:", "ramp[0]", "a whole number is needed (found 1.5)"),
    ("segments:", "window: {minimum: 30d}\nsegments:", "window.minimum", "longer than its maximum"),
    ("segments:", "window: {minimum: 3}\nsegments:", "window.minimum", "this is not a duration (found 3)"),
    ("segments:", "window: {minimum: 3 days}\nsegments:", "window.minimum", "7d, 12h, 30m, 10s"),
    ("segments:", "window: {minimum: 0d}\nsegments:", "window.minimum", "this is not a duration"),
    ("segments:", "window: {minimum: 400d}\nsegments:", "window.minimum", "this is not a duration"),
    ("segments:", "window: {minmum: 3d}\nsegments:", "window.minmum", "did you mean 'minimum'?"),
    (
        "segments:",
        "window: {minimum_units: 50000000}\nsegments:",
        "window.minimum_units",
        "more than there are people",
    ),
    ("segments:", "max_data_age: 20d\nsegments:", "max_data_age", "no guardrail could fire in time"),
    ("segments:", "errors: {alpha: 0.5}\nsegments:", "errors.alpha", "it must be ≤ 0.2"),
    ("segments:", "errors: {fdr: 20}\nsegments:", "errors.fdr", "it must be ≤ 0.5"),
    ("segments:", "limits: {max_live: 0}\nsegments:", "limits.max_live", "it must be ≥ 1"),
    ("segments:", "approval: {roles: [cx_ownr]}\nsegments:", "approval.roles[0]", "did you mean 'cx_owner'?"),
    ("segments:", "approval: {quorum: 3}\nsegments:", "approval.quorum", "3 are needed, 2 could answer"),
    ("segments:", "approval: {veto_roles: []}\nsegments:", "approval.veto_roles", "this is empty"),
    ("segments:", "agents: [copywritr]\nsegments:", "agents[0]", "did you mean 'copywriter'?"),
    ("segments:", "suites: [exposure]\nsegments:", "suites[0]", "did you mean 'exposures'?"),
    (
        "segments:",
        "oversight: {supervised: {canary: inform}}\nsegments:",
        "oversight.supervised.canary",
        "is looser",
    ),
    (
        "segments:",
        "oversight: {supervisd: {canary: approve}}\nsegments:",
        "oversight.supervisd",
        "did you mean 'supervised'?",
    ),
    ("segments:", "title: Twice\nsegments:", "title", "given twice, first on line 1"),
    ("segments:", "shadow: decisions\nsegments:", "shadow", "a mapping is needed (found 'decisions')"),
    (
        "segments:",
        "shadow: {choice: decisions.item, payload: item}\nsegments:",
        "shadow",
        "'propensity' is missing; write propensity: (column of the probability",
    ),
    (
        "segments:",
        "shadow: {choice: item, propensity: decisions.propensity, payload: item}\nsegments:",
        "shadow.choice",
        "write source and column of what the product chose by chance, such as decisions.item",
    ),
    (
        "segments:",
        "shadow: {choice: decision.item, propensity: decisions.propensity, payload: item}\nsegments:",
        "shadow.choice",
        "there is no source 'decision' (found 'decision.item'); did you mean 'decisions'?",
    ),
    (
        "segments:",
        "shadow: {choice: decisions.item, propensity: decisions.propensty, payload: item}\nsegments:",
        "shadow.propensity",
        "did you mean 'propensity'?",
    ),
    (
        "segments:",
        "shadow: {choice: decisions.item, propensity: decisions.item, payload: item}\nsegments:",
        "shadow.propensity",
        "name the column that holds the odds",
    ),
    (
        "segments:",
        "shadow: {choice: decisions.item, propensity: outcomes.revenue, payload: item}\nsegments:",
        "shadow.propensity",
        "in different sources",
    ),
    (
        "segments:",
        "shadow: {choice: decisions.item, propensity: decisions.propensity, payload: 3}\nsegments:",
        "shadow.payload",
        "a word or text is needed (found 3)",
    ),
]


@pytest.mark.parametrize(("old", "new", "where", "says"), MISTAKES)
def test_a_mistake_is_named_by_line_value_and_remedy(folder, old, new, where, says):
    folder.edit("example", old, new)
    loaded = folder.load()
    assert "example" not in loaded.capabilities
    [error] = loaded.errors
    expected = folder.line_of("example", new.splitlines()[0]) if new.strip() and where else 1
    if where == "title":
        expected = folder.line_of("example", "title: Twice")
    assert error.file == "example.yaml"
    assert error.line == expected
    assert error.where == where
    assert says in str(error)
    assert error.right


def test_the_ceiling_stays_under_the_decision_class(folder):
    folder.edit("example", "decision_class: reversible", "decision_class: bounded\nceiling: autonomous")
    assert "above what a bounded decision may ever reach" in folder.error()
    folder.edit("example", "ceiling: autonomous", "ceiling: suggest")
    assert "above the ceiling suggest" in folder.error()


def test_a_human_only_capability_never_starts_with_autonomy(folder):
    folder.edit("example", "decision_class: reversible", "decision_class: human_only")
    assert "a human_only decision is never taken by AI" in folder.error()


def test_all_errors_of_a_file_come_at_once(folder):
    folder.edit("example", "title: Checkout wording", "titel: Checkout wording")
    folder.edit("example", "owner: carla", "owner: karla")
    folder.edit("example", "support_tickets: 1.0", "support_tickets: 0\n  nonsense: 0.2")
    folder.edit("example", "segments: [device, visitor]", "segments: [device, shoe]\nramp: [500, 100]")
    wheres = {error.where for error in folder.load().errors}
    assert wheres == {
        "titel",
        "owner",
        "guardrails.support_tickets",
        "guardrails.nonsense",
        "segments[1]",
        "ramp[1]",
    }


def test_words_that_yaml_1_1_would_bend_stay_words(folder):
    folder.edit("example", "title: Checkout wording", "title: no")
    assert folder.load().capabilities["example"].title == "no"


def test_a_stricter_oversight_applies_and_the_ladder_is_untouched(folder):
    before = folder.load().capabilities["example"]
    folder.edit("example", "segments:", "oversight: {supervised: {canary: approve}}\nsegments:")
    after = folder.load().capabilities["example"]
    assert before.oversight[Stage.SUPERVISED][StepKind.CANARY] is Oversight.NOTICE
    assert after.oversight[Stage.SUPERVISED][StepKind.CANARY] is Oversight.APPROVE
    assert after.digest != before.digest


def test_a_primary_without_rule_must_be_superior(folder):
    folder.edit("example", "rule: non_inferior, minimum_effect: 0.1, margin: 0.2", "minimum_effect: 0.1")
    primary = folder.load().capabilities["example"].primary
    assert (primary.rule, primary.margin) == (PrimaryRule.SUPERIOR, 0.0)


def test_a_non_inferior_primary_needs_a_margin(folder):
    folder.edit("example", ", margin: 0.2", "")
    assert "primary: 'margin' is missing" in folder.error()


def test_an_outcome_window_longer_than_the_measurement_window_never_fires(folder):
    folder.edit(
        "_metrics", "value: outcomes.support_tickets", "value: outcomes.support_tickets\n    outcome_days: 30"
    )
    error = folder.error()
    assert "outcomes of support_tickets count for 30 days, and the window ends after 14" in error


def test_a_log_of_choices_made_by_chance(folder):
    assert folder.load().capabilities["example"].shadow is None
    before = folder.load().capabilities["example"].digest
    shadow = "shadow: {choice: decisions.item, propensity: decisions.propensity, payload: item}"
    folder.edit("example", "segments:", f"{shadow}\nsegments:")
    policy = folder.load().capabilities["example"]
    assert policy.shadow == ShadowRule("decisions", "item", "propensity", "item", {"is_bot": "false"})
    assert policy.digest != before
    folder.edit("_metrics", "[item, propensity, is_bot]", "[item, propensity]")
    assert folder.load().capabilities["example"].shadow.filters == {}


def test_the_digest_names_the_content_and_nothing_else(folder):
    first = folder.load().capabilities["example"].digest
    folder.edit("example", "title: Checkout", "# a remark\ntitle:   Checkout")
    assert folder.load().capabilities["example"].digest == first
    folder.edit("example", "revenue_per_visitor: 0.25", "revenue_per_visitor: 0.26")
    assert folder.load().capabilities["example"].digest != first
    assert len(first) == 64
