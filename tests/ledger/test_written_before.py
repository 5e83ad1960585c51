"""Guards that ledgers written before a change of the rules still verify, fold to the same state, and explain.

``fixtures/`` holds two ledgers of 1 December 2026, as `belay ledger export` writes them, each with the state
that they folded to then as its last line: a demo in a running Airflow, and a course of `belay scenarios`
(an agent that drifts, 133 days: three promotions, and as many demotions for harm).
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from belay.domain.digest import canonical_json
from belay.explain.explain import explain
from belay.ledger import codec
from belay.ledger.schema import entries, evidence, head
from belay.ledger.store import Ledger
from belay.ledger.verify import verify

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(params=["demo", "scenario"])
def written(request, tmp_path) -> tuple[Ledger, dict[str, Any]]:
    """Return a ledger with the kept rows, its projections made by today's code, and the state of then."""
    lines = gzip.decompress((FIXTURES / f"{request.param}.jsonl.gz").read_bytes()).decode().splitlines()
    rows: dict[str, list[dict[str, Any]]] = {"entry": [], "evidence": [], "state": []}
    for line in lines:
        row = json.loads(line)
        rows[row.pop("type")].append(row | {"body": canonical_json(row["body"])})
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        for table, kept in ((entries, rows["entry"]), (evidence, rows["evidence"])):
            if kept:
                connection.execute(sa.insert(table), kept)
        last = rows["entry"][-1]
        connection.execute(sa.update(head).values(seq=last["seq"], hash=last["hash"]))
    ledger.rebuild()
    return ledger, json.loads(rows["state"][0]["body"])


def unlike(then: Any, now: Any, where: str = "") -> list[str]:
    """Return where ``now`` is not what was ``then``; fields that came since are no difference."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [line for key, value in then.items() for line in unlike(value, now.get(key), f"{where}/{key}")]
    return [] if then == now else [f"{where}: {then!r} was then, {now!r} is now"]


def test_it_verifies_as_decided_by_the_rules(written) -> None:
    ledger, _ = written
    found = verify(ledger)
    assert found.ok, found


def test_it_folds_to_the_state_of_then(written) -> None:
    ledger, then = written
    assert unlike(then, json.loads(codec.encode_state(ledger.state()))) == []


def test_every_decision_in_it_is_explained(written) -> None:
    ledger, _ = written
    history, state = list(ledger.history()), ledger.state()
    for subject in [*state.capabilities, *list(state.requests)[::7], *list(state.optimizations)[::7]]:
        assert explain(history, subject, {}, ledger.get_evidence).entries, subject
