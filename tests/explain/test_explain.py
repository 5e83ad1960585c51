"""The chain of responsibility: every entry of every kind, in prose whose every claim names its entries."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.story import a_story

from belay.domain import events as e
from belay.domain.events import EVENTS
from belay.domain.recorded import Recorded
from belay.domain.stages import Stage
from belay.domain.vocabulary import Cause
from belay.explain import words
from belay.explain.claims import Claim, Question
from belay.explain.explain import explain
from belay.ledger.policies import policy_document
from belay.ledger.store import Ledger

NAMES = {"nora": "Nora Novak", "vera": "Vera Vidal", "olive": "Olive Okoro", "anna": "Anna Auer"}
CODE = re.compile(r"\bNone\b|Stage\.|Oversight\.|\bdatetime\b|<|\{|\bgate\.judged\b")
"""What only programs say."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Recorded]:
    ledger = Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('story')}/ledger.db")
    a_story(ledger)
    return tuple(ledger.history())


def last(history: Sequence[Recorded], kind: str) -> Recorded:
    return [entry for entry in history if entry.event.kind == kind][-1]


def test_every_entry_of_every_kind_is_explained_and_names_itself(history: Sequence[Recorded]) -> None:
    assert {entry.event.kind for entry in history} == set(EVENTS)
    for entry in history:
        told = explain(history, entry.seq, NAMES)
        text = told.to_text()
        assert entry.seq in told.entries, f"{entry.event.kind} does not name itself:\n{text}"
        assert not CODE.search(text), text
        for line in text.splitlines():
            if line.startswith("  "):
                numbers = re.search(r"[.!?”] \[(#\d+(?:, (?:#\d+|evidence [0-9a-f]{12}))*)\]$", line)
                assert numbers, f"a claim without a number: {line}"
                named = {int(number) for number in re.findall(r"#(\d+)", numbers[1])}
                assert named <= {one.seq for one in history}


def test_every_cause_of_a_narrowing_that_belay_knows_has_words() -> None:
    for cause in Cause:
        assert "asked for" not in words.cause(cause), cause


def test_nothing_is_known_before_it_happened(history: Sequence[Recorded]) -> None:
    for count in range(1, len(history) + 1):
        told = explain(history[:count], count, NAMES)
        assert count in told.entries
        assert max(told.entries) <= count


def test_a_widening(history: Sequence[Recorded]) -> None:
    text = explain(history, last(history, "scope.widening").seq, NAMES).to_text()
    for answer in (
        "The AI agent bot proposed “",
        "people have to approve, and silence means no, because rule policy-table asks for “approve”",
        "The review (what do the figures say?) said yes: review is fine. [#",
        "Nora Novak approved",
        "to show it to 1 % of units instead of 0 %",
        "The flag system (flagd) was read back",
        "Nora Novak answers for having approved it",
        "answers for the AI agent bot",
    ):
        assert answer in text, f"{answer!r} is not in\n{text}"
    assert [question.value for question in Question if f"{question.value}." in text] == list(Question)


def test_a_promotion_and_a_renewal(history: Sequence[Recorded]) -> None:
    text = explain(history, last(history, "capability.promoted").seq, NAMES).to_text()
    assert "no AI agent may, and no AI promotes itself" in text
    assert "People decide, always. Every criterion was met: " in text
    assert "went up to “supervised”. Earned" in text or "went up to “supervised”. earned" in text
    renewal = explain(history, last(history, "capability.renewed").seq, NAMES).to_text()
    assert "keeps “supervised” for another period" in renewal


def test_a_demotion_says_rule_cause_and_what_shrank(history: Sequence[Recorded]) -> None:
    text = explain(history, last(history, "capability.demoted").seq, NAMES).to_text()
    assert "(rule kill-switch)" in text
    assert "Olive Okoro pulled the kill switch" in text
    first = next(entry for entry in history if entry.event.kind == "capability.demoted")
    assert "Harm beyond the policy's limit costs a stage" in explain(history, first.seq).to_text()


