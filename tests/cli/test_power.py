"""`belay power`: what a decision needs, from real traffic, and what would make it measurable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from belay.domain.portfolio import next_level
from belay_lab.shop.scenario import Scenario
from belay_lab.shop.simulate import Storefront

Belay = Callable[..., Result]

SHOP = {
    "title": "small",
    "seed": 3,
    "start": "2026-03-02T00:00:00",
    "history_days": 3,
    "surfaces": {
        "checkout": {
            "visitors_per_day": 2000,
            "behaviour": {"conversion": 0.25, "support_tickets": 0.02, "page_errors": 0.04},
        }
    },
}


@pytest.fixture
def shop(home: Path) -> None:
    """Three days of traffic on the checkout."""
    made = Storefront(home, Scenario.model_validate(SHOP), home / "flags.json")
    made.open()
    made.close()


def edit(policies: Path, **changes: object) -> None:
    file = policies / "checkout_wording.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes))


@pytest.mark.usefixtures("shop")
def test_a_step_that_can_be_measured(belay: Belay, policies: Path) -> None:
    said = belay("power", "checkout_wording", "--scope", "2500")
    assert said.exit_code == 0, said.output
    for words in ("Conversion", "a margin of 20.0 %", "Measurable:", "Along the ramp", "95 %"):
        assert words in said.output
    told = json.loads(belay("power", "checkout_wording", "--scope", "2500", "--json").output)
    assert told["measurable"] is True
    assert told["level"] is None
    assert [one["metric"] for one in told["metrics"]][:2] == ["conversion", "revenue_per_visitor"]
    assert {one["power"] for one in told["metrics"]} == {1 - 0.2 / 4}
    needed = max(one["units_needed"] for one in told["metrics"])
    assert told["units_needed"] == max(needed, 500 / 0.25)
    days = {step["scope"]: step["days_needed"] for step in told["ramp"]}
    assert days[100] > days[500] > days[2500]


@pytest.mark.usefixtures("shop")
def test_who_is_held_out_is_not_counted(belay: Belay, policies: Path) -> None:
    def told(**autonomy: object) -> dict:
        edit(policies, autonomy=autonomy)
        return json.loads(belay("power", "checkout_wording", "--scope", "2500", "--json").output)

    everybody, half = told(holdout=0), told(holdout=5000)
    assert (everybody["holdout"], half["holdout"]) == (0, 5000)
    assert half["units_needed"] == pytest.approx(everybody["units_needed"])
    assert half["days_needed"] == pytest.approx(2 * everybody["days_needed"], rel=0.02)
    assert "without the holdout's 50 %" in half["sentence"]


@pytest.mark.usefixtures("shop")
def test_a_step_that_cannot_be_measured_says_what_would_help(belay: Belay, policies: Path) -> None:
    edit(
        policies,
        primary={"metric": "revenue_per_visitor", "minimum_effect": 0.12},
        guardrails={"page_errors": 0.5},
    )
    said = belay("power", "checkout_wording", "--scope", "500")
    assert said.exit_code == 1
    assert "Not measurable within 14.0 days" in said.output
    for help_ in ("a bigger step", "a longer window", "a larger effect or margin to tell apart"):
        assert help_ in said.output
    told = json.loads(belay("power", "checkout_wording", "--scope", "500", "--json").output)
    assert told["level"] == pytest.approx(next_level((), fdr=0.2))
    assert told["metrics"][0]["alpha"] == pytest.approx(0.8 * told["level"])
    assert told["suggestions"]
    two = json.loads(belay("power", "checkout_wording", "--scope", "500", "--variants", "2", "--json").output)
    assert two["units_needed"] > told["units_needed"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nothing_like_it",), 2, "there is no nothing_like_it.yaml"),
        (("checkout_wording", "--scope", "0"), 2, "write 1 to 9999 basis points"),
        (("checkout_wording", "--variants", "9"), 2, "the policy allows 3"),
        (("checkout_wording",), 3, "warehouse.duckdb does not exist"),
    ],
)
def test_what_cannot_be_answered(belay: Belay, arguments: tuple[str, ...], code: int, said: str) -> None:
    found = belay("power", *arguments)
    assert (found.exit_code, said in found.output) == (code, True), found.output
