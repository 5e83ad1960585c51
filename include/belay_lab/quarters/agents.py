"""Agents of known skill: what their changes really do, which nobody in the scenario is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from belay.domain.actors import agent
from belay.domain.capability import CapabilityPolicy
from belay.domain.proposal import Prediction, Proposal, Variant
from belay.domain.stages import DecisionClass
from belay_lab.quarters.measured import Truth

CONVERSION, TICKETS = "conversion", "support_tickets"
_NINETY = 1.645
"""Half width of a 90 % interval, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Skill:
    """What an agent's changes do, on average and change by change (relative; standard deviations).

    Attributes
    ----------
    local, spread : float
        Effect on the primary metric as an experiment within the surface sees it.
    overall : float
        What each change adds to the overall criterion beyond its local effect: below 0 when it takes from
        elsewhere what it wins here, which no experiment within the surface can see.
    tickets : float
        Change of the support tickets.
    """

    local: float
    spread: float
    overall: float = 0.0
    tickets: float = 0.0


@dataclass(frozen=True, slots=True)
class AgentKind:
    """A kind of agent.

    Attributes
    ----------
    name, told : str
        Its name, and its skill in words.
    skill : Skill
        What its changes do.
    later, turns_on : Skill | None, int
        What they do from that day on.
    luck, luck_ends : float, int
        Standard errors by which every figure until that day errs in its favour.
    variants : int
        Treatments of each proposal.
    confidence : float
        Width of its predictions, in multiples of the honest one; it predicts what ``claims`` says.
    claims : float | None
        The effect that it predicts; its true mean when None.
    decision_class : DecisionClass
        The class of the capability that it works for.
    """

    name: str
    told: str
    skill: Skill
    later: Skill | None = None
    turns_on: int = 0
    luck: float = 0.0
    luck_ends: int = 0
    variants: int = 1
    confidence: float = 1.0
    claims: float | None = None
    decision_class: DecisionClass = DecisionClass.REVERSIBLE

    def skill_on(self, day: int) -> Skill:
        """Return what the changes proposed on ``day`` do."""
        return self.later if self.later is not None and day >= self.turns_on else self.skill


_GOOD = Skill(local=0.06, spread=0.02)
KINDS: Mapping[str, AgentKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            AgentKind("helpful", "each change wins about 6 %", _GOOD),
            AgentKind("useless", "changes do nothing", Skill(0.0, 0.005), claims=0.04),
            AgentKind(
                "locally-good",
                "each change wins 6 % where it is tested, and costs the whole 8 %",
                Skill(0.06, 0.02, overall=-0.08),
            ),
            AgentKind(
                "lucky-bad",
                "changes lose 1 %, and for 90 days every figure errs 3 standard errors in its favour",
                Skill(-0.01, 0.01),
                luck=3.0,
                luck_ends=90,
                claims=0.04,
            ),
            AgentKind(
                "drifting",
                "wins about 6 % until day 100, then loses 8 %",
                _GOOD,
                later=Skill(-0.08, 0.02, tickets=0.2),
                turns_on=100,
            ),
            AgentKind(
                "spamming",
                "three treatments each time that do nothing",
                Skill(0.0, 0.005),
                variants=3,
                claims=0.04,
                confidence=0.3,
            ),
            AgentKind(
                "human-only",
                "each change wins about 6 %, in a kind of decision that people take",
                _GOOD,
                decision_class=DecisionClass.HUMAN_ONLY,
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """One proposal, with what it really does: by treatment in its experiment, and to the whole."""

    proposal: Proposal
    truths: tuple[Truth, ...]
    overall: float
    good: bool = field(default=False)


def propose(
    kind: AgentKind, number: int, day: int, policy: CapabilityPolicy, rng: np.random.Generator
) -> Change:
    """Return the agent's next change."""
    skill = kind.skill_on(day)
    effects = rng.normal(skill.local, skill.spread, kind.variants)
    claims = kind.skill.local if kind.claims is None else kind.claims
    # An honest interval holds what is *found*: the spread of the changes, and the error of measuring one.
    half = _NINETY * kind.confidence * float(np.hypot(skill.spread, 0.02))
    proposal = Proposal(
        optimization=f"{kind.name}-{number}",
        capability=policy.id,
        title=f"Change {number}",
        hypothesis="it helps",
        variants=tuple(Variant(f"treatment-{n}", {"n": n}) for n in range(kind.variants)),
        rollback={},
        proposed_by=agent(kind.name),
        agent_owner="dana",
        prediction=Prediction(claims, claims - half, claims + half),
    )
    truths = tuple(Truth({CONVERSION: float(e), TICKETS: skill.tickets}) for e in effects)
    best = float(effects.max())
    return Change(proposal, truths, best + skill.overall, good=best > 0)
