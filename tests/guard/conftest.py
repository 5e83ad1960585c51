"""A small shop with changes that went live long ago, and a data clock that runs when a test says so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from tests.support.live import append_anyway

from belay.actuation.flag_writer import served_flag
from belay.domain import events as e
from belay.domain.actors import agent
from belay.domain.proposal import Proposal, Variant
from belay.domain.rules.steps import proposal_digest
from belay.domain.scope import FULL_SCOPE
from belay.domain.state import OptimizationState
from belay.guard.cycle import guard
from belay.guard.report import Cycle
from belay.oversight.active_policy import adopt_first_policy
from belay.services import Services
from belay.settings import Settings
from belay_lab.shop.scenario import Scenario
from belay_lab.shop.simulate import Storefront

CAPABILITIES = Path(__file__).parents[2] / "include" / "capabilities"
SURFACE = {
    "visitors_per_day": 8000,
    "behaviour": {"conversion": 0.3, "support_tickets": 0.05, "page_errors": 0.1},
}
SHOP = {
    "title": "guarded",
    "seed": 5,
    "start": "2026-03-02T00:00:00",
    "history_days": 1,
    "surfaces": {"checkout": SURFACE, "search": SURFACE},
    "effects": {"bad": [{"conversion": -0.5}], "search-bad": [{"conversion": -0.5}]},
}


class Watched:
    """The shop, and Belay beside it, whose wall clock a test sets forward."""

    def __init__(self, home: Path) -> None:
        self.home, self.policies = home, home / "capabilities"
        shutil.copytree(CAPABILITIES, self.policies)
        environment = {
            "BELAY_HOME": str(home),
            "BELAY_POLICIES": str(self.policies),
            "BELAY_FLAG_SETTLE_SECONDS": "3600",
        }
        self.belay = Services(Settings.from_env(environment))
        self.ahead = timedelta()
        self.belay.now = lambda: datetime.now(UTC) + self.ahead  # type: ignore[method-assign]
        scenario = Scenario.model_validate(SHOP)
        self.shop = Storefront(home, scenario, home / "flags" / "flags.flagd.json")
        self.shop.open()

    def live(
        self,
        name: str,
        scope: int = 5000,
        *,
        capability: str = "checkout_wording",
        harmless: int = 0,
        complete: bool = False,
    ) -> None:
        """Make an optimization live at ``scope``, as if it had climbed there; ``harmless`` was shown."""
        policy = self.belay.policy(capability)
        adopt_first_policy(self.belay, policy)
        proposal = Proposal(
            optimization=name,
            capability=capability,
            title=f"Change {name}",
            hypothesis="It helps.",
            variants=(Variant("treatment", {"label": f"new {name}"}),),
            rollback={"label": "old"},
            proposed_by=agent("copywriter"),
            agent_owner="dana",
        )
        holdback = policy.holdback.share if scope == FULL_SCOPE else 0
        at = self.belay.data_now()
        events: list[e.Event] = [
            e.Proposed(name, capability, policy.surface, proposal, proposal_digest(proposal)),
            e.StepStarted(name, 1, f"{name}__step1", 0, scope, policy.digest, last=complete),
            e.WideningIntended(name, 1, f"{name}.1", 0, scope, 1, holdback=holdback),
        ]
        append_anyway(self.belay, events)
        known = self.known(name)
        self.belay.flags.apply(served_flag(known, scope, 1))
        events = [e.ScopeConfirmed(name, scope, 1, "flagd", at)]
        if harmless:
            events.append(e.ShownHarmless(name, harmless, "test"))
        if complete:
            events.append(e.OptimizationEnded(name, e.Outcome.COMPLETED, "it climbed its whole ramp"))
        append_anyway(self.belay, events)

    def run(self, hours: float) -> None:
        """Let the shop's time run."""
        self.shop.run(until=self.belay.data_now() + timedelta(hours=hours))

    def guard(self, name: str = "test") -> Cycle:
        """Look once."""
        return guard(self.belay, name)

    def known(self, name: str) -> OptimizationState:
        return self.belay.ledger.state().optimizations[name]

    def served(self, name: str) -> int:
        flag = self.belay.flags.read(name)
        return flag.scope if flag else 0

    def stop_data(self, hours: float) -> None:
        """Let data time pass without any data."""
        from belay.clock import set_data_now

        set_data_now(self.home, self.belay.data_now() + timedelta(hours=hours))

    def edit(self, file: str, **changes: object) -> None:
        path = self.policies / file
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.shop.close()
    made.belay.ledger.close()
