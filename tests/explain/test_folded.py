"""Looks are folded wherever they are told: a window of hundreds reads like one of two."""

from __future__ import annotations

from datetime import UTC, datetime

from belay.domain.actors import service
from belay.domain.events import GateJudged, LookTaken
from belay.domain.gates import Gate, Verdict
from belay.domain.recorded import Recorded
from belay.explain.claims import Claim
from belay.web.board import _folded

NOW = datetime(2026, 3, 9, tzinfo=UTC)


def look(seq: int, name: str = "a-change") -> Recorded:
    return Recorded(seq, NOW, service("window"), LookTaken(name, 2, seq, NOW, False, "on its way", None))


def test_a_claim_on_many_entries_names_first_last_and_count() -> None:
    told = Claim("It was read 272 times", tuple(range(59, 331)), ("a" * 64, "b" * 64)).told(cites=True)
    assert told == f"It was read 272 times [#59–#330, 272 entries, the last evidence {'b' * 12}]"
    assert Claim("It was read twice", (3, 4)).told() == "It was read twice [#3, #4]"


def test_the_board_shows_a_steps_looks_once() -> None:
    judged = Recorded(
        1, NOW, service("quality"), GateJudged("a-change", 2, Gate.QUALITY, Verdict.PASS, "", None)
    )
    newest = [look(9), look(8, "other"), *(look(seq) for seq in range(7, 1, -1)), judged]
    assert [(entry.seq, before) for entry, before in _folded(newest)] == [(9, 6), (8, 0), (1, 0)]
