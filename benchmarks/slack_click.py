"""From a click in Slack to its acknowledgement, and to the run that goes on: with 200 open requests.

    python benchmarks/slack_click.py                # 200 open requests, 20 of which are answered
    python benchmarks/slack_click.py --app-only     # Belay's own share: up to where the run is woken

A real Airflow on loopback (LocalExecutor, SQLite) with Belay's plugin; a Slack-compatible server, a process
of its own, which posts signed requests to the plugin's route; `belay slack serve` beside it. Every request
stands in the ledger and as a message in the channel. Of those that are answered, a run waits in Airflow in
the awaiting-input state. Each answer is a click on Approve, the modal, and its submission.

The baseline is what the same server takes for what asks least of it: Airflow's own health check, or, with
--app-only, the refusal of an unsigned request. A run that nobody wakes looks after five minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CAPABILITY, SECRET, NORA = "checkout_wording", "8f742231b10e8888abcd99yyyzzz85a5", "UNORA00000"
DAG_FILE = """
from datetime import timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param

from belay.orchestration import approval
from belay.domain.run import ROLLOUT, Run

Sensor = getattr(approval, "SlackApprovalSensor", None) or approval.ApprovalSensor
form = {"optimization": Param("", type="string")}
with DAG(ROLLOUT + "checkout_wording", schedule=None, max_active_runs=1000, params=form):
    PythonOperator(task_id="admit", python_callable=lambda: {"step": 1}) >> Sensor(
        task_id="approval", recheck=timedelta(minutes=5), retries=3, retry_delay=timedelta(seconds=2)
    )
"""


def main() -> None:
    """Start everything, answer, print, stop everything."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--open", type=int, default=200, help="open requests")
    arguments.add_argument("--answers", type=int, default=20, help="how many of them are answered")
    arguments.add_argument("--app-only", action="store_true", help="without Airflow: to the wake of the run")
    asked = arguments.parse_args()
    running = _app_only if asked.app_only else _running
    with tempfile.TemporaryDirectory(prefix="belay-click-") as folder, running(Path(folder), asked) as took:
        _print(took, asked)


