"""A step asked in Slack, and a climb, on a real `airflow standalone`.

Its dead components stay dead until somebody starts them: so the scheduler is killed last.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.asked import Asked, Desk
from tests.support.slack import Slack
from tests.support.world import SECRET, World, policies_in, running, slack_id

from belay.domain.events import VoteCast, WideningIntended
from belay.domain.request_state import RequestStatus
from belay.domain.run import Run
from belay.ledger.verify import verify
from belay.local.background import Background

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

PROPOSAL = {
    "title": "Say when the parcel will arrive",
    "hypothesis": "A date beside the button helps people decide.",
    "variants": [{"key": "treatment", "payload": {"label": "yours on Thursday"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
    "prediction": {"effect": 0.08, "low": 0.02, "high": 0.14},
}


@pytest.fixture(scope="module")
def slack() -> Iterator[Slack]:
    server = Slack()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory, slack: Slack) -> Iterator[World]:
    """`airflow standalone`, kept to loopback.

    It has no option for its two log servers, which listen on every address: the ``airflow`` that it finds
    first on its PATH adds Airflow's own --skip-serve-logs and is otherwise the real one.
    """
    home = tmp_path_factory.mktemp("standalone")
    real = Path(sys.executable).with_name("airflow")
    first = home / "bin" / "airflow"
    first.parent.mkdir()
    first.write_text(
        "#!/bin/sh\n"
        f'case "$1" in scheduler|triggerer) exec "{real}" "$@" --skip-serve-logs;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    first.chmod(0o755)
    path = os.pathsep.join([str(first.parent), str(real.parent), os.environ.get("PATH", "")])
    settings = {"BELAY_POLICIES": str(policies_in(home)), "PATH": path}
    with running(home, command=(str(first), "standalone"), slack=slack, **settings) as started:
        yield started


def scheduler_of(world: World) -> int:
    """Return the process that standalone started as its scheduler; its executor's workers came after it."""
    session = Background(world.airflow.pid_file, world.airflow.log).processes()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in session}
    return min(pid for pid, words in commands.items() if b"scheduler" in words)


def proposed(world: World, name: str, capability: str, **more: object) -> str:
    """Trigger the first step of an optimization over the REST API; return its run."""
    conf = {"optimization": name, **PROPOSAL, **more}
    body = {"dag_run_id": f"{name}__step1", "logical_date": None, "conf": conf}
    world.trigger(f"rollout__{capability}", body)
    return str(body["dag_run_id"])


def test_the_whole_loop_through_slack(standalone: World, slack: Slack) -> None:
    name = "hints-standalone"
    desk, asked = Desk(standalone), Asked(standalone, slack, name)
    desk.start()
    try:
        run = proposed(standalone, name, "checkout_hints", tags=["brand"])  # brand: people approve each step
        posted = standalone.until("it is posted", asked.message)
        standalone.until(
            "the task waits", lambda: standalone.client().waits(Run("rollout__checkout_hints", run))
        )
        standalone.until("the socket is connected", lambda: slack.state()["connected"])
        asked.approve(slack_id("nora"), "calm is good")
        standalone.until("the tally", lambda: asked.shows("1 of 2 approvals"))
        assert standalone.served(name) == 0
        slack.set(events_url=f"{standalone.airflow.url}/belay-slack/events", secret=SECRET)
        asked.approve(slack_id("omar"), "no legal risk")
        standalone.until("1 % is served", lambda: standalone.served(name) == 100)
        outcome = standalone.until("the outcome", lambda: asked.shows("Approved by"))
        request = asked.request()
        slack.command(slack_id("omar"), f"veto {name} the surface is wanted for something else")
        standalone.until("it is taken down", lambda: standalone.served(name) == 0)
    finally:
        desk.stop()
    assert outcome["ts"] == posted["ts"]
    assert [block for block in outcome["blocks"] if block["type"] == "actions"] == []
    assert request is not None
    assert request.status is RequestStatus.GRANTED
    votes = [
        (entry.event.voter, entry.event.via)
        for entry in standalone.belay.ledger.history(optimization=name)
        if isinstance(entry.event, VoteCast)
    ]
    assert votes == [("nora", "slack"), ("omar", "slack")]


def test_a_rollout_survives_a_killed_scheduler(standalone: World, tmp_path: Path) -> None:
    name = "checkout-standalone"
    proposed(standalone, name, "checkout_wording")
    standalone.until("the step is admitted", lambda: (known := standalone.optimization(name)) and known.step)
    assert standalone.served(name) == 0
    os.kill(scheduler_of(standalone), signal.SIGKILL)
    again = Background(tmp_path / "scheduler.pid", tmp_path / "scheduler.log")
    again.start(["airflow", "scheduler"], standalone.airflow.environ())
    try:
        standalone.until("the flag file shows the first exposure", lambda: standalone.served(name) == 100)
        standalone.until("the ledger confirms it", lambda: standalone.optimization(name).scope == 100)
    finally:
        again.stop()
    widened = [
        entry.event
        for entry in standalone.belay.ledger.history(optimization=name)
        if isinstance(entry.event, WideningIntended)
    ]
    assert [(event.from_scope, event.to_scope) for event in widened] == [(0, 100)]
    assert verify(standalone.belay.ledger).ok
