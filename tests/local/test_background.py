"""Processes of ours: every one of them ends, and nobody else's does."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import pytest

from belay.local.background import Background

CHILD = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
PARENT = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {CHILD!r}], process_group=0)
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def background(tmp_path):
    found = Background(tmp_path / "its.pid", tmp_path / "its.log")
    yield found
    found.stop(patience=0.1)


def start(background, program, processes=1):
    background.start([sys.executable, "-c", program], {})
    deadline = time.monotonic() + 30
    while len(background.processes()) != processes:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_children_in_groups_of_their_own_end_as_well(background):
    start(background, PARENT, processes=2)
    assert background.stop(patience=5.0)
    assert background.processes() == []
    assert not background.pid_file.exists()
    assert background.last_lines() == "started" or "KeyboardInterrupt" in background.last_lines()


def test_who_ignores_the_signal_is_ended_by_force(background):
    start(background, STUBBORN)
    assert background.stop(first=signal.SIGINT, patience=0.2)
    assert background.processes() == []


def test_another_shell_finds_it_by_its_file(background):
    start(background, CHILD)
    again = Background(background.pid_file, background.log)
    assert again.processes() == background.processes()
    assert again.stop(patience=5.0)


def test_stopping_what_does_not_run_says_so(background):
    assert not background.stop()
    background.pid_file.write_text("no json")
    assert not background.stop()


@pytest.mark.parametrize("change", [{"boot": "another"}, {"started": 1}])
def test_a_number_that_is_somebody_elses_now_is_left_alone(background, change):
    """After a restart of the computer, or when the number was given away."""
    start(background, CHILD)
    truth = background.pid_file.read_text()
    about = json.loads(truth)
    try:
        background.pid_file.write_text(json.dumps(about | change))
        assert background.processes() == []
        assert not background.stop()
        os.kill(about["session"], 0)  # it lives
    finally:
        background.pid_file.write_text(truth)  # the fixture ends it
