"""The sample of README.md, as printed, goes from two files to a widened step in the demo's shop."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from belay.domain.gates import Verdict
from belay.gates.admit import admit, propose
from belay.gates.approval import approval
from belay.gates.documents import read_proposal
from belay.gates.intake import parse_proposal
from belay.gates.quality import quality
from belay.gates.review import review
from belay.gates.widen import widen
from belay.gates.window import window_look
from belay.local.policies import lay_out
from belay.services import Services
from belay.settings import PACKAGED_POLICIES, Settings
from belay_lab.shop.scenario import load_scenario
from belay_lab.shop.simulate import Storefront

README = Path(__file__).resolve().parents[2] / "README.md"
pytestmark = pytest.mark.slow


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.fixture
def belay(tmp_path: Path) -> Services:
    """The shop as `make up` lays it out, with the sample's file saved where the README says."""
    home = tmp_path / ".belay"
    home.mkdir()
    lay_out(PACKAGED_POLICIES, home / "capabilities")
    capability, proposal = blocks("yaml")
    (home / "capabilities" / "greetings.yaml").write_text(capability)
    (tmp_path / "greeting.yaml").write_text(proposal)
    return Services(Settings.from_env({"BELAY_HOME": str(home)}))


def test_every_command_of_the_sample_exists_and_names_what_the_files_name(belay: Services) -> None:
    from belay.cli.reference import commands

    known = commands()
    capability, proposal = map(yaml.safe_load, blocks("yaml"))
    text = README.read_text()
    used = re.findall(r"\.venv/bin/belay ((?:policy )?[a-z]+)", text)
    assert len(used) >= 6
    for command in used:
        assert f"`belay {command}" in known, command
    assert capability["surface"] == "home"
    assert f"belay power {proposal['capability']}" in text
    assert f"belay show {proposal['optimization']}" in text
    assert f"belay approve {proposal['optimization']} --as nora" in text
    assert belay.policies().errors == ()
    assert belay.roster().agents[proposal["agent"]] == proposal["agent_owner"]
    assert "cx_owner" in belay.roster().person("nora").roles


def test_the_sample_climbs_to_its_first_step_without_anybody(belay: Services, tmp_path: Path) -> None:
    from belay.cli.warehouse_check import cannot_be_read

    flags = belay.settings.home / "flags" / "flags.flagd.json"
    shop = Storefront(belay.settings.home, load_scenario("demo"), flags)
    begins = shop.open()
    shop.run(
        until=begins + timedelta(hours=2), seconds_per_tick=0, progress=lambda _now: None, stop=lambda: False
    )
    shop.close()
    assert list(cannot_be_read(belay.warehouse, [belay.policy("greetings")])) == []
    known = propose(belay, parse_proposal(read_proposal(tmp_path / "greeting.yaml")))
    ahead = timedelta()
    belay.now = lambda: datetime.now(UTC) + ahead  # type: ignore[method-assign]
    admitted = admit(belay, known.id, f"{known.id}__step1")
    assert admitted.verdict is Verdict.PASS, admitted.sentence
    for gate in (quality, review):
        if gate is review:
            assert window_look(belay, known.id, 1).outcome.verdict is Verdict.PASS
        said = gate(belay, known.id, 1)
        assert said.verdict is Verdict.PASS, said.sentence
    assert approval(belay, known.id, 1).outcome is None, "people have notice"
    ahead = timedelta(seconds=16)
    assert approval(belay, known.id, 1).outcome.verdict is Verdict.PASS
    assert widen(belay, known.id, 1).scope == 1000
