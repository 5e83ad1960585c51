"""The demo: its ends are read from the ledger, its home is its own, and other settings do not reach it."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.conftest import PROPOSALS

from belay.actuation.flag_writer import roll_back
from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.domain.state import ScopePhase, State, Status
from belay.execution import execute
from belay.gates.widen import widen
from belay.local.world import LocalWorld
from belay.services import Services
from belay_lab.demo_proposals import (
    ACTS,
    Ending,
    climbs,
    endings,
    is_rolled_back,
    is_stopped_by_its_data,
    path,
    why,
)

NOW = datetime(2026, 3, 9, tzinfo=UTC)
CLIMBER = "checkout-delivery-date"


@pytest.fixture
def live(belay, services: Services, request_id: str) -> State:
    """The first proposal at 1 %, approved by a person."""
    assert belay("approve", request_id, "--as", "nora", "-r", "fine").exit_code == 0
    execute(services, c.JudgeGate(CLIMBER, 1, Gate.APPROVAL, Verdict.PASS, "yes", None), by="approval")
    widen(services, CLIMBER, 1)
    return services.ledger.state()


def test_every_act_has_a_packaged_proposal() -> None:
    assert {act.optimization for act in ACTS} == {file.stem for file in PROPOSALS.glob("*.yaml")}
    assert set(endings(State()).values()) == {Ending.UNDER_WAY}


def test_climbing_needs_both_scopes_and_a_person(live: State) -> None:
    known = live.optimizations[CLIMBER]
    assert climbs(live, known) is Ending.UNDER_WAY
    phases = (*known.phases, ScopePhase(500, NOW))
    wider = replace(known, scope=500, phases=phases)
    assert climbs(live, wider) is Ending.OTHERWISE  # nobody approved 1 % → 5 %
    (request,) = live.requests.values()
    asked = replace(request, from_scope=100, to_scope=500)
    approved = replace(live, requests={asked.id: asked})
    assert climbs(approved, wider) is Ending.AS_TOLD
    uncounted = replace(asked, votes=tuple(replace(vote, counted=False) for vote in asked.votes))
    assert climbs(replace(live, requests={asked.id: uncounted}), wider) is Ending.OTHERWISE
    skipped = replace(wider, phases=phases[1:])
    assert climbs(approved, skipped) is Ending.OTHERWISE
    assert climbs(approved, replace(known, status=Status.HELD)) is Ending.OTHERWISE
    assert why(approved, wider, lambda _: "It helps.") == "It helps. nora answered approve: “fine”."
    assert path(wider) == "0 % → 1 % → 5 %"


def test_bad_data_ends_it_before_anybody_saw_it(belay, services: Services, live: State) -> None:
    assert is_stopped_by_its_data(live, live.optimizations[CLIMBER]) is Ending.OTHERWISE
    belay("propose", PROPOSALS / "search-synonyms.yaml")
    policy = services.policy("search_ranking")
    execute(services, c.StartStep("search-synonyms", "run", policy), by="admit")
    state = services.ledger.state()
    assert is_stopped_by_its_data(state, state.optimizations["search-synonyms"]) is Ending.UNDER_WAY
    judged = c.JudgeGate("search-synonyms", 1, Gate.QUALITY, Verdict.FAIL, "sent twice", None)
    execute(services, judged, by="quality")
    state = services.ledger.state()
    known = state.optimizations["search-synonyms"]
    assert is_stopped_by_its_data(state, known) is Ending.AS_TOLD
    assert why(state, known, str) == "quality gate: sent twice"


def test_a_roll_back_counts_when_the_flags_show_it(services: Services, live: State) -> None:
    known = live.optimizations[CLIMBER]
    assert is_rolled_back(live, known) is Ending.UNDER_WAY
    execute(services, c.RollBack(CLIMBER, "harm", "it does harm"), by="guard")
    state = services.ledger.state()
    assert is_rolled_back(state, state.optimizations[CLIMBER]) is Ending.UNDER_WAY
    known = roll_back(services, CLIMBER, cause="harm", reason="it does harm")
    assert is_rolled_back(services.ledger.state(), known) is Ending.AS_TOLD
    assert is_rolled_back(state, replace(known, status=Status.STOPPED)) is Ending.OTHERWISE


def test_harm_so_far_that_counts_as_caution_is_a_taking_down_too(services: Services, live: State) -> None:
    known = roll_back(services, CLIMBER, cause="caution", reason="harm so far, on 1 day")
    assert (known.status, known.scope) == (Status.HELD, 0)
    assert is_rolled_back(services.ledger.state(), known) is Ending.AS_TOLD


def test_a_home_that_is_not_a_demos_is_kept(home: Path, services: Services, belay, proposal: Path) -> None:
    belay("propose", proposal)
    world = LocalWorld(home)
    told = world.begin_anew()
    (kept,) = home.parent.glob("home.kept-*")
    assert (kept / "ledger.db").exists()
    assert str(kept) in told
    (home / "ledger.db").write_text("a demo's")
    assert LocalWorld(home).begin_anew() == "the earlier demo's home is replaced"
    assert not (home / "ledger.db").exists()
    assert list(home.parent.glob("home.kept-*")) == [kept]


def test_settings_of_the_shell_do_not_reach_the_demo(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_LEDGER_URL", "postgresql://production/ledger")
    monkeypatch.setenv("BELAY_FLAGS", "flagd:/srv/production.json")
    monkeypatch.setenv("BELAY_USER", "omar")
    settings = LocalWorld(home).belay.settings
    assert settings.ledger_url == f"sqlite:///{home / 'ledger.db'}"
    assert settings.flags == f"flagd:{home / 'flags' / 'flags.flagd.json'}"
    assert "BELAY_USER" not in LocalWorld(home).environment()


def test_down_ends_the_shop_and_says_so(belay, home: Path) -> None:
    home.mkdir()
    nothing = belay("down")
    assert nothing.exit_code == 0
    assert "nothing was running" in nothing.output
    world = LocalWorld(home)
    world.shop.start([sys.executable, "-c", "import time; time.sleep(600)"], world.environment())
    assert world.shop.processes()
    done = belay("down")
    assert f"stopped storefront; no process of {home} is left" in done.output
    assert world.shop.processes() == []


@pytest.mark.long
def test_the_shop_opens_changes_its_pace_and_stops_at_once(home: Path) -> None:
    world = LocalWorld(home)
    home.mkdir()
    try:
        world.open_shop(1000)
        first = world.shop.processes()
        assert (home / "warehouse.duckdb").exists()
        world.open_shop(0)
        assert world.shop.processes() != first
        began = world.belay.data_now()
        while world.belay.data_now() == began:
            assert world.shop.processes()
    finally:
        world.shop.stop(first=signal.SIGTERM)
    assert "shop time" in world.shop.last_lines()
