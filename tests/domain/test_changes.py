"""What a policy changes, in words."""

from __future__ import annotations

from dataclasses import fields, replace

from tests.support.builders import a_policy

from belay.domain.calendar import Calendar, FreezePeriod
from belay.domain.changes import policy_changes
from belay.domain.metrics import Guardrail
from belay.domain.scope import Ramp
from belay.domain.stages import DecisionClass, Stage

POLICY = a_policy()


def changes(**to) -> tuple[str, ...]:
    return policy_changes(POLICY, replace(POLICY, digest="e" * 64, **to))


def test_the_same_policy_changes_nothing() -> None:
    assert policy_changes(POLICY, POLICY) == changes() == ()


def test_durations_shares_and_names_read_as_people_say_them() -> None:
    window = replace(POLICY.window, minimum_seconds=5400.0, maximum_seconds=172_800.0)
    assert changes(window=window) == (
        "window, minimum: was 1 hour, is 90 minutes",
        "window, maximum: was 1 day, is 2 days",
    )
    assert changes(ramp=Ramp((50, 10_000))) == ("ramp, steps: was 1 %, 5 %, 25 %, 100 %, is 0.5 %, 100 %",)
    assert changes(free_scope=250) == (f"free scope: was {POLICY.free_scope / 100:g} %, is 2.5 %",)
    told = changes(decision_class=DecisionClass.HUMAN_ONLY, title="Other words")
    assert told == (
        f"title: was “{POLICY.title}”, is “Other words”",
        f"decision class: was {POLICY.decision_class}, is human_only",
    )


def test_parts_of_lists_go_by_their_own_names() -> None:
    metric = replace(POLICY.primary.metric, id="page_errors")
    with_one = replace(POLICY, guardrails=(Guardrail(metric, 0.3),))
    moved = replace(with_one, guardrails=(Guardrail(metric, 0.31),))
    assert policy_changes(with_one, moved) == ("guardrails, page errors, margin: was 0.3, is 0.31",)
    assert "guardrails, page errors, margin: was 0.3, is gone" in policy_changes(with_one, POLICY)
    assert "guardrails, page errors, margin: is new, 0.3" in policy_changes(POLICY, with_one)
    twice = replace(with_one, guardrails=(Guardrail(metric, 0.3), Guardrail(metric, 0.5)))
    assert any(line.endswith("is new, 0.5") for line in policy_changes(with_one, twice))


def test_a_stage_in_a_table_is_named() -> None:
    leases = {**POLICY.autonomy.leases, Stage.BOUNDED: 86_400.0}
    (told,) = changes(autonomy=replace(POLICY.autonomy, leases=leases))
    assert told.startswith("autonomy, leases, bounded: was ")
    assert told.endswith(", is 1 day")


def test_every_field_of_a_policy_is_told_when_it_differs() -> None:
    """A field that nobody thought of is told too: nothing changes in silence."""
    from datetime import date

    other = {
        str: lambda v: v + " too",
        int: lambda v: v + 1,
        float: lambda v: v + 1.0,
        tuple: lambda v: (*v, "another"),
    }
    for field in fields(POLICY):
        value = getattr(POLICY, field.name)
        change = other.get(type(value))
        if change and field.name not in {"digest", "guardrails"}:
            assert changes(**{field.name: change(value)}), field.name
    shut = Calendar("shop", "UTC", freezes=(FreezePeriod(date(2026, 12, 20), date(2026, 12, 31), "sale"),))
    assert any("2026-12-20 2026-12-31 sale" in line for line in changes(calendar=shut))
