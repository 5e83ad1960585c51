"""The pages over a real ledger; only Airflow's answer to "who is this?" is given by the test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="belay-airflow-"))

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient

from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.gates import Gate, ReviewVerdict, Verdict
from belay.execution import execute
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.review.verdict import judge_before_exposure
from belay.services import Services
from belay.settings import Settings

PACKAGED = Path(__file__).resolve().parents[2] / "include" / "capabilities"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the packaged policies that a test may break, with people who are Airflow users."""
    shutil.copytree(PACKAGED, tmp_path / "include" / "capabilities")
    return tmp_path / "include" / "capabilities"


@pytest.fixture
def belay(tmp_path: Path, folder: Path) -> Services:
    settings = {"BELAY_HOME": str(tmp_path / "home"), "BELAY_POLICIES": str(folder)}
    return Services(Settings.from_env(settings))


@dataclass(frozen=True)
class User:
    """An Airflow user, as its auth manager would say."""

    id: str
    name: str = ""

    def get_id(self) -> str:
        return self.id

    def get_name(self) -> str:
        return self.name or self.id


ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
def browse(belay: Services) -> Callable[..., TestClient]:
    """Return a client of an Airflow user; None is nobody.

    ``may_answer`` and ``may_change`` (DAGs) are Airflow's permissions.
    """
    from airflow.api_fastapi.core_api.security import get_user

    from belay.web import auth
    from belay.web.app import create_app
    from belay.web.wiring import services

    def client(
        user: str | None = "nora", *, may_answer: bool = True, may_change: bool = False, **options: Any
    ) -> TestClient:
        app = create_app()
        app.dependency_overrides[services] = lambda: belay
        if user is not None:
            app.dependency_overrides[get_user] = lambda: User(user)
            app.dependency_overrides[auth.reader.dependency] = lambda: None
            app.dependency_overrides[auth.answerer.dependency] = allowed if may_answer else forbidden
            app.dependency_overrides[auth.changes_dags] = lambda: may_change
        return TestClient(app, headers=ORIGIN, **options)

    def allowed() -> None:
        return None

    def forbidden() -> None:
        raise HTTPException(403, "Forbidden")

    return client


def document(name: str = "delivery-date", **changes: Any) -> dict[str, Any]:
    return {
        "optimization": name,
        "capability": "checkout_wording",
        "title": "Say when the parcel will arrive",
        "hypothesis": "Shoppers hesitate because they do not know when the parcel comes.",
        "variants": [{"key": "treatment", "payload": {"label": "yours on Thursday"}}],
        "rollback": {"label": "Order now"},
        "agent": "copywriter",
        "agent_owner": "dana",
        "prediction": {"effect": 0.08, "low": 0.02, "high": 0.14},
        "tags": ["brand"],
        **changes,
    }


@pytest.fixture
def reviewed(belay: Services) -> Callable[..., str]:
    """Take a proposal through its first gates up to a review, and return the review's evidence."""

    def run(**changes: Any) -> str:
        proposal = parse_proposal(document(**changes))
        policy = belay.policy(proposal.capability)
        name = propose(belay, proposal).id
        execute(belay, c.StartStep(name, f"{name}__step1", policy), by="admit")
        for gate in (Gate.QUALITY, Gate.WINDOW):
            evidence = belay.ledger.put_evidence({"kind": str(gate), "sentence": "all is well"})
            command = c.JudgeGate(name, 1, gate, Verdict.PASS, "all is well", evidence)
            execute(belay, command, by=str(gate))
        review = judge_before_exposure(
            proposal=proposal, policy=policy, from_scope=0, to_scope=100, quality=None, admission=None
        )
        evidence = belay.ledger.put_evidence(review.document)
        execute(
            belay,
            c.JudgeGate(name, 1, Gate.REVIEW, Verdict.PASS, review.sentence, evidence, ReviewVerdict.WIDEN),
            by="review",
        )
        return evidence

    return run


@pytest.fixture
def asked(belay: Services, reviewed: Callable[..., str]) -> Callable[..., Any]:
    """Take a proposal to an open request, and return that."""

    def run(**changes: Any) -> Any:
        reviewed(**changes)
        name = document(**changes)["optimization"]
        known = belay.ledger.state().optimizations[name]
        execute(belay, c.RequestOversight(name, 1, belay.policy(known.capability)), by="approval")
        return next(r for r in belay.ledger.state().open_requests() if r.optimization == name)

    return run


def freeze(belay: Services, target: str) -> None:
    belay.ledger.execute(c.Freeze(target, "black friday"), by=human("nora"), at=belay.now())
