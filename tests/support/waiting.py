"""A Belay in which one step waits for one cx_owner: what a channel shows, and what an answer needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.domain.run import Run
from belay.execution import execute
from belay.gates.admit import propose
from belay.gates.approval import approval
from belay.gates.intake import parse_proposal
from belay.services import Services
from belay.settings import Settings

PACKAGED = Path(__file__).resolve().parents[2] / "include" / "capabilities"
NAME, RUN = "delivery-date", Run("rollout__checkout_wording", "delivery-date__step1")


def waiting_for_an_answer(folder: Path) -> Services:
    """Return it, in an empty folder of its own; nora holds the role, and vera the veto."""
    shutil.copytree(PACKAGED, folder / "include" / "capabilities")
    environment = {"BELAY_HOME": str(folder / "home")}
    environment["BELAY_POLICIES"] = str(folder / "include" / "capabilities")
    belay = Services(Settings.from_env(environment))
    document = {
        "optimization": NAME,
        "capability": "checkout_wording",
        "title": "Say when the parcel will arrive",
        "hypothesis": "A date helps people decide.",
        "variants": [{"key": "treatment", "payload": 1}],
        "agent": "copywriter",
        "agent_owner": "dana",
        "tags": ["brand"],
    }
    propose(belay, parse_proposal(document))
    execute(belay, c.StartStep(NAME, RUN.name, belay.policy("checkout_wording")), by="admit")
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        evidence = belay.ledger.put_evidence({"kind": str(gate)})
        execute(belay, c.JudgeGate(NAME, 1, gate, Verdict.PASS, "no harm", evidence), by=str(gate))
    approval(belay, NAME, 1)
    return belay