def test_a_rejected_step_says_who_said_no(history: Sequence[Recorded]) -> None:
    text = explain(history, last(history, "approval.closed").seq, NAMES).to_text()
    votes = explain(history, last(history, "approval.voted").seq, NAMES).to_text()
    assert text
    assert "Nora Novak said no" in votes


def test_by_name(history: Sequence[Recorded]) -> None:
    whole = explain(history, "opt-1", NAMES)
    assert [matter.title.split(" ")[0] for matter in whole.matters][:4] == ["Entry", "Entry", "Entry", "Step"]
    assert "measured what it would have done: would help" in whole.to_text()
    assert any("was taken down" in matter.title for matter in whole.matters)
    capability = explain(history, "wording")
    assert any("came into force" in matter.title for matter in capability.matters)
    assert any("fell from" in matter.title for matter in capability.matters)
    request = last(history, "approval.requested").event.request  # type: ignore[union-attr]
    assert len(explain(history, request).matters) == 1
    for nothing in ("nothing", 0, len(history) + 1, ""):
        with pytest.raises(LookupError, match="knows nothing called"):
            explain(history, nothing)


def test_a_policy_that_changed_says_what_changed(tmp_path: Path) -> None:
    from tests.support.builders import ANNA, GATE, NOW, a_policy

    from belay.domain import commands as c

    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    first, window = a_policy(), replace(a_policy().window, minimum_seconds=5400.0)
    second = a_policy(owner="vera", window=window, digest="f" * 64)
    for policy, reason, by in ((first, "start", GATE), (second, "Vera takes over", ANNA)):
        kept = ledger.put_evidence(policy_document(policy))
        ledger.execute(c.AdoptPolicy(policy, reason, kept), by=by, at=NOW)
    history = tuple(ledger.history())
    text = explain(history, 2, NAMES, ledger.get_evidence).to_text()
    assert "Anna Auer adopted it: Vera takes over. [#2" in text
    told = f"What changed: owner: was {first.owner}, is vera; window, minimum: was 1 hour, is 90 minutes."
    assert told in text
    assert "Vera Vidal owns “" in text
    assert "the text of one of them is not at hand" in explain(history, 2, NAMES).to_text()


def test_a_demotion_for_harm_names_what_did_it() -> None:
    from tests.support.builders import BOT, GATE, NOW, a_proposal

    told = [
        e.Proposed("opt-1", "wording", "checkout", a_proposal(), "d"),
        e.Proposed("opt-9", "ranking", "search", a_proposal("opt-9", capability="ranking"), "d"),
        e.NarrowingIntended("opt-1", 500, 0, 2, "guard", "page errors rose"),
        e.NarrowingIntended("opt-9", 500, 0, 2, "guard", "it is another capability's"),
        e.NarrowingIntended("opt-1", 500, 0, 3, "veto", "this is no harm"),
        e.StageDemoted("wording", Stage.BOUNDED, Stage.SUPERVISED, "harm-rate", "too much of it"),
    ]
    book = [
        Recorded(n, NOW + timedelta(hours=n), BOT if n < 3 else GATE, event)
        for n, event in enumerate(told, 1)
    ]
    text = explain(book, 6, NAMES).to_text()
    assert "(opt-1) was taken down for harm on" in text
    assert "page errors rose. [#3]" in text
    assert "[#4]" not in text
    assert "[#5]" not in text


def test_json_says_what_the_prose_says(history: Sequence[Recorded]) -> None:
    for subject in ("opt-1", len(history) // 2):
        told = explain(history, subject, NAMES)
        document = json.loads(json.dumps(told.to_document()))
        text = told.to_text()
        claims = [
            claim
            for matter in document["matters"]
            for answer in matter["answers"]
            for claim in answer["claims"]
        ]
        assert len(claims) == sum(line.startswith("  ") for line in text.splitlines())
        assert all(claim["sentence"] in text and claim["entries"] for claim in claims)


def test_what_the_ledger_does_not_say_is_not_told() -> None:
    with pytest.raises(ValueError, match="a claim needs an entry"):
        Claim("The moon is made of cheese.", ())
