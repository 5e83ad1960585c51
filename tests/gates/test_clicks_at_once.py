"""Two people click in the same millisecond, on two channels: one outcome, and every answer on record.

Real threads, each with its own connection to the ledger, as a web server and a Socket Mode process have.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
import yaml
from tests.support import profiles

from belay.actuation.flag_writer import settle_scope
from belay.domain import commands as c
from belay.domain.events import Choice, CommandRefused, OversightGranted, RequestClosed, VoteCast
from belay.domain.gates import Gate, Verdict
from belay.domain.request_state import RequestStatus
from belay.domain.roster import AirflowUser
from belay.domain.run import Run
from belay.execution import RefusedError, execute
from belay.gates.admit import propose
from belay.gates.airflow_answers import APPROVE, REJECT, VETO, record_answer
from belay.gates.approval import approval
from belay.gates.intake import parse_proposal
from belay.gates.widen import widen
from belay.ledger.migrations import upgrade
from belay.ledger.verify import verify
from belay.oversight import people
from belay.services import Services
from belay.settings import Settings

PACKAGED = Path(__file__).resolve().parents[2] / "include" / "capabilities"
ROUNDS = 12 if profiles.name() == "nightly" else 3
Click = Callable[[Services, str], None]


class OneMoment(Services):
    """Services whose clock stands still: every click carries the same millisecond."""

    moment = datetime.now(UTC) + timedelta(seconds=1)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def belays(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Services]]:
    """Four processes' worth of services on one ledger; a step takes a cx_owner and a risk_owner."""
    policies = tmp_path / "include" / "capabilities"
    shutil.copytree(PACKAGED, policies)
    file = policies / "checkout_wording.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["approval"] = {"roles": ["cx_owner", "risk_owner"], "quorum": 2}
    file.write_text(yaml.safe_dump(policy))
    environment = {"BELAY_HOME": str(tmp_path / "home"), "BELAY_POLICIES": str(policies)}
    if request.param == "postgresql":
        environment["BELAY_LEDGER_URL"] = url = request.getfixturevalue("postgres_database")
        engine = sa.create_engine(url)
        upgrade(engine)
        engine.dispose()
    made: list[Services] = [OneMoment(Settings.from_env(environment)) for _ in range(4)]
    yield made
    for belay in made:
        belay.ledger.close()


def asked(belay: Services, number: int) -> str:
    """Bring an optimization to its question, and return its name."""
    document = {
        "optimization": f"opt-{number}",
        "capability": "checkout_wording",
        "title": "Say when the parcel will arrive",
        "hypothesis": "A date helps people decide.",
        "variants": [{"key": "treatment", "payload": 1}],
        "agent": "copywriter",
        "agent_owner": "dana",
        "tags": ["brand"],
    }
    name = propose(belay, parse_proposal(document)).id
    execute(belay, c.StartStep(name, f"{name}__step1", belay.policy("checkout_wording")), by="admit")
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        evidence = belay.ledger.put_evidence({"kind": str(gate)})
        execute(belay, c.JudgeGate(name, 1, gate, Verdict.PASS, "no harm", evidence), by=str(gate))
    approval(belay, name, 1)
    return name


def required_actions(person: str, option: str) -> Click:
    """A click on Airflow's page."""

    def click(belay: Services, name: str) -> None:
        record_answer(belay, Run.of_step("checkout_wording", name, 1), AirflowUser(person), option, "read it")

    return click


def slack(person: str, choice: Choice = Choice.APPROVE) -> Click:
    """A click on a message."""

    def click(belay: Services, name: str) -> None:
        who, step = belay.roster().person(person), belay.ledger.state().optimizations[name].step
        assert who is not None
        assert step is not None
        assert step.request is not None
        people.vote(belay, step.request, choice, person=who, reason="read it", via="slack")

    return click


def at_once(belays: list[Services], name: str, *clicks: Click) -> list[str]:
    """Let every click happen at the same moment; return the rules that refused one."""
    ready = Barrier(len(clicks))

    def run(belay: Services, click: Click) -> str:
        belay.ledger.state()
        ready.wait()
        try:
            click(belay, name)
        except RefusedError as refused:
            return refused.refusal.rule
        return ""

    with ThreadPoolExecutor(len(clicks)) as pool:
        running = [pool.submit(run, belay, click) for belay, click in zip(belays, clicks, strict=False)]
        return sorted(future.result() for future in running)


def events(belay: Services, name: str, *kinds: type) -> list[object]:
    found = [recorded.event for recorded in belay.ledger.history()]
    return [event for event in found if isinstance(event, kinds) and name in repr(event)]


def rounds(belays: list[Services], *clicks: Click) -> Iterator[tuple[str, list[str]]]:
    for number in range(ROUNDS):
        name = asked(belays[0], number)
        yield name, at_once(belays, name, *clicks)
    assert verify(belays[0].ledger).ok


def test_two_approvers_on_two_channels_make_one_grant(belays: list[Services]) -> None:
    for name, refused in rounds(belays, required_actions("nora", APPROVE), slack("ruth")):
        assert refused == ["", ""]
        assert {event.voter for event in events(belays[0], name, VoteCast)} == {"nora", "ruth"}
        assert len(events(belays[0], name, OversightGranted)) == 1


def test_one_person_on_two_channels_is_heard_once(belays: list[Services]) -> None:
    for name, refused in rounds(belays, required_actions("nora", APPROVE), slack("nora")):
        assert refused in (["", ""], ["", "voted-already"])
        assert [event.voter for event in events(belays[0], name, VoteCast)] == ["nora"]
        assert not events(belays[0], name, OversightGranted)


def test_yes_and_no_at_once_end_in_no_and_both_are_on_record(belays: list[Services]) -> None:
    clicks = (required_actions("nora", REJECT), slack("ruth"), slack("priya"), slack("omar"))
    for name, refused in rounds(belays, *clicks):
        state = belays[1].ledger.state()
        (request,) = [r for r in state.requests.values() if r.optimization == name]
        granted = len(events(belays[0], name, OversightGranted))
        rejected = len(events(belays[0], name, RequestClosed))
        assert (granted, rejected) in ((1, 0), (0, 1)), "one outcome"
        assert request.status is (RequestStatus.GRANTED if granted else RequestStatus.REJECTED)
        votes = events(belays[0], name, VoteCast)
        late = events(belays[0], name, CommandRefused)
        assert len(votes) + len(late) == len(clicks), "every answer is on record"
        assert refused == [""] * len(votes) + ["request-closed"] * len(late)


def test_a_veto_at_the_same_moment_wins(belays: list[Services]) -> None:
    clicks = (required_actions("nora", APPROVE), slack("ruth"), required_actions("omar", VETO))
    for name, refused in rounds(belays, *clicks):
        assert set(refused) <= {"", "request-closed"}
        known = belays[3].ledger.state().optimizations[name]
        assert (known.status, known.scope) == ("vetoed", 0)
        with pytest.raises(RefusedError):
            widen(belays[3], name, 1)
        assert settle_scope(belays[3], name).scope == 0
