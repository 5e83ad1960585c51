"""A small shop with days of data, a step that was granted, and the page that tells what is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import (  # noqa: F401 - the same fixtures serve here
    REPOSITORY,
    ask,
    belay,
    home,
    policies,
    proposal,
    request_id,
    services,
)

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.execution import execute
from belay.ledger.verify import verify
from belay.services import Services
from belay_lab.shop.scenario import Scenario
from belay_lab.shop.simulate import Storefront

PAGE = REPOSITORY / "docs" / "bad-input.md"
NAME = "checkout-delivery-date"

_SHOP = {
    "title": "A small shop",
    "seed": 1,
    "start": "2026-03-02T00:00:00",
    "history_days": 4,
    "surfaces": {"checkout": {"visitors_per_day": 60000, "behaviour": {"conversion": 0.25}}},
}


@pytest.fixture
def documented(home: Path, policies: Path) -> Callable[[str], None]:  # noqa: F811 - a fixture
    """Check that what was shown stands on the page word for word (paths aside)."""
    page = PAGE.read_text(encoding="utf-8")

    def check(shown: str) -> None:
        text = shown.strip().replace(str(policies), "POLICIES").replace(str(home), "HOME")
        text = text.replace(str(home.parent), "FOLDER")
        for line in text.splitlines():
            assert line.strip() in page, f"docs/bad-input.md does not show: {line.strip()}"

    return check


@pytest.fixture
def shop(home: Path) -> Path:  # noqa: F811 - a fixture
    """Four days of data on the checkout, in the lake of the home."""
    storefront = Storefront(home, Scenario.model_validate(_SHOP), home / "flags" / "flags.flagd.json")
    storefront.open()
    storefront.close()
    return home


@pytest.fixture
def granted(belay, services: Services, request_id: str) -> str:  # noqa: F811 - fixtures
    """The optimization whose first step was approved and not yet taken."""
    assert belay("approve", request_id, "--as", "nora", "-r", "fine").exit_code == 0
    execute(
        services, c.JudgeGate(NAME, 1, Gate.APPROVAL, Verdict.PASS, "approved by nora", None), by="approval"
    )
    return NAME


def nothing_widened_nothing_lost(services: Services) -> None:  # noqa: F811 - a parameter
    """Nobody is exposed to anything, in the flags and in the ledger, and the ledger verifies."""
    assert all(flag.scope == 0 for flag in services.flags.read_all().values())
    assert all(known.scope == 0 for known in services.ledger.state().optimizations.values())
    assert str(verify(services.ledger)).endswith("verified")
