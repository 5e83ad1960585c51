"""The budgets over all changes, through the gate that asks them: real policies, a real ledger, real data."""

from __future__ import annotations

import pytest
import yaml
from tests.guard.conftest import Watched

from belay.domain.gates import Verdict
from belay.gates.admit import admit, propose
from belay.gates.intake import parse_proposal
from belay_lab.shop.scenario import SCENARIOS

PLENTY = {"harm_per_week": 7, "live_per_surface": 9, "variants_per_surface": 9, "changes_per_unit": 9}


def proposed(world: Watched, name: str = "next") -> str:
    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    return propose(world.belay, parse_proposal(document | {"optimization": name})).id


@pytest.mark.parametrize(
    ("budget", "beside", "told"),
    [
        ("live_per_surface", "checkout_wording", "1 changes are measured on checkout; the policy allows 1"),
        ("variants_per_surface", "checkout_wording", "2 variants would be measured on checkout; the policy"),
        ("changes_per_unit", "search_ranking", "a unit may meet 1 climbing changes already; the policy"),
    ],
)
@pytest.mark.parametrize("allowed", [1, 9])
def test_a_budget_that_is_spent_holds_the_next_step(
    world: Watched, budget: str, beside: str, told: str, allowed: int
) -> None:
    world.edit("_defaults.yaml", guard=PLENTY | {budget: allowed})
    if beside == "checkout_wording":  # beside what climbs there the surface would be taken anyway
        world.live("there", 10_000, complete=True)
        assert world.known("there").holdback > 0
    else:
        world.live("there", capability=beside)
    world.guard()
    outcome = admit(world.belay, proposed(world), "next__step1")
    if allowed == 1:
        assert outcome.verdict is Verdict.HOLD
        assert told in outcome.sentence
    else:
        assert "the policy allows" not in outcome.sentence
    assert world.served("next") == 0
