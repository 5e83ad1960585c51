"""What people are told without being asked: one message a matter, and nothing that they were asked about."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.builders import BOT, GATE, NOW, VERA, VETO, a_policy, a_proposal
from tests.support.story import a_story

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import Actor
from belay.domain.evolve import fold
from belay.domain.recorded import Recorded
from belay.domain.roster import Person, Roster
from belay.domain.stages import Stage
from belay.domain.state import State
from belay.ledger.store import Ask, Ledger
from belay.present.news import News, news

ROSTER = Roster((Person("olive", "Olive Okoro", "olive@shop.example", frozenset()),))
A_SECOND = timedelta(seconds=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path}/ledger.db")


def told(ledger: Ledger) -> list[News]:
    return list(news(ledger.history(), ledger.state(), ROSTER))


def narrowings(*which: tuple[str, str, timedelta]) -> tuple[list[Recorded], State]:
    """Return two optimizations and their narrowings: (name, cause, when), each in a breath of its own."""
    proposed = [
        Recorded(seq, NOW, BOT, e.Proposed(name, "wording", "checkout", a_proposal(name, title=name), "d"))
        for seq, name in enumerate(("one", "two"), 1)
    ]
    state = fold(proposed)
    narrowed = [
        Recorded(3 + n, NOW + after, GATE, e.NarrowingIntended(name, 500, 100, 2, cause, "it is dark"))
        for n, (name, cause, after) in enumerate(which)
    ]
    return narrowed, state


def test_everything_that_goes_wrong_is_told_with_its_entry_and_who_answers(ledger: Ledger) -> None:
    a_story(ledger)
    matters = told(ledger)
    assert [matter.title for matter in matters] == [
        "wording fell from supervised to suggest",
        "The guard cannot see all: nothing there widens",
        "The guard sees all again",
        "“Say when it arrives” goes to 0 % for harm",
        "Vetoed: “Say when it arrives”",
        "Frozen: surface:checkout",
        "The freeze of surface:checkout is lifted",
        "Held: “Say when it arrives” interacts with “Say when it arrives”",
        "Incident: “Say when it arrives” was shown as nobody decided",
        "Kill switch: all",
    ]
    kinds = {entry.seq: entry.event.kind for entry in ledger.history()}
    for matter in matters:
        assert all(sentence.endswith("]") and " [#" in sentence for sentence in matter.sentences)
        assert kinds[matter.seq]
    harm = next(matter for matter in matters if matter.title.endswith("for harm"))
    assert harm.owners == ("olive", "anna"), "who owns the capability, and who answers for the agent"
    assert "page errors rose" in harm.sentences[0]
    stop = matters[-1]
    assert stop.sentences[0].startswith("Olive Okoro pulled the kill switch on all"), (
        "people have their names"
    )


def test_what_one_act_sets_off_is_one_matter(ledger: Ledger) -> None:
    policy = a_policy(initial_stage=Stage.AUTONOMOUS)

    def do(command: c.Command, by: Actor = GATE, after: int = 0) -> None:
        assert ledger.execute(command, by=by, at=NOW + after * A_SECOND).refusal is None

    do(c.AdoptPolicy(policy, "start"))
    for name in ("opt-1", "opt-2"):
        do(c.Propose(a_proposal(name), policy), BOT)
    do(c.Veto("capability:wording", "enough", frozenset({VETO}), "slack"), VERA, after=1)
    (matter,) = told(ledger)
    assert matter.title == "Vetoed: capability:wording"
    assert len(matter.sentences) == 2, "the veto and the stage that it took"


def test_a_policy_that_a_person_changed_is_told_with_what_it_takes_down(ledger: Ledger) -> None:
    first = a_policy(initial_stage=Stage.AUTONOMOUS)
    ledger.execute(c.AdoptPolicy(first, "as its file says"), by=GATE, at=NOW)
    assert told(ledger) == [], "the first comes by itself"
    other = replace(first, title="Other words", digest="e" * 64)
    ledger.execute(c.AdoptPolicy(other, "clearer"), by=VERA, at=NOW + A_SECOND)
    less = replace(first, ceiling=Stage.SUGGEST, digest="f" * 64)
    ledger.execute(c.AdoptPolicy(less, "too fast for us"), by=VERA, at=NOW + 2 * A_SECOND)
    changed, lowered = told(ledger)
    assert changed.title == "New policy of wording"
    assert changed.sentences == (f"vera brought policy {'e' * 12} of wording into force: clearer [#2]",)
    assert lowered.title == "wording fell from autonomous to suggest"
    assert [sentence[-4:] for sentence in lowered.sentences] == ["[#3]", "[#4]"]
    assert lowered.owners == ("olive",)


def test_a_dark_source_is_one_matter_however_many_changes_it_narrows() -> None:
    entries, state = narrowings(("one", "blind", 0 * A_SECOND), ("two", "blind", 0 * A_SECOND))
    one_act = [entry._replace(command="command:3") for entry in entries]
    (matter,) = news(one_act, state, ROSTER)
    assert matter.title == "2 changes are shown less: the guard cannot see them"
    assert (matter.seq, len(matter.sentences)) == (3, 2)


@pytest.mark.parametrize(
    "which",
    [
        [("one", "blind", 0 * A_SECOND), ("two", "blind", 1 * A_SECOND)],
        [("one", "blind", 0 * A_SECOND), ("two", "guard", 1 * A_SECOND)],
        [("one", "guard", 0 * A_SECOND), ("two", "guard", 1 * A_SECOND)],
    ],
    ids=["another look", "harm beside blindness", "harm is told one by one"],
)
def test_what_is_not_one_matter_is_told_apart(which: Sequence[tuple[str, str, timedelta]]) -> None:
    entries, state = narrowings(*which)
    assert [matter.seq for matter in news(entries, state, ROSTER)] == [3, 4]


def test_questions_and_answers_are_not_news(ledger: Ledger) -> None:
    """They have messages of their own."""
    policy = a_policy()
    for command, by in ((c.AdoptPolicy(policy, "start"), GATE), (c.Propose(a_proposal(), policy), BOT)):
        assert ledger.execute(command, by=by, at=NOW).refusal is None
    assert told(ledger) == []


def test_harm_of_several_changes_at_once_is_told_as_harm_each() -> None:
    """One moment and one actor do not make one act: the ledger says what one command appended."""
    entries, state = narrowings(("one", "guard", A_SECOND), ("two", "guard", A_SECOND))
    apart = [entry._replace(command=f"command:{entry.seq}") for entry in entries]
    assert [matter.title for matter in news(apart, state, ROSTER)] == [
        "“one” goes to 1 % for harm",
        "“two” goes to 1 % for harm",
    ]
    together = [entry._replace(command="command:3") for entry in entries]
    (matter,) = news(together, state, ROSTER)
    assert matter.title == "2 changes are shown less for harm"
    (older,) = news(entries, state, ROSTER)
    assert older.title == "2 changes are shown less for harm", "entries from before commands had names"


def test_of_many_changes_in_a_cycle_each_is_told_for_what_took_it_down(ledger: Ledger) -> None:
    """25 cycles of 20 changes at one moment: harm is never told as blindness, nor the other way round."""
    draw = random.Random(5)
    policy = a_policy(initial_stage=Stage.AUTONOMOUS)
    asks = [Ask(c.AdoptPolicy(policy, "start"), GATE, NOW)]
    proposals = [replace(a_proposal(f"opt-{n}"), title=f"opt-{n}") for n in range(20)]
    events = [e.Proposed(p.optimization, "wording", "checkout", p, p.optimization) for p in proposals]
    ledger.execute_many(asks)
    state = fold([Recorded(n, NOW, BOT, event) for n, event in enumerate(events, 2)], ledger.state())
    for _ in range(25):
        harmed = set(draw.sample(range(20), draw.randint(0, 20)))
        dark = [n for n in range(20) if n not in harmed]
        acts = [[n] for n in sorted(harmed)] + ([dark] if dark else [])
        entries = [
            Recorded(
                100 + n,
                NOW,
                GATE,
                e.NarrowingIntended(f"opt-{n}", 500, 100, 2, "guard" if n in harmed else "blind", "so"),
                f"command:{100 + act[0]}",
            )
            for act in acts
            for n in act
        ]
        matters = list(news(entries, state, ROSTER))
        assert len(matters) == len(acts)
        for matter, act in zip(matters, acts, strict=True):
            said = "for harm" if set(act) <= harmed else "the guard cannot see"
            assert said in matter.title, matter
            assert len(matter.sentences) == len(act)