@contextlib.contextmanager
def _app_only(home: Path, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Serve the app that the plugin mounts by itself, and note when a run would be woken."""
    import threading

    import uvicorn
    from tests.support.slack import Slack

    from belay.services import Services
    from belay.settings import Settings
    from belay.slack.http import create_http_app
    from belay.slack.serve import watcher_of
    from belay.slack.settings import SlackSettings

    slack, woken = Slack(), dict[str, float]()
    belay = Services(Settings.from_env(_settings(home)))
    settings = SlackSettings("xoxb-test", "C1", "http://127.0.0.1:1/belay", "", SECRET, slack.url)
    names = _ask(belay, asked.open)
    watcher_of(belay, settings).tick()
    app = create_http_app(belay, settings, wake=lambda r: woken.setdefault(r.optimization, time.time()))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    serving = threading.Thread(target=server.run)
    serving.start()
    try:
        _until("the app is served", lambda: server.started)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/events"
        slack.set(events_url=address, secret=SECRET)
        yield _answer(
            belay, slack, names[: asked.answers], woken.get, lambda: requests.post(address, timeout=9)
        )
    finally:
        server.should_exit = True
        serving.join(20)
        slack.stop()
        belay.ledger.close()


@contextlib.contextmanager
def _running(home: Path, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    from tests.support.slack import Slack

    from belay.local.airflow import LocalAirflow, free_port
    from belay.local.background import Background
    from belay.orchestration.client import AirflowClient
    from belay.services import Services
    from belay.settings import Settings

    slack, environment = Slack(), _settings(home)
    (home / "dags").mkdir()
    (home / "dags" / "approvals.py").write_text(DAG_FILE)
    airflow = LocalAirflow(home / "airflow", free_port(), {"admin": "admin"}, environment)
    environment |= {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "BELAY_AIRFLOW_URL": airflow.url,
        "BELAY_AIRFLOW_USER": "admin",
        "BELAY_AIRFLOW_PASSWORD": airflow.passwords()["admin"],
        "BELAY_PAGES_URL": f"{airflow.url}/belay",
        "BELAY_SLACK_CHANNEL": "C1",
        "SLACK_API_URL": slack.url,
        "SLACK_BOT_TOKEN": "xoxb-test",
        "SLACK_SIGNING_SECRET": SECRET,
    }
    belay = Services(Settings.from_env(environment))
    names = _ask(belay, asked.open)
    desk = Background(home / "slack.pid", home / "slack.log")
    try:
        desk.start([sys.executable, "-m", "belay.cli", "slack", "serve"], {**os.environ, **environment})
        airflow.start(lambda _: None)
        client = AirflowClient(airflow.url, "admin", airflow.passwords()["admin"])
        _park(client, names[: asked.answers])
        _until("every request is posted", lambda: len(slack.posted()) == len(names))
        slack.set(events_url=f"{airflow.url}/belay-slack/events", secret=SECRET)
        health = f"{airflow.url}/api/v2/monitor/health"
        resumed = functools.partial(_resumed, belay)
        yield _answer(belay, slack, names[: asked.answers], resumed, lambda: requests.get(health, timeout=30))
    finally:
        desk.stop(first=signal.SIGINT)
        airflow.stop()
        slack.stop()
        belay.ledger.close()


def _settings(home: Path) -> dict[str, str]:
    """Make policies under which so many may be asked at once, by somebody with a Slack id."""
    policies = home / "capabilities"
    shutil.copytree(ROOT / "include" / "capabilities", policies)
    people = policies / "_people.yaml"
    roster = yaml.safe_load(people.read_text())
    roster["people"]["nora"]["slack"] = NORA
    people.write_text(yaml.safe_dump(roster))
    file = policies / f"{CAPABILITY}.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["limits"] = {
        "max_live": 1000,
        "changes_per_day": 10_000,
        "max_open_requests": 10_000,
        "proposals_per_day": 10_000,
    }
    policy["supervision"] = {"max_pending_each": 10_000}
    file.write_text(yaml.safe_dump(policy))
    return {"BELAY_HOME": str(home), "BELAY_POLICIES": str(policies)}


def _ask(belay: Any, count: int) -> list[str]:
    """Take ``count`` optimizations through their reviews, and ask about each."""
    from belay.domain import commands as c
    from belay.domain.actors import service
    from belay.domain.gates import Gate, Verdict
    from belay.gates.admit import propose
    from belay.gates.intake import parse_proposal
    from belay_lab.shop.scenario import SCENARIOS

    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    policy, names = belay.policy(CAPABILITY), [f"checkout-{number:03d}" for number in range(count)]
    metric = {
        "title": "Conversion",
        "role": "primary",
        "effect": 0.08,
        "low": 0.02,
        "high": 0.14,
        "margin": 0.2,
    }
    evidence = {"kind": "admission", "sentence": "It helps.", "metrics": [metric | {"finding": "harmless"}]}
    for name in names:
        propose(belay, parse_proposal(document | {"optimization": name, "tags": ["brand"]}))
        digest = belay.ledger.put_evidence(evidence)
        judged = [c.JudgeGate(name, 1, g, Verdict.PASS, "fine", None) for g in (Gate.QUALITY, Gate.WINDOW)]
        review = c.JudgeGate(name, 1, Gate.REVIEW, Verdict.PASS, "It helps.", digest)
        for command in (
            c.StartStep(name, f"{name}__step1", policy),
            *judged,
            review,
            c.RequestOversight(name, 1, policy),
        ):
            outcome = belay.ledger.execute(command, by=service("benchmark"), at=belay.now())
            assert outcome.refusal is None, outcome.refusal
    return names


def _park(client: Any, names: list[str]) -> None:
    """Start a run for each, and wait until all of them wait for people."""
    from belay.domain.run import Run
    from belay.orchestration.client import AirflowUnavailableError

    for name in names:
        for _ in range(120):
            with contextlib.suppress(AirflowUnavailableError):  # the DAG was not read yet
                client.start(Run.of_step(CAPABILITY, name, 1), {"optimization": name})
                break
            time.sleep(1)
    for name in names:
        _until(f"{name} waits", lambda name=name: client.waits(Run.of_step(CAPABILITY, name, 1)))


def _answer(
    belay: Any,
    slack: Any,
    names: list[str],
    resumed: Callable[[str], float | None],
    baseline: Callable[[], object],
) -> dict[str, Any]:
    """Answer one after another; return seconds by what was measured."""
    from belay.slack.message import APPROVE

    took: dict[str, list[float]] = {"click": [], "submission": [], "resumed": [], "baseline": []}
    where = {m["metadata"]["event_payload"]["name"]: m["ts"] for m in slack.posted()}
    asked = {r.optimization: r.id for r in belay.ledger.state().open_requests()}
    for name in names:
        views = len(slack.state()["views"])
        clicked = slack.click(NORA, APPROVE, where[asked[name]])
        took["click"].append(slack.acknowledged(clicked)["seconds"])
        _until("the modal is open", lambda views=views: len(slack.state()["views"]) > views)
        began = time.time()
        submitted = slack.submit(NORA, "measured")
        took["submission"].append(slack.acknowledged(submitted)["seconds"])
        took["resumed"].append(_until(f"{name} goes on", lambda name=name: resumed(name)) - began)
        began = time.monotonic()
        baseline()
        took["baseline"].append(time.monotonic() - began)
    return took


def _resumed(belay: Any, name: str) -> float | None:
    """Return when the run of ``name`` judged its approval, by its own entry in the ledger."""
    from belay.domain.events import GateJudged
    from belay.domain.gates import Gate

    for entry in belay.ledger.history(optimization=name):
        if isinstance(entry.event, GateJudged) and entry.event.gate is Gate.APPROVAL:
            return entry.at.timestamp()
    return None


def _until(what: str, condition: Callable[[], Any], patience: float = 600.0) -> Any:
    deadline = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {patience:.0f} s")
        time.sleep(0.1)
    return found


def _print(took: dict[str, list[float]], asked: argparse.Namespace) -> None:
    print(f"{asked.open} open requests, {asked.answers} answered; load average {os.getloadavg()[0]:.1f}")
    print(f"{'':44}{'median':>9}{'p95':>9}{'worst':>9}")
    for name, title in (
        ("click", "click to acknowledgement"),
        ("submission", "submission to acknowledgement"),
        ("resumed", f"submission to the run {'woken' if asked.app_only else 'that goes on'}"),
        ("baseline", f"baseline: {'an unsigned request' if asked.app_only else 'the health check'}"),
    ):
        values = sorted(took[name])
        p95 = values[min(len(values) - 1, round(0.95 * len(values)))]
        print(f"{title:44}{statistics.median(values):8.3f}s{p95:8.3f}s{values[-1]:8.3f}s")
    ratio = statistics.median(took["click"]) / statistics.median(took["baseline"])
    print(f"an acknowledgement takes {ratio:.1f} times the baseline")


if __name__ == "__main__":
    main()
