"""Airflow without a running one: a home of its own, and a step that waits for people in a real ledger."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Airflow reads its home when it is imported first, and writes a configuration there.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="belay-airflow-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

import pytest

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.execution import execute
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.services import Services

PACKAGED = Path(__file__).resolve().parents[2] / "include" / "capabilities"
NAME = "checkout-delivery-date"
PROPOSAL = {
    "optimization": NAME,
    "capability": "checkout_wording",
    "title": "Say when the parcel will arrive",
    "hypothesis": "A date beside the button helps people decide.",
    "variants": [{"key": "treatment", "payload": {"label": "yours on Thursday"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
}


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packaged policies in a copy that a test may break."""
    folder = tmp_path / "include" / "capabilities"
    shutil.copytree(PACKAGED, folder)
    monkeypatch.setenv("BELAY_POLICIES", str(folder))
    return folder


@pytest.fixture
def belay(tmp_path: Path, policies: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """The services of this process, in a home of their own."""
    from belay.orchestration import runtime

    monkeypatch.setenv("BELAY_HOME", str(tmp_path / "home"))
    for name in ("BELAY_LEDGER_URL", "BELAY_WAREHOUSE_URL", "BELAY_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    runtime.services.cache_clear()
    yield runtime.services()
    runtime.services.cache_clear()


@pytest.fixture
def reviewed(belay: Services) -> Callable[..., str]:
    """Propose, and record that every gate before the approval passed; return the run."""

    def until_review(**changes: object) -> str:
        proposal = parse_proposal(PROPOSAL | changes)
        propose(belay, proposal)
        policy, run = belay.policy(proposal.capability), f"{proposal.optimization}__step1"
        execute(belay, c.StartStep(proposal.optimization, run, policy), by="admit")
        for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
            evidence = belay.ledger.put_evidence({"kind": str(gate), "sentence": "no harm shown"})
            passed = c.JudgeGate(proposal.optimization, 1, gate, Verdict.PASS, "no harm shown", evidence)
            execute(belay, passed, by=str(gate))
        return run

    return until_review
