"""Every setting is parsed in one place: bad values are named, safe ones fall back, addresses never do."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.cli.exits import USAGE, exit_code
from belay.environment import (
    ELSEWHERE,
    VARIABLES,
    WAREHOUSES,
    BadSettingError,
    problems,
    safe_value_of,
    unknown,
    value_of,
)
from belay.settings import Settings
from belay.urls import file_url, parse, written
from belay.warehouse.connection import DIALECTS

ROOT = Path(__file__).resolve().parents[2]
WRONG = [
    ("BELAY_GUARD_SECONDS", "abc"),
    ("BELAY_GUARD_SECONDS", "-5"),
    ("BELAY_GUARD_SECONDS", "0"),
    ("BELAY_GUARD_SECONDS", "nan"),
    ("BELAY_GUARD_SECONDS", "1e12"),
    ("BELAY_RECONCILE_SECONDS", "5m"),
    ("BELAY_APPROVAL_RECHECK_SECONDS", "inf"),
    ("BELAY_FLAG_SETTLE_SECONDS", "-1"),
    ("BELAY_ZONE", "Berlin"),
    ("BELAY_ZONE", "../../etc/passwd"),
    ("BELAY_ZONE", "Europe"),
    ("BELAY_PROMOTION_SCHEDULE", "every morning"),
    ("BELAY_LEDGER_URL", "ledger.db"),
    ("BELAY_LEDGER_URL", "mysql://db/ledger"),
    ("BELAY_WAREHOUSE_URL", "postgresql://db:port/shop"),
    ("BELAY_WAREHOUSE_URL", "nonsense://db/shop"),
    ("BELAY_FLAGS", "flagd"),
    ("BELAY_FLAGS", "launchdarkly:KEY"),
    ("BELAY_AIRFLOW_URL", "airflow.example.com"),
    ("BELAY_AIRFLOW_URL", "http://"),
    ("BELAY_PAGES_URL", "ftp://example.com"),
    ("BELAY_SLACK_CHANNEL", "#approvals"),
    ("SLACK_BOT_TOKEN", "xapp-of-the-other-kind"),
]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_value_that_cannot_be_used_is_named_with_an_example(name: str, text: str) -> None:
    with pytest.raises(BadSettingError) as wrong:
        value_of(name, {name: text})
    said = str(wrong.value)
    assert said.startswith(f"{name}=")
    assert VARIABLES[name].secret or text in said
    assert f"for example {name}={VARIABLES[name].example}" in said
    assert exit_code(wrong.value) == USAGE
    assert problems({name: text}) == [said]


@pytest.mark.parametrize("variable", [v for v in VARIABLES.values() if "…" not in v.example])
def test_every_example_is_right(variable) -> None:
    value_of(variable.name, {variable.name: variable.example})


def test_blank_is_not_set(tmp_path: Path) -> None:
    blank = dict.fromkeys(VARIABLES, " ") | {"BELAY_HOME": str(tmp_path)}
    assert Settings.from_env(blank) == Settings.from_env({"BELAY_HOME": str(tmp_path)})


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadSettingError) as wrong:
        Settings.from_env({"BELAY_GUARD_SECONDS": "abc", "BELAY_ZONE": "Berlin"})
    assert "BELAY_GUARD_SECONDS=abc" in str(wrong.value)
    assert "BELAY_ZONE=Berlin" in str(wrong.value)


def test_what_has_to_go_on_takes_the_default_of_a_time_and_never_of_an_address(tmp_path: Path) -> None:
    broken = {
        "BELAY_HOME": str(tmp_path),
        "BELAY_GUARD_SECONDS": "-1",
        "BELAY_ZONE": "Berlin",
        "BELAY_LEDGER_URL": "ledger.db",
    }
    settings = Settings.forgiving(broken)
    assert settings.guard_every == timedelta(seconds=60)
    assert str(settings.zone) == "UTC"
    assert settings.ledger_url == "ledger.db"
    assert len(settings.problems) == 3


@given(st.sampled_from(sorted(VARIABLES)), st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_no_text_of_any_setting_is_a_defect(name: str, text: str) -> None:
    wrong = problems({name: text})
    safe_value_of(name, {name: text})
    assert Settings.forgiving({name: text}).problems == tuple(wrong)
    assert all(said.startswith(f"{name}=") for said in wrong)


def test_bad_settings_never_take_a_dag_file_down() -> None:
    """In a process of its own: DAG files are read when they are imported."""
    bad = {
        "BELAY_GUARD_SECONDS": "abc",
        "BELAY_RECONCILE_SECONDS": "-3",
        "BELAY_APPROVAL_RECHECK_SECONDS": "soon",
        "BELAY_PROMOTION_SCHEDULE": "daily at six",
        "BELAY_ZONE": "Berlin",
        "BELAY_LEDGER_URL": "ledger.db",
    }
    code = (
        "import runpy\n"
        "for name in ('guard', 'intake', 'reconcile', 'rollouts', 'promotions'):\n"
        "    found = runpy.run_path(f'dags/{name}.py')\n"
        "    assert any('DAG' in type(value).__name__ for value in found.values()), name\n"
    )
    command, environment = [sys.executable, "-c", code], {**os.environ, **bad}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_mistyped_variable_is_named_and_what_others_read_is_not() -> None:
    environ = dict.fromkeys(["BELAY_AIFLOW_URL", "BELAY_NONSENSE", *ELSEWHERE, *VARIABLES, "PATH"], "x")
    assert list(unknown(environ)) == [
        "BELAY_AIFLOW_URL is no setting; did you mean BELAY_AIRFLOW_URL?",
        "BELAY_NONSENSE is no setting",
    ]


def test_nothing_else_reads_the_environment_for_a_setting() -> None:
    """One place: another reader would answer a bad value in another way."""
    own = {ROOT / "include/belay/environment.py"}
    typed = 'envvar="BELAY_USER"'
    for file in [
        *(ROOT / "include").rglob("*.py"),
        *(ROOT / "dags").glob("*.py"),
        *(ROOT / "plugins").glob("*.py"),
    ]:
        if file in own:
            continue
        for line in file.read_text().splitlines():
            reads = (
                'environ.get("BELAY_',
                'environ.get("SLACK_',
                'getenv("BELAY_',
                'environ["SLACK_',
                'environ["BELAY_',
            )
            assert not any(read in line for read in reads) or "BELAY_DEBUG" in line or typed in line, (
                f"{file}: {line}"
            )


def test_the_warehouses_are_those_that_are_read() -> None:
    assert WAREHOUSES == DIALECTS


@pytest.mark.parametrize(
    "text", ["postgresql://db/shop", "postgres://db/shop", "postgresql+psycopg://db/shop"]
)
def test_every_spelling_of_postgres_has_the_driver_that_is_installed(text: str) -> None:
    assert parse(text).drivername == "postgresql+psycopg"
    importlib.import_module("psycopg")


@pytest.mark.parametrize("name", ["a?b", "100 %", "ü #1", "a%3Fb", "?%253F%3F"])
def test_any_folder_can_be_a_home(tmp_path: Path, name: str) -> None:
    from belay.ledger.store import Ledger

    home = tmp_path / name
    settings = Settings.from_env({"BELAY_HOME": str(home)})
    assert parse(settings.ledger_url).database == str(home / "ledger.db")
    Ledger.open(settings.ledger_url).close()
    assert (home / "ledger.db").exists()
    assert written(parse(file_url("duckdb", home))) == file_url("duckdb", home)


def test_postgres_by_its_short_name_opens(postgres_url: str) -> None:
    from belay.ledger.migrations import upgrade
    from belay.ledger.schema import open_engine
    from belay.warehouse.connection import open_warehouse

    short = postgres_url.replace("postgresql+psycopg://", "postgres://")
    with open_warehouse(short).connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    upgrade(open_engine(short))
