"""Every event there can be, to text and back; and the format that must never change."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.actors import Actor
from belay.domain.events import EVENTS, Event, PolicyAdopted, RosterNoted
from belay.domain.oversight import LEAST_OVERSIGHT
from belay.domain.proposal import Prediction, Proposal, Variant
from belay.domain.stages import Stage
from belay.ledger import codec
from belay.ledger.chain import Entry, hash_of
from belay.ledger.store import recorded

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.datetimes(timezones=st.just(UTC))
payloads = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
finite = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(str, text)
st.register_type_strategy(float, finite)
st.register_type_strategy(datetime, times)
proposals = st.builds(
    Proposal,
    variants=st.lists(st.builds(Variant, payload=payloads), max_size=2).map(tuple),
    rollback=payloads,
    proposed_by=st.builds(Actor),
    prediction=st.none() | st.builds(Prediction, effect=finite, low=finite, high=finite),
)
st.register_type_strategy(Proposal, proposals)
policies = st.builds(
    PolicyAdopted,
    oversight=st.sampled_from([LEAST_OVERSIGHT, {}]),
    leases=st.dictionaries(st.sampled_from(Stage), finite),
)
st.register_type_strategy(PolicyAdopted, policies)
rosters = st.builds(
    RosterNoted,
    people=st.dictionaries(text, st.lists(text, max_size=3).map(tuple), max_size=3),
    agents=st.dictionaries(text, text, max_size=3),
)
st.register_type_strategy(RosterNoted, rosters)


@pytest.mark.parametrize("kind", sorted(EVENTS))
@given(data=st.data())
def test_there_and_back(kind: str, data: st.DataObject) -> None:
    event: Event = data.draw(st.from_type(EVENTS[kind]))
    body = codec.encode(event)
    assert codec.decode_event(kind, body) == event
    assert codec.encode(codec.decode_event(kind, body)) == body, "canonical: one content, one text"


def test_an_unknown_kind() -> None:
    with pytest.raises(ValueError, match=r"'moon\.landed'.*newer Belay"):
        codec.decode_event("moon.landed", "{}")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"target":7,"reason":"x"}', '{"target":"all"}', "null"])
def test_a_body_that_does_not_fit(body: str) -> None:
    with pytest.raises(ValueError, match="Frozen"):
        codec.decode_event("freeze.set", body)


def test_what_is_no_json_cannot_be_kept() -> None:
    from belay.domain.digest import canonical_json

    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="Out of range"):
            canonical_json({"p": value})


def test_an_entry_of_no_known_actor() -> None:
    columns = (1, "2026-01-01T00:00:00+00:00", "freeze.lifted", "robot:x", "", "", "", "{}", "")
    with pytest.raises(ValueError, match="robot"):
        recorded(Entry(*columns, hash_of(*columns)))


def test_the_format_is_only_ever_added_to() -> None:
    """A ledger of last year must still be read: fields may come with a default, none may go."""
    for kind, names in FORMAT.items():
        found = [field.name for field in fields(EVENTS[kind])]
        assert found[: len(names)] == names, kind
    assert set(FORMAT) <= set(EVENTS)


FORMAT = {
    "policy.adopted": [
        "capability",
        "digest",
        "title",
        "owner",
        "surface",
        "decision_class",
        "ceiling",
        "initial_stage",
        "veto_roles",
        "reason",
    ],
    "capability.promoted": ["capability", "from_stage", "to_stage", "reason", "evidence"],
    "capability.demoted": ["capability", "from_stage", "to_stage", "rule", "reason", "evidence"],
    "freeze.set": ["target", "reason"],
    "freeze.lifted": ["target", "reason"],
    "optimization.proposed": ["optimization", "capability", "surface", "proposal", "digest"],
    "step.started": ["optimization", "step", "run", "from_scope", "to_scope", "policy", "last"],
    "gate.judged": ["optimization", "step", "gate", "verdict", "sentence", "evidence"],
    "window.look": ["optimization", "step", "look", "data_time", "harmful", "sentence", "evidence"],
    "approval.requested": [
        "request",
        "optimization",
        "step",
        "from_scope",
        "to_scope",
        "oversight",
        "rules",
        "digest",
        "evidence",
        "roles",
        "quorum",
        "conflicted",
        "owner",
        "expires_at",
    ],
    "approval.voted": [
        "request",
        "optimization",
        "voter",
        "roles",
        "choice",
        "reason",
        "via",
        "digest",
        "counted",
    ],
    "approval.closed": ["request", "optimization", "outcome", "reason"],
    "approval.granted": [
        "grant",
        "optimization",
        "step",
        "from_scope",
        "to_scope",
        "oversight",
        "digest",
        "request",
        "evidence",
        "rules",
    ],
    "veto.cast": ["target", "reason", "via"],
    "scope.widening": ["optimization", "step", "grant", "from_scope", "to_scope", "epoch"],
    "scope.narrowing": ["optimization", "from_scope", "to_scope", "epoch", "cause", "reason", "evidence"],
    "scope.confirmed": ["optimization", "scope", "epoch", "target", "effective_at"],
    "optimization.ended": ["optimization", "outcome", "reason"],
    "command.refused": ["command", "subject", "rule", "message"],
}
