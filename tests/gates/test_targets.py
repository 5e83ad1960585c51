"""Stop, veto and freeze take one grammar, know what policies name, and list what there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.gates.test_stop import make_live

from belay.actuation.targets import meant
from belay.domain.stages import Stage
from belay.domain.state import Status
from belay.execution import RefusedError
from belay.oversight import people
from belay.oversight.stop import stop
from belay.services import Services
from belay.settings import Settings

GROUPS = ["all", "surface:checkout", "surface:twin", "capability:twin", "capability:wording"]


@pytest.fixture
def belay(tmp_path: Path) -> Services:
    return Services(Settings.from_env({"BELAY_HOME": str(tmp_path)}))


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("all", "all"),
        ("wording", "capability:wording"),
        ("capability:wording", "capability:wording"),
        ("checkout", "surface:checkout"),
        (" surface:checkout ", "surface:checkout"),
        ("faster-pay", "faster-pay"),
        ("optimization:faster-pay", "faster-pay"),
    ],
)
def test_a_name_alone_will_do_where_it_is_one_things(text: str, is_: str) -> None:
    assert meant(text, "stop", groups=GROUPS, optimizations=["faster-pay"]) == is_


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("twin", "'twin' can be capability:twin and surface:twin: say which to stop"),
        ("wordin", "did you mean capability:wording?"),
        ("everything", "there is nothing called 'everything' to stop; there is: all, surface:checkout"),
        ("", "there is nothing called '' to stop"),
    ],
)
def test_what_is_no_ones_name_lists_what_there_is(text: str, says: str) -> None:
    with pytest.raises(RefusedError) as refused:
        meant(text, "stop", groups=GROUPS, optimizations=["faster-pay"])
    assert says in str(refused.value)
    assert refused.value.refusal.rule == "unknown-target"


@pytest.mark.parametrize("target", ["home", "surface:home", "brand_voice", "capability:brand_voice", "all"])
def test_what_policies_name_can_be_frozen_before_the_first_proposal(belay: Services, target: str) -> None:
    nora = belay.roster().person("nora")
    assert not belay.ledger.state().capabilities
    frozen = people.freeze(belay, target, person=nora, reason="sales days")
    assert list(belay.ledger.state().freezes) == [frozen]
    assert people.unfreeze(belay, target, person=nora, reason="over") == frozen
    assert not belay.ledger.state().freezes


def test_ops_takes_one_change_down_and_its_capability_keeps_its_stage(belay: Services) -> None:
    make_live(belay, 2)
    timo = belay.roster().person("timo")
    stage = belay.ledger.state().capabilities["checkout_wording"].stage
    with pytest.raises(RefusedError, match="holds no veto"):
        people.veto(belay, "checkout_wording", person=timo, reason="x", via="test")
    stopped = stop(belay, "checkout-wording-0", person=timo, reason="wrong prices", via="test")
    assert "checkout-wording-0 is taken down to 0 %; its capability keeps its stage" in stopped.sentence
    people.veto(belay, "checkout-wording-1", person=timo, reason="wrong prices", via="test")
    state = belay.ledger.state()
    assert {o.scope for o in state.optimizations.values()} == {0}
    assert {o.status for o in state.optimizations.values()} == {Status.VETOED}
    assert state.capabilities["checkout_wording"].stage is stage
    assert stage is not Stage.OBSERVE
    assert not state.freezes


def test_a_surface_is_stopped_and_not_vetoed(belay: Services) -> None:
    make_live(belay, 1)
    with pytest.raises(RefusedError, match="`belay stop surface:checkout`"):
        people.veto(belay, "surface:checkout", person=belay.roster().person("nora"), reason="x", via="test")


def test_kill_switch_veto_and_roll_back_are_told_apart(belay: Services) -> None:
    from belay.web.pages import templates

    tags = templates().from_string(
        '{% import "parts.html" as parts %}'
        '{{ parts.tag("killed") }}{{ parts.tag("vetoed") }}{{ parts.tag("rolled_back") }}'
    )
    shown = tags.render()
    assert len({part.split('"')[1] for part in shown.split("<span")[1:]}) == 3, shown
    assert "kill switch" in shown
    make_live(belay, 1)
    stop(belay, "all", person=belay.roster().person("nora"), reason="wrong prices", via="test")
    assert {o.status for o in belay.ledger.state().optimizations.values()} == {Status.KILLED}
