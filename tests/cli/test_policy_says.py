"""`belay policy check|show` and `belay doctor` say what an owner wants to see first, and warn of haste."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Belay


def test_show_prints_who_is_asked_for_how_long(belay: Belay) -> None:
    said = belay("policy", "show", "checkout_wording").output
    for words in (
        "3d to 14d of data time",
        "a look every 10m",
        "1d: then silence means no",
        "4h: then silence means yes",
        "always",
        "5 % never see any of its changes",
        "3 variants a change, 1 live, 6 widenings a day",
    ):
        assert words in " ".join(said.split()), f"{words!r} is not in\n{said}"


def test_haste_is_a_warning_of_check_and_of_doctor(belay: Belay, policies: Path) -> None:
    fine = belay("policy", "check")
    assert "warning" not in fine.output
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text() + "approval: {notice: 15s}\n")
    checked = belay("policy", "check")
    assert checked.exit_code == 0
    assert "warning: checkout_wording: approval.notice is 15s: under 15 minutes" in checked.output
    (warning,) = json.loads(belay("policy", "check", "--json").stdout)["warnings"]
    assert "checkout_wording" in warning
    (said,) = [f for f in json.loads(belay("doctor", "--json").stdout) if f["part"] == "policies"]
    assert "warns of checkout_wording" in said["detail"]


def test_an_unknown_suite_is_named(belay: Belay, policies: Path) -> None:
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text() + "suites: [exposure]\n")
    checked = belay("policy", "check")
    assert checked.exit_code == 1
    assert "there is no suite 'exposure' in expectations/ (found 'exposure'); did you mean" in checked.output


def test_a_catalogue_without_exposures_is_refused(belay: Belay, policies: Path) -> None:
    file = policies / "_metrics.yaml"
    file.write_text(file.read_text().replace("  exposures:\n", "  impressions:\n"))
    checked = belay("policy", "check")
    assert checked.exit_code == 1
    assert "there is no source 'exposures'" in checked.output


def test_the_warehouse_is_asked_for_tables_columns_and_traffic(
    belay: Belay, policies: Path, home: Path, monkeypatch
) -> None:
    import sqlite3

    monkeypatch.setenv("COLUMNS", "300")
    file = home.parent / "shop.db"
    with sqlite3.connect(file) as shop:
        shop.execute(
            "CREATE TABLE exposures (event_id, unit_id, optimization, variant, surface, event_time,"
            " ingested_at, device, visiter, is_bot)"
        )
        shop.execute("INSERT INTO exposures (surface) VALUES ('checkout')")
        shop.execute(
            "CREATE TABLE outcomes (unit_id, event_time, ingested_at, converted, revenue, support_tickets,"
            " unsubscribed, page_errors, page_views)"
        )
    monkeypatch.setenv("BELAY_WAREHOUSE_URL", f"sqlite:///{file}")
    checked = belay("policy", "check", "--warehouse")
    assert checked.exit_code == 1
    for words in (
        "the table exposures has no column visitor",
        "did you mean 'visiter'?",
        "the warehouse has no table units; covariate of revenue_per_visitor need it",
        "the warehouse has no table decisions; shadow of brand_voice need it",
        "no exposures of surface account are in the warehouse",
    ):
        assert words in checked.output, checked.output
    assert "surface checkout" not in checked.output
    assert belay("policy", "check").exit_code == 0


def test_the_demos_stop_command_names_its_home_and_works_anywhere(tmp_path: Path) -> None:
    import shlex
    import subprocess

    from belay.local.world import LocalWorld
    from belay_lab.commands.demo import command

    home = tmp_path / "a home"
    printed = command(LocalWorld(home), "down")
    assert shlex.split(printed)[0] == f"BELAY_HOME={home}"
    done = subprocess.run(printed, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(home) in " ".join(done.stdout.split())


def test_doctor_sees_the_airflow_that_up_started(belay: Belay, home: Path, monkeypatch) -> None:
    from belay.local.airflow import LocalAirflow

    (home / "airflow").mkdir(parents=True)
    (home / "airflow" / "port").write_text("9")
    (before,) = [f for f in json.loads(belay("doctor", "--json").stdout) if f["part"] == "orchestration"]
    assert before["answers"] == "not in use", "it was started once and runs no more"
    monkeypatch.setattr(LocalAirflow, "running", lambda _self: True)
    (found,) = [f for f in json.loads(belay("doctor", "--json").stdout) if f["part"] == "orchestration"]
    assert (found["in_use"], found["answers"]) == ("http://127.0.0.1:9", "no")
