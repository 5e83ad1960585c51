"""A home folder of one's own, the command line in this process, and a request that waits for people."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.services import Services
from belay.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGED = REPOSITORY / "include" / "capabilities"
PROPOSALS = REPOSITORY / "include" / "belay_lab" / "shop" / "scenarios" / "proposals"

Belay = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, the packaged policies in a copy that a test may break, and no other settings."""
    import os

    for name in [name for name in os.environ if name.startswith("BELAY_") and name != "BELAY_DATA"]:
        monkeypatch.delenv(name)
    shutil.copytree(PACKAGED, tmp_path / "include" / "capabilities")
    monkeypatch.setenv("BELAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BELAY_POLICIES", str(tmp_path / "include" / "capabilities"))
    return tmp_path / "home"


@pytest.fixture
def policies(home: Path) -> Path:
    """The folder of policy files that the command line reads."""
    return home.parent / "include" / "capabilities"


@pytest.fixture
def belay(home: Path) -> Belay:
    """Run the command line in this process: ``belay("status", "--json")``.

    Who proposes is the agent that the file names, under its account, unless a test says who.
    """
    from belay.cli.app import app

    def run(*arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        if words[0] == "propose" and not {"--as", "--help"} & set(words):
            file = next((Path(word) for word in words[1:] if Path(word).is_file()), None)
            text = "" if file is None else file.read_text(errors="replace")
            named = re.search(r"^agent: (\w+)$", text, re.MULTILINE)
            words += ["--as", named[1] if named else "copywriter"]
        return CliRunner().invoke(app, words)

    return run


@pytest.fixture
def services(home: Path) -> Services:
    return Services(Settings.from_env())


@pytest.fixture
def proposal(tmp_path: Path) -> Path:
    """A proposal whose tag asks for approval from the first step on."""
    file = tmp_path / "delivery-date.yaml"
    file.write_text((PROPOSALS / "checkout-delivery-date.yaml").read_text() + "tags: [brand]\n")
    return file


@pytest.fixture
def request_id(belay: Belay, services: Services, proposal: Path) -> str:
    """A request that waits for one cx_owner: what every gate before it said was recorded."""
    assert belay("propose", proposal).exit_code == 0
    return ask(services, "checkout-delivery-date")


def ask(services: Services, optimization: str) -> str:
    """Record a passed step up to its request, and return the request."""
    from belay.execution import execute

    capability = services.ledger.state().optimizations[optimization].capability
    policy = services.policy(capability)
    execute(services, c.StartStep(optimization, f"{optimization}__step1", policy), by="admit")
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        evidence = services.ledger.put_evidence({"kind": str(gate), "sentence": "no harm shown"})
        execute(
            services,
            c.JudgeGate(optimization, 1, gate, Verdict.PASS, "no harm shown", evidence),
            by=str(gate),
        )
    execute(services, c.RequestOversight(optimization, 1, policy), by="approval")
    (request,) = services.ledger.state().open_requests()
    return request.id
