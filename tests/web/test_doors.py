"""Guards every door to an act: who may, in one table that is held to the routes and commands there are."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.web.conftest import PACKAGED, User, document

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.domain.roster import AirflowUser
from belay.domain.run import Run
from belay.execution import RefusedError, execute
from belay.gates.admit import propose
from belay.gates.airflow_answers import APPROVE, LOOK, REJECT, VETO, record_answer
from belay.gates.intake import parse_proposal
from belay.services import Services
from belay.settings import Settings

WHO = ("nora", "carla", "dana", "copywriter", "a-service")
"""An approver with a veto, the capability's owner without a role, the agent's owner, the agent, nobody."""
APPROVER, PEOPLE, WITH_ROLE = {"nora"}, {"nora", "carla", "dana"}, {"nora", "dana"}
PROPOSERS, NOBODY = PEOPLE | {"copywriter"}, set[str]()
NAME, RUN, WHY = "delivery-date", "delivery-date__step1", "because I read it"

API = {
    "POST /api/proposals": PROPOSERS,
    "POST /api/requests/{request_id}/votes": APPROVER,
    "POST /api/vetoes/{target}": APPROVER,
    "POST /api/stops": APPROVER,
    "POST /api/freezes": PEOPLE,
}
API_ELSEWHERE = {"POST /api/optimizations/{optimization}/start": "Airflow starts the run, as its user may"}
CLI = {
    "propose": PROPOSERS,
    "approve": APPROVER,
    "reject": APPROVER,
    "veto": APPROVER,
    "stop": APPROVER,
    "freeze": PEOPLE,
    "unfreeze": APPROVER,
    "judge": APPROVER,
    "delegate": WITH_ROLE,
    "policy adopt": PEOPLE,
}
CLI_ELSEWHERE = {
    "undelegate": "tests/domain/rules/test_delegation.py: giver or receiver",
    "promote": "tests/cli/test_autonomy.py: asks Airflow; people decide",
    "reconcile": "tests/cli/test_reconcile.py: --accept narrows alone",
}
SLACK = {"veto": APPROVER, "stop": APPROVER, "judge": APPROVER, "delegate": WITH_ROLE, "status": NOBODY}
REQUIRED_ACTIONS = {APPROVE: APPROVER, REJECT: APPROVER, VETO: APPROVER, LOOK: NOBODY}
TRIGGER = {"rollout": PROPOSERS}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A proposal of the agent that waits for people, another that does not, and a freeze."""
    home = tmp_path_factory.mktemp("doors")
    shutil.copytree(PACKAGED, home / "capabilities")
    roster = home / "capabilities" / "_people.yaml"
    people = yaml.safe_load(roster.read_text())
    for name, person in people["people"].items():
        person["slack"] = f"U{name.upper():0<9}"
    roster.write_text(yaml.safe_dump(people))
    belay = opened(home)
    for name in (NAME, "idea"):
        propose(belay, parse_proposal(document(name)))
    policy = belay.policy("checkout_wording")
    execute(belay, c.StartStep(NAME, RUN, policy), by="admit")
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        execute(belay, c.JudgeGate(NAME, 1, gate, Verdict.PASS, "no harm", None), by=str(gate))
    execute(belay, c.RequestOversight(NAME, 1, policy), by="approval")
    execute(belay, c.Freeze("surface:checkout", "a look"), by="guard")
    belay.ledger.close()
    return home


def opened(home: Path) -> Services:
    environment = {"BELAY_HOME": str(home), "BELAY_POLICIES": str(home / "capabilities")}
    return Services(Settings.from_env(environment))


@pytest.fixture
def through(base: Path, tmp_path: Path) -> Callable[..., set[str]]:
    """Let each of ``WHO`` go through a door, in a world of their own; return who acted under their name."""

    def go(door: Callable[[Services, str], None]) -> set[str]:
        found = set()
        for who in WHO:
            home = tmp_path / who
            shutil.copytree(base, home)
            belay = opened(home)
            before, _ = belay.ledger.head()
            with contextlib.suppress(RefusedError, ValueError):
                door(belay, who)
            kind = "agent" if who == "copywriter" else "human"
            entries = [e for e in belay.ledger.history(before) if e.event.kind != "command.refused"]
            others = {str(e.by) for e in entries} - {f"{kind}:{who}"}
            assert not [other for other in others if not other.startswith("service:")], (who, others)
            if any(str(e.by) == f"{kind}:{who}" for e in entries):
                found.add(who)
            belay.ledger.close()
            shutil.rmtree(home)
        return found

    return go


