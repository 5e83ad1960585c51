"""The oversight table of docs/invariants.md, cell by cell, and what may raise a cell."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.oversight import (
    LEAST_OVERSIGHT,
    Oversight,
    OversightDecision,
    StepKind,
    required_oversight,
    step_kind,
)
from belay.domain.stages import DecisionClass, Stage

CELLS = [
    ("observe", "forbidden", "forbidden", "forbidden"),
    ("suggest", "approve", "approve", "approve"),
    ("supervised", "notice", "approve", "approve"),
    ("bounded", "inform", "notice", "approve"),
    ("autonomous", "inform", "inform", "notice"),
]
KINDS = ("canary", "within_free_scope", "beyond_free_scope")
EACH = [(stage, kind, need) for stage, *row in CELLS for kind, need in zip(KINDS, row, strict=True)]


def needed(stage: Stage, kind: StepKind, **changes: object) -> OversightDecision:
    arguments: dict[str, object] = {
        "table": LEAST_OVERSIGHT,
        "decision_class": DecisionClass.REVERSIBLE,
        "tags": frozenset(),
        "reversible": True,
        "measurable": True,
    }
    return required_oversight(stage=stage, kind=kind, **{**arguments, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("stage", "kind", "need"), EACH)
def test_each_cell(stage: str, kind: str, need: str) -> None:
    decision = needed(Stage(stage), StepKind(kind))
    assert decision.oversight == need
    assert [rule.name for rule in decision.rules] == ["policy-table", "design-floor"]


@pytest.mark.parametrize(("stage", "kind", "need"), EACH)
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"tags": frozenset({"brand", "new"})}, "tag"),
        ({"tags": frozenset({"pricing"})}, "tag"),
        ({"tags": frozenset({"compliance"})}, "tag"),
        ({"reversible": False}, "irreversible"),
        ({"measurable": False}, "unmeasurable"),
    ],
)
def test_what_raises_a_single_optimization(
    stage: str, kind: str, need: str, changes: dict[str, object], rule: str
) -> None:
    decision = needed(Stage(stage), StepKind(kind), **changes)
    assert decision.oversight == ("forbidden" if need == "forbidden" else "approve")
    assert rule in {spoken.name for spoken in decision.rules}


@pytest.mark.parametrize(("stage", "kind"), list(product(Stage, StepKind)))
def test_human_only_is_approved_by_people_at_every_stage(stage: Stage, kind: StepKind) -> None:
    decision = needed(stage, kind, decision_class=DecisionClass.HUMAN_ONLY)
    assert decision.oversight in {Oversight.APPROVE, Oversight.FORBIDDEN}


def test_a_class_caps_the_stage() -> None:
    decision = needed(Stage.AUTONOMOUS, StepKind.BEYOND_FREE_SCOPE, decision_class=DecisionClass.BOUNDED)
    assert decision.oversight is Oversight.APPROVE


@given(
    cells=st.lists(st.sampled_from(Oversight), min_size=15, max_size=15),
    stage=st.sampled_from(Stage),
    kind=st.sampled_from(StepKind),
    decision_class=st.sampled_from(DecisionClass),
)
def test_a_policy_may_ask_for_more_and_never_for_less(
    cells: list[Oversight], stage: Stage, kind: StepKind, decision_class: DecisionClass
) -> None:
    rows = iter(cells)
    table = {row: {column: next(rows) for column in StepKind} for row in Stage}
    least = needed(stage, kind, decision_class=decision_class)
    found = needed(stage, kind, decision_class=decision_class, table=table)
    assert found.oversight.rank >= least.oversight.rank
    assert found.oversight is found.rules[0].oversight
    assert [r.oversight.rank for r in found.rules] == sorted(
        (r.oversight.rank for r in found.rules), reverse=True
    )


@pytest.mark.parametrize(
    ("from_scope", "to_scope", "kind"),
    [
        (0, 100, StepKind.CANARY),
        (0, 10_000, StepKind.CANARY),
        (100, 500, StepKind.WITHIN_FREE_SCOPE),
        (100, 501, StepKind.BEYOND_FREE_SCOPE),
        (500, 10_000, StepKind.BEYOND_FREE_SCOPE),
    ],
)
def test_which_column_a_step_reads(from_scope: int, to_scope: int, kind: StepKind) -> None:
    assert step_kind(from_scope, to_scope, free_scope=500) is kind
