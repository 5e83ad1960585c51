"""Group commit: threads that ask at once share durable writes, and each is answered as if it came alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.builders import ANNA, BOT, GATE, MAY_LIFT, NOW, OLIVE, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.stages import Stage
from belay.domain.state import State
from belay.ledger.codec import encode_state
from belay.ledger.store import Ask, Ledger, LedgerError, Outcome
from belay.ledger.turns import MOST, Turns, _Waiting
from belay.ledger.verify import verify

ADOPT = c.AdoptPolicy(a_policy(), "start")


def proposals(count: int) -> list[Ask]:
    policy = a_policy(limits=replace(a_policy().limits, proposals_per_day=count))
    return [Ask(c.Propose(a_proposal(f"opt-{n}"), policy), BOT, NOW, key=f"opt-{n}") for n in range(count)]


def commits(ledger: Ledger) -> list[int]:
    """Count the commits of ``ledger`` from now on."""
    seen = [0]

    @sa.event.listens_for(ledger.engine, "commit")
    def _count(_connection: sa.Connection) -> None:
        seen[0] += 1

    return seen


def test_many_commands_are_one_transaction_and_the_same_ledger(any_ledger: Ledger, tmp_path: Path) -> None:
    alone = Ledger.open(f"sqlite:///{tmp_path}/alone.db")
    asks = [Ask(ADOPT, GATE, NOW, key="adopt"), *proposals(40)]
    seen = commits(any_ledger)
    outcomes = any_ledger.execute_many(asks)
    assert seen == [1]
    for ask, outcome in zip(asks, outcomes, strict=True):
        assert alone.execute(ask.command, by=ask.by, at=ask.at, key=ask.key).events == outcome.events
    assert alone.head() == any_ledger.head(), "to the byte what they are one after the other"
    assert encode_state(any_ledger.state()) == encode_state(Ledger(any_ledger.engine).state())
    assert verify(any_ledger).ok


def test_each_is_decided_on_what_the_one_before_left(ledger: Ledger) -> None:
    asks = [
        Ask(c.Freeze("surface:checkout", "nothing is there yet"), OLIVE, NOW),
        Ask(ADOPT, GATE, NOW, key="k"),
        Ask(ADOPT, GATE, NOW, key="k"),
        Ask(c.Freeze("surface:checkout", "sale"), OLIVE, NOW),
        Ask(c.Freeze("surface:checkout", "again"), OLIVE, NOW),
        Ask(c.Promote("wording", Stage.BOUNDED, "me"), BOT, NOW, key="mine"),
        Ask(c.Unfreeze("surface:checkout", "over", MAY_LIFT), ANNA, NOW),
    ]
    outcomes = ledger.execute_many(asks)
    told = [(len(o.events), o.refusal.rule if o.refusal else "", o.replayed) for o in outcomes]
    assert told == [
        (0, "unknown-target", False),
        (1, "", False),
        (1, "", True),
        (1, "", False),
        (0, "", False),
        (0, "people-promote", False),
        (1, "", False),
    ]
    assert [entry.kind for entry in ledger.entries()] == [
        "policy.adopted",
        "freeze.set",
        "command.refused",
        "freeze.lifted",
    ]
    assert [entry.key for entry in ledger.entries()] == ["k", "command:2", "command:3", "command:4"]
    assert verify(ledger).ok


def test_one_that_cannot_be_written_takes_no_other_with_it(ledger: Ledger) -> None:
    asks = [Ask(ADOPT, GATE, NOW), *proposals(3)]
    asks.insert(2, Ask(c.Freeze("all", "x"), human("bad \udcff byte"), NOW))
    with pytest.raises(LedgerError, match="Unicode"):
        ledger.execute_many(asks)
    assert sorted(ledger.state().optimizations) == ["opt-0", "opt-1", "opt-2"]
    assert ledger.state().freezes == {}
    assert verify(ledger).ok


def test_more_than_one_transaction_holds(ledger: Ledger) -> None:
    ledger.execute(ADOPT, by=GATE, at=NOW)
    seen = commits(ledger)
    ledger.execute_many(proposals(MOST + 1))
    assert seen == [2]
    assert len(ledger.state().optimizations) == MOST + 1


def test_threads_that_ask_at_once_share_commits(ledger: Ledger) -> None:
    ledger.execute(ADOPT, by=GATE, at=NOW)
    seen, asks = commits(ledger), proposals(24)
    ready = threading.Barrier(len(asks))

    def ask(one: Ask) -> Outcome:
        ready.wait()
        outcome = ledger.execute(one.command, by=one.by, at=one.at, key=one.key)
        # Answered means durable: another connection sees it.
        with ledger.engine.connect() as connection:
            found = connection.scalar(sa.text("SELECT count(*) FROM entries WHERE key = :k"), {"k": one.key})
        assert found == 1
        return outcome

    with ThreadPoolExecutor(len(asks)) as pool, ledger._turns.lock:
        futures = [pool.submit(ask, one) for one in asks]
        while len(ledger._turns._queue) < len(asks):
            threading.Event().wait(0.001)
        # While one writer holds the ledger the others line up; its successor takes all of them along.
    outcomes = [future.result() for future in futures]
    assert all(len(outcome.events) == 1 and not outcome.replayed for outcome in outcomes)
    assert seen == [1]
    assert verify(ledger).ok


def test_an_interrupt_is_for_the_thread_that_it_meets() -> None:
    """Whoever took the others along is interrupted: theirs go on waiting, and are served."""
    served: list[list[str]] = []

    def serve(asks: Sequence[Ask]) -> list[Outcome]:
        served.append([ask.key for ask in asks])
        if len(served) == 1:
            raise KeyboardInterrupt
        return [Outcome((), None, State()) for _ in asks]

    turns = Turns(serve)
    one, other, third = (Ask(ADOPT, GATE, NOW, key) for key in ("one", "other", "third"))
    turns._queue.append(_Waiting(other))
    with pytest.raises(KeyboardInterrupt):
        turns.take([one])
    assert turns.take([third]) == [Outcome((), None, State())]
    assert served == [["other", "one"], ["other", "one", "third"]], "asked again, in its order"


def test_an_ask_is_dated_in_utc() -> None:
    zagreb = timezone(timedelta(hours=2))
    assert Ask(ADOPT, human("ana"), NOW.astimezone(zagreb)).at.tzinfo is UTC
    with pytest.raises(ValueError, match="without a zone"):
        replace(proposals(1)[0], at=NOW.replace(tzinfo=None))
