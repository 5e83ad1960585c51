"""The ledger on SQLite and PostgreSQL: append, ask again, read, rebuild; and who may change it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from tests.support.builders import ANNA, BOT, GATE, MAY_LIFT, NORA, NOW, OLIVE, VERA, a_policy, a_proposal
from tests.support.story import a_story

from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.stages import Stage
from belay.domain.state import State
from belay.ledger.codec import encode_state
from belay.ledger.export import export
from belay.ledger.migrations import upgrade
from belay.ledger.schema import entries, evidence, projections
from belay.ledger.store import Ask, Ledger, LedgerError
from belay.ledger.verify import verify


def test_an_empty_ledger(any_ledger: Ledger) -> None:
    assert any_ledger.head() == (0, "0" * 64)
    assert any_ledger.state() == State()
    assert list(any_ledger.entries()) == []
    assert str(verify(any_ledger)) == "ledger: 0 entries, verified"
    assert any_ledger.rebuild() == State()
    assert verify(any_ledger).ok


def test_a_story_is_the_same_on_each_database_and_for_each_reader(any_ledger: Ledger, tmp_path: Path) -> None:
    a_story(any_ledger)
    twin = Ledger.open(f"sqlite:///{tmp_path}/twin.db")
    a_story(twin)
    assert any_ledger.head() == twin.head(), "the same commands give the same hashes anywhere"
    state = encode_state(any_ledger.state())
    assert encode_state(Ledger(any_ledger.engine).state()) == state
    assert encode_state(any_ledger.rebuild()) == state
    assert verify(any_ledger).ok


def test_asking_twice_does_once(any_ledger: Ledger) -> None:
    command = c.AdoptPolicy(a_policy(), "start")
    first = any_ledger.execute(command, by=GATE, at=NOW, key="k")
    again = any_ledger.execute(command, by=GATE, at=NOW + timedelta(days=1), key="k")
    other = any_ledger.execute(c.Freeze("all", "other"), by=GATE, at=NOW, key="k")
    assert again.replayed
    assert first.events == again.events == other.events
    assert any_ledger.head()[0] == 1


def test_a_refusal_keeps_its_key_free(ledger: Ledger) -> None:
    refused = ledger.execute(c.Freeze("surface:checkout", "x"), by=GATE, at=NOW, key="k")
    assert refused.refusal is not None
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    assert ledger.execute(c.Freeze("surface:checkout", "x"), by=GATE, at=NOW, key="k").events


def test_an_attempt_that_passes_a_limit_is_kept(ledger: Ledger) -> None:
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    outcome = ledger.execute(c.Promote("wording", Stage.BOUNDED, "me"), by=BOT, at=NOW, key="k")
    assert outcome.events == ()
    assert outcome.refusal is not None
    (*_, last) = ledger.entries()
    assert (last.kind, last.actor, last.key) == ("command.refused", "agent:bot", "command:2")
    assert '"rule":"people-promote"' in last.body


def test_times_are_kept_in_utc_whatever_zone_they_come_in(ledger: Ledger) -> None:
    zagreb = timezone(timedelta(hours=2))
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW.astimezone(zagreb))
    (entry,) = ledger.entries()
    assert entry.at == "2026-03-02T09:00:00.000000+00:00"
    assert encode_state(ledger.state()) == encode_state(Ledger(ledger.engine).state())
    assert verify(ledger).ok


def test_a_time_without_a_zone_is_a_mistake(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        ledger.execute(c.Freeze("all", "x"), by=GATE, at=datetime(2026, 1, 1))  # noqa: DTZ001
    assert ledger.head()[0] == 0


def test_text_that_is_not_unicode_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="Unicode"):
        ledger.execute(c.Freeze("all", "x"), by=human("bad \udcff byte"), at=NOW)
    assert ledger.head()[0] == 0
    with pytest.raises(ValueError, match="surrogates"):
        ledger.put_evidence({"text": "\ud800"})


def test_entries_name_what_they_are_about(story: Ledger) -> None:
    about = {entry.kind: (entry.capability, entry.optimization) for entry in story.entries()}
    assert about["policy.adopted"] == ("wording", "")
    assert about["optimization.proposed"] == ("wording", "opt-2")
    assert about["approval.voted"] == ("wording", "opt-2")
    assert about["veto.cast"] == ("wording", "opt-2")
    assert about["freeze.set"] == ("", "")
    story.execute(c.Unfreeze("all", "morning", MAY_LIFT), by=OLIVE, at=NOW)
    story.execute(c.Freeze("capability:wording", "night"), by=OLIVE, at=NOW)
    (last,) = story.entries(last=1)
    assert (last.kind, last.capability) == ("freeze.set", "wording")
    kinds = [entry.kind for entry in story.entries(optimization="opt-2")]
    assert kinds[0] == "optimization.proposed"
    assert "veto.cast" in kinds


def test_reading_a_part(story: Ledger) -> None:
    everything = list(story.entries())
    assert [entry.seq for entry in everything] == list(range(1, len(everything) + 1))
    assert list(story.entries(after=5)) == everything[5:]
    assert list(story.entries(last=3)) == everything[-3:]
    assert [r.seq for r in story.history(after=len(everything) - 2)] == [e.seq for e in everything[-2:]]


def test_evidence_is_stored_once_under_its_name(any_ledger: Ledger) -> None:
    document = {"b": [1, 2.5, None], "a": "naïve"}
    digest = any_ledger.put_evidence(document)
    assert any_ledger.put_evidence({"a": "naïve", "b": [1, 2.5, None]}) == digest
    assert any_ledger.get_evidence(digest) == document
    with pytest.raises(LedgerError, match="no evidence abc"):
        any_ledger.get_evidence("abc")
    with pytest.raises(ValueError, match="Out of range"):
        any_ledger.put_evidence({"p": float("nan")})


def test_changed_evidence_is_not_handed_out(ledger: Ledger) -> None:
    digest = ledger.put_evidence({"p": 0.2})
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER evidence_no_update")
        connection.execute(sa.update(evidence).values(body='{"p":0.9}'))
    with pytest.raises(LedgerError, match="was changed"):
        ledger.get_evidence(digest)


@pytest.mark.parametrize("table", [entries, evidence], ids=["entries", "evidence"])
@pytest.mark.parametrize("verb", ["update", "delete", "truncate"])
def test_the_database_itself_refuses_changes(any_ledger: Ledger, table: sa.Table, verb: str) -> None:
    a_story(any_ledger)
    if verb == "truncate" and any_ledger.engine.dialect.name == "sqlite":
        return  # SQLite has no TRUNCATE: DELETE is the same, and tried beside
    statements: dict[str, sa.Executable] = {
        "update": sa.update(table).values(body="{}"),
        "delete": sa.delete(table),
        "truncate": sa.text(f"TRUNCATE {table.name}"),
    }
    with (
        pytest.raises(DBAPIError, match="the ledger only grows"),
        any_ledger.engine.execution_options(belay_writes=True).begin() as connection,
    ):
        connection.execute(statements[verb])
    assert verify(any_ledger).ok


def test_export_can_be_verified_without_belay(story: Ledger) -> None:
    import hashlib
    import json

    documents = list(export(story))
    prev, names = "0" * 64, set()
    for document in documents:
        if document["type"] == "entry":
            body = json.dumps(document["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            columns = [document[name] for name in ("seq", "at", "kind", "actor", "capability")]
            columns += [document[name] for name in ("optimization", "key")] + [body, prev]
            text = json.dumps(columns, separators=(",", ":"), ensure_ascii=False)
            prev = hashlib.sha256(text.encode()).hexdigest()
            assert document["hash"] == prev
        else:
            body = json.dumps(document["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert hashlib.sha256(body.encode()).hexdigest() == document["sha256"]
            names.add(document["sha256"])
    assert prev == story.head()[1]
    assert {d["body"].get("evidence") for d in documents if d["type"] == "entry"} - {None} <= names


def test_export_of_a_damaged_entry_says_so(story: Ledger) -> None:
    with story.engine.execution_options(belay_writes=True).begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER entries_no_update")
        connection.execute(sa.update(entries).where(entries.c.seq == 3).values(body="{not json"))
    with pytest.raises(LedgerError, match="entry 3 is not JSON any more"):
        list(export(story))


def test_a_reader_follows_other_writers(url: str) -> None:
    one, other = Ledger.open(url), Ledger.open(url)
    one.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    assert "wording" in other.state().capabilities
    other.execute(c.Propose(a_proposal(), a_policy()), by=BOT, at=NOW)
    assert "opt-1" in one.state().optimizations
    assert encode_state(one.state()) == encode_state(other.state())


def test_a_ledger_put_back_to_an_earlier_copy_is_read_anew(ledger: Ledger) -> None:
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    ledger.execute(c.Freeze("all", "x"), by=ANNA, at=NOW)
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        for sql in (
            "DROP TRIGGER entries_no_delete",
            "DELETE FROM entries WHERE seq = 2",
            "DELETE FROM projections WHERE entity = 'freezes'",
            "UPDATE projections SET body = '1' WHERE entity = 'head'",
            "UPDATE head SET seq = 1, hash = (SELECT hash FROM entries)",
        ):
            connection.exec_driver_sql(sql)
    assert ledger.execute(c.Freeze("all", "again"), by=VERA, at=NOW).events
    assert ledger.state().freezes["all"].reason == "again"
    assert verify(ledger).ok


def test_projections_from_the_future_are_noticed(ledger: Ledger) -> None:
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.exec_driver_sql("UPDATE projections SET body = '7' WHERE entity = 'head'")
    with pytest.raises(LedgerError, match="run `belay ledger verify`, and put back a copy"):
        Ledger(ledger.engine).state()
    ledger.rebuild()
    assert Ledger(ledger.engine).state().seq == 1


def test_migrating_again_changes_nothing(any_ledger: Ledger) -> None:
    a_story(any_ledger)
    before = any_ledger.head()
    upgrade(any_ledger.engine)
    assert any_ledger.head() == before
    assert verify(any_ledger).ok


def test_the_migrated_tables_are_the_ones_the_code_knows(any_ledger: Ledger) -> None:
    found = sa.inspect(any_ledger.engine)
    for table in (entries, evidence, projections):
        columns = {column["name"] for column in found.get_columns(table.name)}
        assert columns == {column.name for column in table.columns}


def test_times_never_go_back(ledger: Ledger) -> None:
    """A host's clock that is behind, or was put back, writes no entry before the one that it follows."""
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    ledger.execute(c.Freeze("all", "x"), by=NORA, at=NOW - timedelta(days=400))
    ledger.execute_many(
        [
            Ask(c.Freeze(f"capability:{n}", "x"), NORA, NOW + timedelta(seconds=s))
            for n, s in (("a", 2), ("b", 1))
        ]
    )
    assert verify(ledger).ok
    assert ledger.state().freezes["all"].since == NOW
    times = [entry.at for entry in ledger.entries()]
    assert times == sorted(times)
    assert encode_state(ledger.state()) == encode_state(Ledger(ledger.engine).state())


def test_what_one_command_appended_shares_its_name_and_nothing_else_does(story: Ledger) -> None:
    """Acts of one actor in one moment are told apart."""
    several = [Ask(c.Freeze(f"surface:{name}", "x"), NORA, NOW) for name in ("search", "home")]
    before = story.head()[0]
    story.execute_many(several)
    told = list(story.history(after=before))
    assert len({entry.act for entry in told}) == len(told)
    groups = {}
    for entry in story.history():
        groups.setdefault(entry.command, []).append(entry.seq)
    assert "" not in groups
    assert all(seqs == list(range(seqs[0], seqs[-1] + 1)) for seqs in groups.values())
    assert any(len(seqs) > 1 for seqs in groups.values())
