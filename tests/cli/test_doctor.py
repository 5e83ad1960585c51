"""doctor: what is in use, and whether it answers."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from tests.support.slack import Slack

from belay.ledger.watch import Beat, Watch
from belay.local.airflow import free_port
from belay_lab.shop.lake import Lake


def parts(belay) -> tuple[int, dict[str, dict[str, str]]]:
    done = belay("doctor", "--json")
    return done.exit_code, {found["part"]: found for found in json.loads(done.stdout)}


def test_each_part_of_the_design_is_asked(belay, home: Path) -> None:
    code, found = parts(belay)
    assert code == 3
    wanted = "settings,policies,orchestration,ledger,warehouse,data clock,flags,guard,stops,people"
    assert list(found) == wanted.split(",")
    assert found["orchestration"]["answers"] == "not in use"
    assert found["ledger"]["answers"] == "no"
    assert "there is no ledger" in found["ledger"]["detail"]
    assert found["warehouse"]["answers"] == "no"
    assert found["flags"]["answers"] == "yes"


def test_all_is_well_when_everything_answers(belay, home: Path, request_id: str) -> None:
    Lake(home).create()
    code, found = parts(belay)
    assert {part: said["answers"] for part, said in found.items()} == {
        "settings": "yes",
        "policies": "yes",
        "orchestration": "not in use",
        "ledger": "yes",
        "warehouse": "yes",
        "data clock": "yes",
        "flags": "yes",
        "guard": "not in use",
        "stops": "yes",
        "people": "yes",
    }
    assert code == 0


def test_slack_is_asked_and_not_only_configured(belay, home: Path, request_id: str, monkeypatch) -> None:
    slack = Slack()
    try:
        for name, value in {
            "SLACK_BOT_TOKEN": "xoxb-test",
            "SLACK_APP_TOKEN": "xapp-test",
            "BELAY_SLACK_CHANNEL": "C1",
            "BELAY_PAGES_URL": "http://127.0.0.1:1/belay",
            "SLACK_API_URL": slack.url,
        }.items():
            monkeypatch.setenv(name, value)
        said = parts(belay)[1]["people"]
        assert said["answers"] == "yes"
        assert "Slack: it is belay of shop" in said["detail"]
        assert "else the run looks by itself, after its recheck" in said["detail"]
        slack.set(tokens=["xoxb-another"])
        code, found = parts(belay)
        assert (code, found["people"]["answers"]) == (3, "no")
        assert "invalid_auth: set SLACK_BOT_TOKEN" in found["people"]["detail"]
    finally:
        slack.stop()
    code, found = parts(belay)
    assert (code, found["people"]["answers"]) == (3, "no")
    assert "nothing answers at" in found["people"]["detail"]


def test_a_guard_that_stopped_looking_is_found(belay, home: Path, services, request_id: str) -> None:
    watch = Watch(services.ledger.engine)
    watch.beat(Beat("airflow", services.now(), services.now()))
    assert parts(belay)[1]["guard"]["answers"] == "yes"
    long_ago = services.now() - timedelta(hours=2)
    watch.beat(Beat("airflow", long_ago, long_ago))
    said = parts(belay)[1]["guard"]
    assert said["answers"] == "no"
    assert "the guard has not looked for 2 hours" in said["detail"]


def test_airflow_that_is_away_is_found(belay, home: Path, request_id: str, monkeypatch) -> None:
    Lake(home).create()
    monkeypatch.setenv("BELAY_AIRFLOW_URL", f"http://127.0.0.1:{free_port()}")
    code, found = parts(belay)
    assert code == 3
    assert found["orchestration"]["answers"] == "no"


def test_flags_that_say_something_else_than_the_ledger_are_found(
    belay, home: Path, services, request_id: str
) -> None:
    from belay.actuation.flag_writer import served_flag

    known = services.ledger.state().optimizations["checkout-delivery-date"]
    services.flags.apply(served_flag(known, 5000, 99))
    _, found = parts(belay)
    assert found["flags"]["answers"] == "no"
    assert "served at 50 %, the ledger says 0 %" in found["flags"]["detail"]


def test_a_password_is_never_shown(belay, monkeypatch) -> None:
    monkeypatch.setenv("BELAY_LEDGER_URL", "postgresql://belay:very-secret@127.0.0.1:1/ledger")
    done = belay("doctor")
    assert done.exit_code == 3
    assert "very-secret" not in done.output


def test_how_times_are_read_and_what_cannot_be_is_said(belay, home):
    import duckdb

    Lake(home).create()
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("ALTER VIEW outcomes RENAME TO stored")
        connection.execute(
            "CREATE VIEW outcomes AS SELECT * REPLACE (event_time::TIMESTAMPTZ AS event_time) FROM stored"
        )
    _, found = parts(belay)
    assert found["warehouse"]["answers"] == "yes"
    assert "outcomes.event_time is TIMESTAMP WITH TIME ZONE, read as UTC" in found["warehouse"]["detail"]
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW outcomes AS SELECT * REPLACE (surface AS event_time) FROM stored"
        )
    _, found = parts(belay)
    assert found["warehouse"]["answers"] == "no"
    assert (
        "outcomes.event_time is VARCHAR, which is no time: store a timestamp" in found["warehouse"]["detail"]
    )
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("DROP VIEW outcomes")
    _, found = parts(belay)
    assert found["warehouse"]["detail"] == "there is no table outcomes"
