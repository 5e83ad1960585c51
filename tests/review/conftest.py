"""A review of drawn data under a packaged policy: the rules are real, what customers do is drawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.measurement.conftest import START, draw_cells

from belay.cells.plan import Phase
from belay.cells.planning import plan_for
from belay.domain.capability import CapabilityPolicy
from belay.gates.intake import parse_proposal
from belay.measurement.decision import decide_effects
from belay.measurement.monitor import monitor
from belay.policy.load import load_policies
from belay.review.verdict import Review, judge

REPOSITORY = Path(__file__).resolve().parents[2]
GOOD = {"conversion": 0.2, "revenue_per_visitor": 0.1, "support_tickets": -0.3, "page_errors": -0.1}
FINE = {"verdict": "pass", "sentence": "27 checks passed", "checks": []}


def proposal_document(*variants: str, **changes: Any) -> dict[str, Any]:
    return {
        "optimization": "delivery-date",
        "capability": "checkout_wording",
        "title": "Say when the parcel will arrive",
        "hypothesis": "Shoppers hesitate because they do not know when the parcel comes.",
        "variants": [{"key": key, "payload": {"label": key}} for key in variants or ("treatment",)],
        "rollback": {"label": "Order now"},
        "agent": "copywriter",
        "agent_owner": "dana",
        "prediction": {"effect": 0.08, "low": 0.02, "high": 0.14},
        **changes,
    }


@pytest.fixture(scope="session")
def policy() -> CapabilityPolicy:
    return load_policies(REPOSITORY / "include" / "capabilities").capabilities["checkout_wording"]


@pytest.fixture
def reviewed(policy: CapabilityPolicy) -> Callable[..., Review]:
    """Judge a step from 25 % to 100 %; ``lift`` maps metrics to their true relative effects."""

    def run(
        lift: dict[str, float] | None = None,
        *,
        quality: dict[str, Any] | None = FINE,
        variants: tuple[str, ...] = ("treatment",),
        document: dict[str, Any] | None = None,
        rule: CapabilityPolicy = policy,
        edit: Callable[[Any], Any] = lambda cells: cells,
        **drawn: Any,
    ) -> Review:
        proposal = parse_proposal(document or proposal_document(*variants))
        arms = [variant.key for variant in proposal.variants]
        shares = {"control": 0.75} | {arm: 0.25 / len(arms) for arm in arms}
        plan = plan_for(rule, proposal, Phase(0, START, 2500, shares), window=timedelta(days=6))
        cells = edit(draw_cells(plan, lift, **{"units": 4000, **drawn}))
        return judge(
            plan=plan,
            findings=decide_effects(cells, plan),
            monitoring=monitor(cells, plan),
            quality=quality,
            proposal=proposal,
            policy=rule,
            from_scope=2500,
            to_scope=10_000,
            extended=False,
            units_per_day=4000.0,
        )

    return run
