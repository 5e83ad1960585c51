"""What oversight does a step need, and by which rule?

One pure function answers, from a table that is data. Its answer names every rule that spoke, so that it
can be stored as evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from belay.domain.stages import DecisionClass, Stage
from belay.domain.vocabulary import Rule


class Oversight(StrEnum):
    """What people must do for a step, from least to most."""

    INFORM = "inform"
    """People are told."""
    NOTICE = "notice"
    """It happens unless vetoed in time."""
    APPROVE = "approve"
    """Nothing happens without it."""
    FORBIDDEN = "forbidden"
    """Nobody can make it happen at this stage: nothing is shown."""

    @property
    def rank(self) -> int:
        """Strength of the oversight; 0 is the weakest."""
        return list(Oversight).index(self)


class StepKind(StrEnum):
    """Which column of the oversight table a step reads."""

    CANARY = "canary"
    WITHIN_FREE_SCOPE = "within_free_scope"
    BEYOND_FREE_SCOPE = "beyond_free_scope"


OversightTable = Mapping[Stage, Mapping[StepKind, Oversight]]

_I, _N, _A, _X = Oversight.INFORM, Oversight.NOTICE, Oversight.APPROVE, Oversight.FORBIDDEN

LEAST_OVERSIGHT: OversightTable = {
    stage: dict(zip(StepKind, row, strict=True))
    for stage, row in {
        Stage.OBSERVE: (_X, _X, _X),
        Stage.SUGGEST: (_A, _A, _A),
        Stage.SUPERVISED: (_N, _A, _A),
        Stage.BOUNDED: (_I, _N, _A),
        Stage.AUTONOMOUS: (_I, _I, _N),
    }.items()
}
"""The table of docs/invariants.md: a policy may ask for more oversight than this, never for less."""

ALWAYS_APPROVED_TAGS = frozenset({"brand", "pricing", "compliance"})
"""Tags that raise a single optimization to ``approve`` whatever its capability's stage."""


@dataclass(frozen=True, slots=True)
class OversightRule:
    """One rule that spoke: what it asked for, and why."""

    name: Rule
    oversight: Oversight
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.oversight} ({self.reason})"


@dataclass(frozen=True, slots=True)
class OversightDecision:
    """The oversight a step needs, and every rule that was asked, strongest first."""

    oversight: Oversight
    rules: tuple[OversightRule, ...]


def step_kind(from_scope: int, to_scope: int, free_scope: int) -> StepKind:
    """Return which column of the table a step from ``from_scope`` to ``to_scope`` reads (basis points)."""
    if from_scope == 0:
        return StepKind.CANARY
    return StepKind.WITHIN_FREE_SCOPE if to_scope <= free_scope else StepKind.BEYOND_FREE_SCOPE


def required_oversight(
    *,
    table: OversightTable,
    stage: Stage,
    decision_class: DecisionClass,
    kind: StepKind,
    tags: frozenset[str],
    reversible: bool,
    measurable: bool,
    cautioned: bool = False,
) -> OversightDecision:
    """Return the oversight that a step needs: the strongest that any rule asks for.

    Parameters
    ----------
    table
        The policy's table, stage by step kind.
    stage
        The capability's stage, already capped by its ceiling.
    decision_class
        The capability's class; ``human_only`` is always approved by people (I8).
    kind
        Which column of the table the step reads.
    tags
        The optimization's tags.
    reversible
        Whether the flag payload can be taken back.
    measurable
        Whether the effect can be measured before the step.
    cautioned
        Whether harm so far took it down before: people resume it, or nobody does.
    """
    effective = stage if stage.rank <= decision_class.ceiling.rank else decision_class.ceiling
    rules = [
        OversightRule(Rule.POLICY_TABLE, table[effective][kind], f"stage {effective}, step {kind}"),
        OversightRule(
            Rule.DESIGN_FLOOR, LEAST_OVERSIGHT[effective][kind], f"the least that stage {effective} allows"
        ),
    ]
    if decision_class is DecisionClass.HUMAN_ONLY:
        rules.append(
            OversightRule(Rule.HUMAN_ONLY, Oversight.APPROVE, "this kind of decision is never taken by AI")
        )
    rules += [
        OversightRule(Rule.TAG, Oversight.APPROVE, f"tagged {tag!r}")
        for tag in sorted(tags & ALWAYS_APPROVED_TAGS)
    ]
    if not reversible:
        rules.append(
            OversightRule(Rule.IRREVERSIBLE, Oversight.APPROVE, "the flag payload cannot be taken back")
        )
    if not measurable:
        rules.append(OversightRule(Rule.UNMEASURABLE, Oversight.APPROVE, "the effect cannot be measured"))
    if cautioned:
        rules.append(
            OversightRule(Rule.CAUTION, Oversight.APPROVE, "harm so far took it down; only people resume it")
        )
    rules.sort(key=lambda rule: -rule.oversight.rank)
    return OversightDecision(rules[0].oversight, tuple(rules))
