"""status, show and ledger: what they say is what the ledger says."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

from belay.domain import commands as c
from belay.execution import execute
from belay.ledger.watch import Beat, Watch
from belay.services import Services


def test_status_for_people_and_for_programs(belay, request_id: str) -> None:
    shown = belay("status")
    assert shown.exit_code == 0
    for word in ("checkout_wording", "supervised", "checkout-delivery-date", request_id, "a cx_owner"):
        assert word in shown.output
    told = json.loads(belay("status", "--json").stdout)
    assert [c["id"] for c in told["capabilities"]] == ["checkout_wording"]
    assert [r["id"] for r in told["requests"]] == [request_id]
    assert told["requests"][0]["missing"] == ["0 of 1 approvals", "needs a cx_owner"]
    assert told["ledger"]["entries"] > 0


def test_show_tells_the_story_with_entry_numbers(belay, services: Services, request_id: str) -> None:
    story = belay("show", "checkout-delivery-date").output
    for entry in services.ledger.entries(optimization="checkout-delivery-date"):
        assert f"{entry.seq:>5}  " in story
    assert "agent:copywriter proposed “Say when the parcel will arrive”" in story
    assert "review of step 1: pass. no harm shown" in story
    request = belay("show", request_id)
    assert "may checkout-delivery-date go 0 % → 1 %?" in request.output
    assert "Answers that do not count: of copywriter, Dana Novak: they proposed it" in request.output
    evidence = services.ledger.state().requests[request_id].evidence
    assert evidence is not None
    assert json.loads(belay("show", evidence[:12]).stdout)["kind"] == "review"
    assert "supervised" in belay("show", "checkout_wording").output
    for name in ("checkout-delivery-date", request_id, "checkout_wording"):
        assert json.loads(belay("show", name, "--json").stdout)["entries"]


def test_explain_says_who_answers_with_entry_numbers(belay, services: Services, request_id: str) -> None:
    told = belay("explain", request_id)
    assert told.exit_code == 0
    assert "The AI agent copywriter proposed “Say when the parcel will arrive”" in told.output
    assert "Answers of copywriter and Dana" in told.output
    seq = services.ledger.head()[0]
    assert belay("explain", f"#{seq}").output == belay("explain", seq).output
    assert json.loads(belay("explain", seq, "--json").stdout)["entries"]
    unknown = belay("explain", "chekout")
    assert unknown.exit_code == 2
    assert "knows nothing called 'chekout'" in unknown.stderr


def test_show_of_something_unknown_says_what_there_is(belay, request_id: str) -> None:
    done = belay("show", "chekout")
    assert done.exit_code == 2
    assert "it knows checkout_wording, checkout-delivery-date" in done.stderr


def test_words_of_an_agent_cannot_drive_the_terminal(belay, tmp_path: Path) -> None:
    hostile = "[red]see \x1b[31m\x1b]8;;http://x\x07\u202e"
    file = tmp_path / "hostile.json"
    document = {
        "optimization": "hostile-words",
        "capability": "checkout_wording",
        "title": hostile,
        "hypothesis": hostile,
        "variants": [{"key": "treatment", "payload": {}}],
        "agent": "copywriter",
        "agent_owner": "dana",
    }
    file.write_text(json.dumps(document))
    assert belay("propose", file).exit_code == 0
    for command in (["show", "hostile-words"], ["status"], ["ledger", "tail"]):
        output = belay(*command).output
        assert "\x1b" not in output
        assert "\u202e" not in output
    assert "[red]see" in belay("show", "hostile-words").output


def test_every_kind_of_event_has_a_sentence() -> None:
    from belay.domain.events import EVENTS
    from belay.ledger import narrate

    assert set(narrate._SENTENCES) == set(EVENTS.values())


def test_verify_says_where_it_is_broken_and_checks_an_anchor(belay, home: Path, request_id: str) -> None:
    good = belay("ledger", "verify")
    assert good.exit_code == 0
    assert "entries, verified" in good.output
    anchor = good.output.split("anchor ")[1].strip()
    assert belay("ledger", "verify", "--since", anchor).exit_code == 0
    wrong = f"{anchor.split(':')[0]}:{'0' * 64}"
    assert belay("ledger", "verify", "--since", wrong).exit_code == 1
    assert belay("ledger", "verify", "--since", "7").exit_code == 2
    with sqlite3.connect(home / "ledger.db") as database:
        # Whoever may write the file can take the database's own guard away; verify still finds it.
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE entries SET actor = 'human:nobody' WHERE seq = 3")
    broken = belay("ledger", "verify", "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["fault"] == "entries 3: its content does not match its hash"


def test_tail_and_export(belay, services: Services, tmp_path: Path, request_id: str) -> None:
    tail = json.loads(belay("ledger", "tail", "-n", "2", "--json").stdout)
    last = services.ledger.head()[0]
    assert [entry["seq"] for entry in tail] == [last - 1, last]
    out = tmp_path / "copy" / "ledger.jsonl"
    done = belay("ledger", "export", "--out", out)
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert sum(line["type"] == "entry" for line in lines) == last
    assert list(out.parent.iterdir()) == [out]
    assert belay("ledger", "export").stdout == out.read_text()


def test_rebuild_and_upgrade_change_nothing_on_a_good_ledger(belay, services, request_id: str) -> None:
    before = services.ledger.head()
    assert belay("ledger", "rebuild").exit_code == 0
    assert belay("ledger", "upgrade").exit_code == 0
    assert services.ledger.head() == before
    assert belay("ledger", "verify").exit_code == 0


def test_scenarios_say_what_held_and_fail_when_it_did_not(belay) -> None:
    held = belay("scenarios", "--seeds", 1, "--kind", "human-only", "--quarters", 1, "--workers", 1)
    assert held.exit_code == 0
    assert "human-only: never passes suggest in 100.0 % of 1 (at least 100 %): held" in held.output
    failed = belay("scenarios", "--seeds", 1, "--kind", "helpful", "--quarters", 1, "--workers", 1, "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["expectations"][0]["held"] is False
    unknown = belay("scenarios", "--kind", "clever")
    assert unknown.exit_code == 2
    assert "no kind of agent is called clever; there are helpful" in unknown.stderr


def test_status_says_what_the_guard_cannot_see(belay, services, request_id: str) -> None:
    quiet = json.loads(belay("status", "--json").stdout)
    assert (quiet["blind"], quiet["guard_missing"]) == ([], None)
    since = services.now() - timedelta(hours=2)
    execute(services, c.ReportBlind("warehouse", "all", "no answer", since), by="guard")
    Watch(services.ledger.engine).beat(Beat("airflow", since, since))
    shown = belay("status")
    assert shown.exit_code == 0
    assert "Nothing widens: the guard has not looked for 2" in shown.output
    assert "What the guard cannot see" in shown.output
    told = json.loads(belay("status", "--json").stdout)
    assert told["blind"][0]["reason"] == "no answer"
    assert "has not looked for 2" in told["guard_missing"]