def request_of(belay: Services) -> Any:
    (request,) = belay.ledger.state().open_requests()
    return request


# -- the table holds every door there is ---------------------------------------------------------------


def test_every_route_that_changes_something_is_in_the_table() -> None:
    from fastapi.routing import APIRoute

    from belay.web.app import create_app

    routes = [route for route in create_app().routes if isinstance(route, APIRoute)]
    doors = {f"{method} {r.path}" for r in routes for method in r.methods - {"GET", "HEAD"}}
    assert doors == API.keys() | API_ELSEWHERE.keys()


def test_every_command_that_asks_who_somebody_is_is_in_the_table() -> None:
    import typer

    from belay.cli.app import app

    def walk(group: Any, *before: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, *before, name)
            elif any(parameter.name == "who" for parameter in command.params):
                yield " ".join((*before, name))

    assert set(walk(typer.main.get_command(app))) == CLI.keys() | CLI_ELSEWHERE.keys()


def test_every_verb_of_slack_every_option_and_every_dag_is_in_the_table(base: Path) -> None:
    from types import SimpleNamespace

    from belay.gates import airflow_answers as answers
    from belay.slack.commands import Commands

    belay = opened(base)
    watcher = SimpleNamespace(belay=belay)
    desk: Any = SimpleNamespace(watcher=watcher, wake=None, person=None, repeats=None)
    assert Commands(desk)._verbs.keys() == SLACK.keys()
    assert {answers.APPROVE, answers.REJECT, answers.VETO, answers.LOOK} == REQUIRED_ACTIONS.keys()
    takes_proposals = {path.stem for path in (Path(__file__).parents[2] / "dags").glob("*.py")}
    assert takes_proposals <= {"rollouts", "promotions", "guard", "reconcile", "intake"}, "a DAG is a door"


# -- each door, each identity ----------------------------------------------------------------------------


def bodies(belay: Services) -> dict[str, tuple[str, dict[str, Any]]]:
    request = request_of(belay)
    vote = {"choice": "approve", "reason": WHY, "digest": request.digest}
    return {
        "POST /api/proposals": ("/api/proposals", document("another", agent="copywriter")),
        "POST /api/requests/{request_id}/votes": (f"/api/requests/{request.id}/votes", vote),
        "POST /api/vetoes/{target}": (f"/api/vetoes/{NAME}", {"reason": WHY}),
        "POST /api/stops": ("/api/stops", {"target": "all", "reason": WHY}),
        "POST /api/freezes": ("/api/freezes", {"target": "all", "reason": WHY}),
    }


def post(belay: Services, who: str, path: str, body: dict[str, Any], *, wide: bool = False) -> Any:
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    from belay.web import auth
    from belay.web.app import create_app
    from belay.web.wiring import services

    app = create_app()
    app.dependency_overrides |= {services: lambda: belay, get_user: lambda: User(who)}
    app.dependency_overrides |= {auth.reader.dependency: lambda: None, auth.answerer.dependency: lambda: None}
    app.dependency_overrides[auth.changes_dags] = lambda: wide
    return TestClient(app, headers={"Origin": "http://testserver"}).post(path, json=body)


@pytest.mark.parametrize("door", API)
def test_over_the_api(through, door: str) -> None:
    assert through(lambda belay, who: post(belay, who, *bodies(belay)[door])) == API[door]


def test_lifting_a_freeze_over_the_api(through) -> None:
    body = {"target": "surface:checkout", "reason": WHY, "frozen": False}
    assert through(lambda belay, who: post(belay, who, "/api/freezes", body)) == APPROVER


def test_an_agents_account_that_may_change_dags_proposes_nothing(through) -> None:
    """It could pause the guard: the smallest role of Airflow is insisted on."""
    door = document("another", agent="copywriter")
    through_it = through(lambda belay, who: post(belay, who, "/api/proposals", door, wide=True))
    assert through_it == PROPOSERS - {"copywriter"}


