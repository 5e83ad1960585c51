"""What is projected is what the entries say, read again."""

from __future__ import annotations

from datetime import timedelta

from tests.support.builders import GATE, NOW, a_policy

from belay.domain import commands as c
from belay.domain.gates import Estimate
from belay.ledger import codec
from belay.ledger.store import Ledger
from belay.ledger.verify import verify


def test_every_entity_there_and_back(story: Ledger) -> None:
    state, seen = story.state(), set()
    for table in codec.ENTITIES:
        for entity in getattr(state, table).values():
            text = codec.encode_entity(entity)
            assert codec.decode_entity(table, text) == entity
            assert codec.encode_entity(codec.decode_entity(table, text)) == text
            seen.add(table)
    assert seen >= {"capabilities", "optimizations", "requests", "lifted"}


def test_a_whole_number_where_a_fraction_could_be_is_folded_as_it_is_read_again(ledger: Ledger) -> None:
    policy = a_policy()
    ledger.execute(c.AdoptPolicy(policy, "start"), by=GATE, at=NOW)
    found, since = Estimate(0, -1, 1), NOW - timedelta(days=9)
    ledger.execute(c.RecordOec(policy.id, found, since, NOW, "no difference", None), by=GATE, at=NOW)
    assert verify(ledger).ok
    assert codec.encode_state(Ledger(ledger.engine).state()) == codec.encode_state(ledger.state())
