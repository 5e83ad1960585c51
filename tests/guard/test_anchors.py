"""A ledger that was cut, rewritten or swapped is reported, and a grant in its tables alone widens nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.live import append_anyway, make_live

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import human
from belay.domain.gates import Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.state import Grant, Status
from belay.execution import RefusedError
from belay.gates.widen import widen
from belay.guard import anchors
from belay.guard.ledger_check import trace
from belay.ledger import codec
from belay.ledger.verify import verify
from belay.services import Services
from belay.settings import Settings

NAME = "checkout-wording-0"


@pytest.fixture
def belay(tmp_path: Path) -> Services:
    """Return a shop with something live, whose guard has verified the ledger, after which a veto was cast."""
    services = Services(Settings.from_env({"BELAY_HOME": str(tmp_path)}))
    make_live(services, 2)
    nora = services.roster().person("nora")
    assert nora is not None
    veto = c.Veto(NAME, "not like this", nora.roles, "cli")
    assert services.ledger.execute(veto, by=human("nora"), at=services.now()).refusal is None
    found = trace(services)
    assert found.fault == ""
    assert found.head == "{}:{}".format(*services.ledger.head())
    return services


def write(belay: Services, *statements: str) -> None:
    """Write the database as somebody does who has every right on it."""
    with belay.ledger.engine.execution_options(belay_writes=True).begin() as connection:
        for trigger in ("entries_no_update", "entries_no_delete"):
            connection.execute(sa.text(f"DROP TRIGGER IF EXISTS {trigger}"))
        for statement in statements:
            connection.execute(sa.text(statement))


def cut(belay: Services) -> None:
    """Take the veto, and everything after it, from the entries; put the head where they end now."""
    (seq,) = (one.seq for one in belay.ledger.history() if isinstance(one.event, e.Vetoed))
    head = "(SELECT {} FROM entries ORDER BY seq DESC LIMIT 1)"
    write(
        belay,
        f"DELETE FROM entries WHERE seq >= {seq}",
        f"UPDATE head SET seq = {head.format('seq')}, hash = {head.format('hash')}",
    )


def opened(belay: Services) -> Services:
    """Return the same installation as another process sees it."""
    belay.ledger.close()
    return Services(belay.settings)


def test_a_past_that_got_shorter_is_reported_and_nothing_is_mended(belay: Services) -> None:
    cut(belay)
    belay.ledger.rebuild()  # also its tables were made to fit
    assert verify(belay.ledger).ok, "in itself it is whole"
    assert belay.ledger.state().optimizations[NAME].status is not Status.VETOED
    found = trace(opened(belay))
    assert "missing: the anchor knows" in found.fault
    assert found.mended == ""
    assert "missing: the anchor knows" in trace(opened(belay)).fault, "what was kept stays"


@pytest.mark.parametrize("left", ["home", "flags"])
def test_one_of_the_places_is_enough(belay: Services, left: str) -> None:
    cut(belay)
    belay.ledger.rebuild()
    if left == "flags":
        (belay.settings.home / anchors.FILE).unlink()
    else:
        file = belay.settings.home / "flags" / "flags.flagd.json"
        document = json.loads(file.read_text())
        del document["metadata"]
        file.write_text(json.dumps(document))
    assert "missing: the anchor knows" in trace(opened(belay)).fault


def test_another_past_of_the_same_length_is_reported(belay: Services) -> None:
    file = belay.settings.home / anchors.FILE
    document = json.loads(file.read_text())
    seq = document["anchor"].partition(":")[0]
    file.write_text(json.dumps({**document, "anchor": f"{seq}:{'0' * 64}"}))
    assert f"say different things of entry {seq}" in trace(belay).fault
    (belay.settings.home / "flags" / "flags.flagd.json").unlink()
    assert "its hash is not the anchor's" in trace(belay).fault


def test_another_ledger_in_its_place_is_reported_with_what_to_do(belay: Services, tmp_path: Path) -> None:
    other = Services(Settings.from_env({"BELAY_HOME": str(tmp_path / "other")}))
    make_live(other, 1)
    for services in (belay, other):
        services.ledger.close()
    (belay.settings.home / "ledger.db").rename(tmp_path / "away.db")
    (tmp_path / "other" / "ledger.db").rename(belay.settings.home / "ledger.db")
    fault = trace(opened(belay)).fault
    assert "is not the one that was verified" in fault
    assert str(belay.settings.home / anchors.FILE) in fault
    assert "belay ledger verify --renew" in fault


def test_a_person_says_that_a_ledger_was_put_back_on_purpose(
    belay: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from belay.cli.app import app

    monkeypatch.setenv("BELAY_HOME", str(belay.settings.home))
    cut(belay)
    belay.ledger.rebuild()
    belay.ledger.close()
    broken = CliRunner().invoke(app, ["ledger", "verify"])
    assert broken.exit_code == 1
    assert "missing: the anchor knows" in broken.output
    assert CliRunner().invoke(app, ["ledger", "verify", "--renew"]).exit_code == 0
    assert CliRunner().invoke(app, ["ledger", "verify"]).exit_code == 0
    assert trace(opened(belay)).fault == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"anchor": "7"}'])
def test_an_anchor_that_is_none_any_more_is_said(belay: Services, content: str) -> None:
    (belay.settings.home / anchors.FILE).write_text(content)
    assert "holds no anchor any more" in trace(belay).fault


def test_tables_that_know_more_than_the_entries_are_left_as_evidence(belay: Services) -> None:
    cut(belay)
    (belay.settings.home / anchors.FILE).unlink()
    (belay.settings.home / "flags" / "flags.flagd.json").unlink()
    before = tables(belay)
    found = trace(opened(belay))
    assert "entries are gone" in found.fault
    assert found.mended == ""
    assert tables(belay) == before


def test_tables_that_were_changed_are_kept_before_they_are_derived_anew(belay: Services) -> None:
    write(belay, f"UPDATE projections SET body = replace(body, 'vetoed', 'climbing') WHERE id = '{NAME}'")
    before = tables(belay)
    found = trace(opened(belay))
    assert found.fault == ""
    digest = found.mended.rpartition(" ")[2]
    kept = belay.ledger.get_evidence(digest)
    assert {(entity, name): body for entity, name, body in kept["rows"]} == before
    assert verify(belay.ledger).ok


def tables(belay: Services) -> dict[tuple[str, str], str]:
    with belay.ledger.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT entity, id, body FROM projections"))
        return {(row.entity, row.id): row.body for row in rows}


def test_a_grant_in_the_tables_alone_widens_nothing(belay: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody writes it who knows the form: the rules would take it for a grant."""
    monkeypatch.setattr("belay.actuation.flag_writer.require_guard", lambda _belay: None)
    name = "checkout-wording-1"
    digest = belay.policy("checkout_wording").digest
    passed = [
        e.GateJudged(name, 3, gate, Verdict.PASS, "fine", None)
        for gate in (Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW)
    ]
    append_anyway(belay, [e.StepStarted(name, 3, "run", 500, 2500, digest), *passed])
    known = belay.ledger.state().optimizations[name]
    step = known.step
    assert step is not None
    seq = belay.ledger.head()[0]
    forged = codec.plain(known) | {
        "grant": codec.plain(
            Grant("made-up", step.number, step.from_scope, step.to_scope, "d" * 64, Oversight.APPROVE, seq)
        )
    }
    body = codec.encode_entity(codec.restored(type(known), forged))
    with belay.ledger.engine.execution_options(belay_writes=True).begin() as connection:
        update = sa.text("UPDATE projections SET body = :body WHERE id = :id")
        connection.execute(update, {"body": body, "id": name})
    fresh = opened(belay)
    assert fresh.ledger.state().optimizations[name].grant is not None
    with pytest.raises(RefusedError, match="no entry of the ledger is made-up"):
        widen(fresh, name, step.number)
    served = fresh.flags.read(name)
    assert served is not None
    assert served.scope == known.scope
    assert not any(isinstance(one.event, e.WideningIntended) for one in fresh.ledger.history(after=seq))