def test_too_many_proposals_are_told_when_to_come_back(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "home")
    belay = opened(tmp_path / "home")
    file = belay.settings.policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("owner: carla", "limits: {proposals_per_day: 2}\nowner: carla"))
    belay.ledger.execute(
        c.AdoptPolicy(belay.policy("checkout_wording"), "fewer"), by=human_of("carla"), at=belay.now()
    )
    answer = post(belay, "copywriter", "/api/proposals", document("third"))
    assert answer.status_code == 429
    assert 86_000 < int(answer.headers["Retry-After"]) <= 86_400
    assert "the next one is taken from" in answer.json()["detail"]
    belay.ledger.close()


def human_of(name: str) -> Any:
    from belay.domain.actors import human

    return human(name)


ARGUMENTS: dict[str, Callable[[Services], list[str]]] = {
    "propose": lambda belay: [str(_file(belay)), "--no-start"],
    "approve": lambda _: [NAME, "-r", WHY],
    "reject": lambda _: [NAME, "-r", WHY],
    "veto": lambda _: [NAME, "-r", WHY],
    "stop": lambda _: ["all", "-r", WHY],
    "freeze": lambda _: ["all", "-r", WHY],
    "unfreeze": lambda _: ["surface:checkout", "-r", WHY],
    "judge": lambda _: ["idea", "yes", "-r", WHY],
    "delegate": lambda _: ["priya", "--until", "3d", "-r", WHY],
    "policy adopt": lambda _: ["brand_voice", "-r", WHY],
}


def _file(belay: Services) -> Path:
    file = belay.settings.home / "proposal.yaml"
    file.write_text(yaml.safe_dump(document("another", agent="copywriter")))
    return file


@pytest.mark.parametrize("door", CLI)
def test_at_the_command_line(through, monkeypatch: pytest.MonkeyPatch, door: str) -> None:
    from typer.testing import CliRunner

    from belay.cli.app import app

    def enter(belay: Services, who: str) -> None:
        monkeypatch.setenv("BELAY_HOME", str(belay.settings.home))
        monkeypatch.setenv("BELAY_POLICIES", str(belay.settings.policies))
        CliRunner().invoke(app, [*door.split(), *ARGUMENTS[door](belay), "--as", who])

    assert through(enter) == CLI[door]


SAID = {
    "veto": f"{NAME} {WHY}",
    "stop": f"all {WHY}",
    "judge": f"idea yes {WHY}",
    "delegate": f"priya until 3d {WHY}",
    "status": "",
}


@pytest.mark.parametrize("door", SLACK)
def test_in_slack(through, door: str) -> None:
    from types import SimpleNamespace

    from belay.slack.commands import Commands

    def enter(belay: Services, who: str) -> None:
        watcher = SimpleNamespace(belay=belay)
        desk: Any = SimpleNamespace(watcher=watcher, wake=lambda _: None, person=None, repeats=None)
        desk.person = belay.roster().by_slack_id
        commands = Commands(desk)
        commands._done(commands._verbs[door], f"U{who.upper():0<9}", SAID[door])

    assert through(enter) == SLACK[door]


@pytest.mark.parametrize("choice", ["approve", "reject", "veto"])
def test_the_buttons_in_slack(through, choice: str) -> None:
    from belay.slack.modal import Answer
    from belay.slack.votes import cast

    def enter(belay: Services, who: str) -> None:
        request = request_of(belay)
        person = belay.roster().by_slack_id(f"U{who.upper():0<9}")
        cast(belay, Answer(choice, request.id, request.digest), person, WHY)

    assert through(enter) == APPROVER


@pytest.mark.parametrize("option", [APPROVE, REJECT, VETO])
def test_on_required_actions(through, option: str) -> None:
    def enter(belay: Services, who: str) -> None:
        record_answer(
            belay,
            Run.of_rollout("checkout_wording", RUN),
            AirflowUser(who, who),
            option,
            WHY,
            request_of(belay).digest,
        )

    assert through(enter) == REQUIRED_ACTIONS[option]


def test_by_triggering_a_dag(through, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who started the run proposes, and never the agent that the form names."""
    from types import SimpleNamespace

    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    from belay.orchestration import operators

    def enter(belay: Services, who: str) -> None:
        monkeypatch.setattr(operators, "services", lambda: belay)
        run = SimpleNamespace(run_type="manual", triggering_user_name=who)
        context: Any = {"params": document("another"), "run_id": "run-1", "dag_run": run}
        # Held or refused, never passed: what was recorded is what counts here.
        with pytest.raises((AirflowFailException, AirflowSkipException)):
            operators.AdmitOperator(task_id="admit").execute(context)

    assert through(enter) == TRIGGER["rollout"]
