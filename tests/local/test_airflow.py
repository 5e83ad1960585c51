"""An Airflow of one's own, as far as it can be told without starting one (tests/e2e start one)."""

from __future__ import annotations

import json
import stat
import sys

import pytest

from belay.local.airflow import AirflowNotRunningError, LocalAirflow, free_port
from belay.local.background import Background


@pytest.fixture
def airflow(tmp_path):
    return LocalAirflow(
        tmp_path / "airflow", free_port(), {"admin": "admin", "nora": "user"}, {"BELAY_X": "1"}
    )


def test_passwords_are_the_owners_alone_and_stay(airflow):
    first = airflow.passwords()
    assert set(first) == {"admin", "nora"}
    assert len(set(first.values())) == 2
    path = airflow.home / "passwords.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert airflow.passwords() == first == json.loads(path.read_text())


def test_it_listens_on_loopback_and_lets_nobody_in_without_a_name(airflow, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    environment = airflow.environ()
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin,nora:user"
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in environment
    assert environment["BELAY_AIRFLOW_URL"] == airflow.url
    assert environment["BELAY_X"] == "1"


def test_it_refuses_to_start_twice(airflow):
    running = Background(airflow.pid_file, airflow.log)
    running.start([sys.executable, "-c", "import time; time.sleep(600)"], {})
    try:
        with pytest.raises(AirflowNotRunningError, match=r"running in .* already"):
            airflow.start()
        assert running.processes()
    finally:
        airflow.stop()
    assert not airflow.running()


@pytest.mark.slow
def test_one_that_cannot_start_shows_the_end_of_its_log(airflow):
    """Its database is a folder that cannot be one."""
    (airflow.home / "airflow.db").mkdir(parents=True)
    with pytest.raises(AirflowNotRunningError, match=r"did not start; the end of .*airflow\.log"):
        airflow.start()
    assert not airflow.running()
