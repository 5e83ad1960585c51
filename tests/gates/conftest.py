"""A small shop whose time runs when a test says so, and Belay's parts around it, without Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.services import Services
from belay.settings import Settings
from belay_lab.shop.scenario import SCENARIOS, Scenario
from belay_lab.shop.simulate import Storefront

CAPABILITIES = Path(__file__).parents[2] / "include" / "capabilities"
SHOP: dict[str, Any] = {
    "title": "small",
    "seed": 3,
    "start": "2026-03-02T00:00:00",
    "history_days": 3,
    "surfaces": {
        "checkout": {
            "visitors_per_day": 6000,
            "behaviour": {"conversion": 0.3, "support_tickets": 0.05, "page_errors": 0.1},
        }
    },
    "effects": {"checkout-good": [{"conversion": 0.1}], "checkout-bad": [{"conversion": -0.5}]},
}


class World:
    """The shop, and Belay beside it."""

    def __init__(self, home: Path, shop: dict[str, Any] = SHOP) -> None:
        policies = home / "capabilities"
        shutil.copytree(CAPABILITIES, policies)
        file = policies / "checkout_wording.yaml"
        policy = yaml.safe_load(file.read_text())
        policy |= {"ramp": [2000, 5000, 10000], "window": {"minimum": "1d", "maximum": "4d"}}
        policy["approval"] = {"notice": "1s"}
        file.write_text(yaml.safe_dump(policy))
        environment = {
            "BELAY_HOME": str(home),
            "BELAY_POLICIES": str(policies),
            "BELAY_FLAG_SETTLE_SECONDS": "3600",
        }
        self.home = home
        self.policies = policies
        self.belay = Services(Settings.from_env(environment))
        flags = home / "flags" / "flags.flagd.json"
        self.shop = Storefront(home, Scenario.model_validate(shop), flags)
        self.shop.open()

    def run(self, hours: float) -> None:
        """Let the shop's time run."""
        now = self.belay.data_now()
        self.shop.run(until=now + timedelta(hours=hours))

    def propose(self, name: str, **changes: object) -> str:
        document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
        return propose(self.belay, parse_proposal(document | {"optimization": name} | changes)).id

    def known(self, name: str):
        return self.belay.ledger.state().optimizations[name]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.shop.close()
    made.belay.ledger.close()
