"""Where messages are is remembered in every database that a ledger can be in, and claimed by one at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from belay.ledger.schema import open_engine
from belay.slack.message_store import Claim, MessageStore, Posted


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def engine(request, tmp_path):
    if request.param == "memory":
        yield None
        return
    if request.param == "sqlite":
        opened = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        opened = open_engine(request.getfixturevalue("postgres_url"))
        with opened.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS slack_messages"))
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine):
    return MessageStore(engine, "C1")


def test_what_is_put_is_found_by_every_watcher_of_the_channel(engine, store):
    assert (store.get("a"), store.complete, store.names()) == (None, False, [])
    store.put("a", Posted("C1", "1.1", {"picture": "F1"}, "d1"))
    store.put("a", Posted("C1", "1.1", {"picture": "F2"}, "d2"))
    store.completed()
    other = store if engine is None else MessageStore(engine, "C1")
    assert other.get("a") == Posted("C1", "1.1", {"picture": "F2"}, "d2")
    assert (other.complete, other.names(), other.shown()) == (True, ["a"], {"a": "d2"})
    elsewhere = MessageStore(engine, "C2")
    assert (elsewhere.get("a"), elsewhere.complete) == (None, False)
    store.forget("a")
    assert other.get("a") is None


def test_of_many_who_claim_at_once_one_posts(store):
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.claim("a"), range(8)))
    assert sorted(claims) == [Claim.MINE, *[Claim.TAKEN] * 7]
    assert store.get("a") is None, "nobody has posted it yet"
    store.doubt("a")
    assert store.claim("a") is Claim.IN_DOUBT
    assert list(store.begun()) == ["a"]
    store.put("a", Posted("C1", "1.1"))
    assert (store.claim("a"), store.begun()) == (Claim.TAKEN, {})
