"""The supervisor, with four small programs in the place of Airflow's components."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from belay.local.background import Background

INCLUDE = Path(__file__).resolve().parents[2] / "include"
AIRFLOW = """
import pathlib, sys, time
with pathlib.Path("calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1:] == ["db", "migrate"]:
    sys.exit({migrated})
if sys.argv[1] == "scheduler":  # its workers ignore the interrupt, as LocalExecutor's do
    import signal, subprocess
    ignoring = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], preexec_fn=ignoring)
time.sleep(600)
"""


@pytest.fixture
def supervised(tmp_path):
    """Start the supervisor where ``airflow`` is a program that writes down how it was called."""
    running = Background(tmp_path / "pid", tmp_path / "log")

    def start(migrated=0):
        (tmp_path / "airflow").mkdir()
        (tmp_path / "airflow" / "__init__.py").touch()
        (tmp_path / "airflow" / "__main__.py").write_text(AIRFLOW.format(migrated=migrated))
        path = f"{tmp_path}{os.pathsep}{INCLUDE}"
        return running, running.start(
            [sys.executable, "-m", "belay.local.supervisor"], {**os.environ, "PYTHONPATH": path}
        )

    yield start
    running.stop(patience=0.5)


def until(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def pids(running, component):
    return [int(n) for n in re.findall(rf"{component} is process (\d+)", running.last_lines(1000))]


def test_it_migrates_first_then_starts_all_four_and_again_what_dies(supervised, tmp_path):
    running, process = supervised()
    (scheduler,) = until(lambda: pids(running, "scheduler"))
    until(lambda: len((tmp_path / "calls").read_text().splitlines()) == 5)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == "db migrate"
    assert {call.split()[0] for call in calls[1:]} == {
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
    }
    until(lambda: len(running.processes()) == 6)  # the scheduler has its worker
    os.kill(scheduler, signal.SIGKILL)
    until(lambda: len(pids(running, "scheduler")) == 2)
    assert "scheduler ended with -9; starting it again" in running.last_lines(1000)
    assert len(pids(running, "triggerer")) == 1
    until(lambda: len(running.processes()) == 7)  # with the worker that the dead scheduler left behind
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert running.processes() == []


def test_an_interrupt_ends_them_all(supervised, tmp_path):
    running, process = supervised()
    until(lambda: len(running.processes()) == 6)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert running.processes() == []


def test_a_database_that_cannot_be_migrated_starts_nothing(supervised, tmp_path):
    running, process = supervised(migrated=3)
    assert process.wait(30) != 0
    assert "returned non-zero exit status 3" in running.last_lines()
    assert (tmp_path / "calls").read_text().splitlines() == ["db migrate"]
