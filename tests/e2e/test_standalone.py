"""A climb on a real `airflow standalone`, whose dead components stay dead until somebody starts them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.world import World, running

from belay.domain.events import WideningIntended
from belay.ledger.verify import verify
from belay.orchestration.background import Background

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

NAME, DAG = "checkout-standalone", "rollout__checkout_wording"
PROPOSAL = {
    "optimization": NAME,
    "title": "Say when the parcel will arrive",
    "hypothesis": "A date beside the button helps people decide.",
    "variants": [{"key": "treatment", "payload": {"label": "yours on Thursday"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
    "prediction": {"effect": 0.08, "low": 0.02, "high": 0.14},
}


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[World]:
    """`airflow standalone`, kept to loopback.

    It has no option for its two log servers, which listen on every address: the ``airflow`` that it finds
    first on its PATH adds Airflow's own --skip-serve-logs and is otherwise the real one.
    """
    real = Path(sys.executable).with_name("airflow")
    first = tmp_path / "bin" / "airflow"
    first.parent.mkdir()
    first.write_text(
        "#!/bin/sh\n"
        f'case "$1" in scheduler|triggerer) exec "{real}" "$@" --skip-serve-logs;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    first.chmod(0o755)
    path = os.pathsep.join([str(first.parent), str(real.parent), os.environ.get("PATH", "")])
    with running(tmp_path / "home", command=(str(first), "standalone"), PATH=path) as started:
        yield started


def scheduler_of(world: World) -> int:
    """Return the process that standalone started as its scheduler; its executor's workers came after it."""
    session = Background(world.airflow.pid_file, world.airflow.log).processes()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in session}
    return min(pid for pid, words in commands.items() if b"scheduler" in words)


def test_a_rollout_survives_a_killed_scheduler(standalone: World, tmp_path: Path) -> None:
    body = {"dag_run_id": f"{NAME}__step1", "logical_date": None, "conf": PROPOSAL}
    standalone.call("admin", "POST", f"/api/v2/dags/{DAG}/dagRuns", body).raise_for_status()
    standalone.until("the step is admitted", lambda: (known := standalone.optimization(NAME)) and known.step)
    assert standalone.served(NAME) == 0
    os.kill(scheduler_of(standalone), signal.SIGKILL)
    again = Background(tmp_path / "scheduler.pid", tmp_path / "scheduler.log")
    again.start(["airflow", "scheduler"], standalone.airflow.environ())
    try:
        standalone.until("the flag file shows the first exposure", lambda: standalone.served(NAME) == 100)
        standalone.until("the ledger confirms it", lambda: standalone.optimization(NAME).scope == 100)
    finally:
        again.stop()
    widened = [
        entry.event
        for entry in standalone.belay.ledger.history(optimization=NAME)
        if isinstance(entry.event, WideningIntended)
    ]
    assert [(event.from_scope, event.to_scope) for event in widened] == [(0, 100)]
    assert verify(standalone.belay.ledger).ok
