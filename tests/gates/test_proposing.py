"""Who may put a proposal forward, and in whose name."""

from __future__ import annotations

import pytest
import yaml

from belay.execution import RefusedError
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.services import Services
from belay.settings import Settings
from belay_lab.shop.scenario import SCENARIOS

DOCUMENT = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())


@pytest.fixture
def belay(tmp_path):
    opened = Services(Settings.from_env({"BELAY_HOME": str(tmp_path)}))
    yield opened
    opened.ledger.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"agent_owner": "carla"}, "dana answers for agent 'copywriter', and not carla"),
        ({"agent": "stranger"}, "nobody answers for agent 'stranger'"),
    ],
)
def test_an_agent_cannot_choose_who_answers_for_it(belay, changes, says):
    with pytest.raises(RefusedError, match=says):
        propose(belay, parse_proposal(DOCUMENT | changes))
    assert belay.ledger.head()[0] == 0


def test_the_same_proposal_twice_is_one(belay):
    for _ in range(2):
        propose(belay, parse_proposal(DOCUMENT))
    assert [e.kind for e in belay.ledger.entries()] == [
        "roster.noted",
        "policy.adopted",
        "optimization.proposed",
    ]
