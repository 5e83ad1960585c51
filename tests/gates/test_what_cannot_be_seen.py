"""Broken, missing and strange data during the window: unknown, in a sentence that says why; nothing widens.

One shop runs once: a good change is live at 20 %, its next step is admitted and its data checked. Each case
copies that world, breaks what arrives from then on, and lets the window and the review judge.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.gates.conftest import World

from belay.clock import data_now, set_data_now
from belay.domain.events import LookTaken
from belay.domain.gates import Gate, Verdict
from belay.domain.state import Status
from belay.execution import RefusedError
from belay.gates.admit import admit
from belay.gates.approval import approval
from belay.gates.outcome import GateOutcome
from belay.gates.quality import quality
from belay.gates.review import review
from belay.gates.widen import widen
from belay.gates.window import window_look
from belay.services import Services
from belay.settings import Settings
from belay_lab.shop.lake import Lake

pytestmark = pytest.mark.slow

NAME, STEP = "checkout-good", 2
LAST_LOOK = 98  # hours after it went live: past an hour of settling and the maximum of four days

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """A home in which step 2 waits in its window, and data time when the change went live."""
    home = tmp_path_factory.mktemp("begun") / "home"
    home.mkdir()
    world = World(home)
    belay, ahead = world.belay, timedelta()
    belay.now = lambda: datetime.now(UTC) + ahead
    world.propose(NAME)
    admit(belay, NAME, "run1")
    quality(belay, NAME, 1)
    window_look(belay, NAME, 1)
    review(belay, NAME, 1)
    approval(belay, NAME, 1)
    ahead = timedelta(seconds=5)
    approval(belay, NAME, 1)
    widen(belay, NAME, 1)
    live = world.known(NAME).phases[-1].start
    world.run(8)
    assert admit(belay, NAME, "run2").verdict is Verdict.PASS
    assert quality(belay, NAME, STEP).verdict is Verdict.PASS
    now = belay.data_now()
    world.run(LAST_LOOK - 8)
    set_data_now(home, now)  # what comes is written already; the looks below have not reached it
    world.shop.close()
    belay.ledger.close()
    return home, live


@dataclass
class Case:
    """A copy of the world, to be broken."""

    home: Path
    live: datetime
    belay: Services

    def change(self, table: str, change: Change) -> None:
        """Rewrite what arrives in ``table`` from now on; ``change`` gets and returns a frame."""
        files = sorted((self.home / "lake" / table).glob("*.parquet"))
        rows = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
        for file in files:
            file.unlink()
        new = rows["ingested_at"] >= self.live.replace(tzinfo=None)
        rows[~new].to_parquet(self.home / "lake" / table / "1-old.parquet")
        change(rows[new].copy()).to_parquet(self.home / "lake" / table / "2-new.parquet")

    def judged(self) -> tuple[list[str], GateOutcome]:
        """Look on until the window ends, then review; return the looks' sentences and who held or passed."""
        said: list[str] = []
        for hours in (12, LAST_LOOK, LAST_LOOK + 24):
            set_data_now(self.home, self.live + timedelta(hours=hours))
            look = window_look(self.belay, NAME, STEP)
            said.append(look.sentence)
            if look.outcome is not None:
                passed = look.outcome.verdict is Verdict.PASS
                return said, review(self.belay, NAME, STEP) if passed else look.outcome
        raise AssertionError(f"the window never ended: {said}")

    @property
    def looks(self) -> list[LookTaken]:
        history = self.belay.ledger.history(optimization=NAME)
        return [entry.event for entry in history if isinstance(entry.event, LookTaken)]

    def nothing_widened(self) -> None:
        """The scope is what it was, in the ledger and in the flags, and the flag writer refuses."""
        with pytest.raises(RefusedError):
            widen(self.belay, NAME, STEP)
        known = self.belay.ledger.state().optimizations[NAME]
        assert (known.status, known.scope) == (Status.HELD, 2000)
        assert self.belay.flags.read(NAME).scope == 2000


@pytest.fixture
def copied(begun: tuple[Path, datetime], tmp_path: Path) -> Iterator[Callable[[str], Case]]:
    opened: list[Services] = []

    def copy(name: str) -> Case:
        home = tmp_path / name
        shutil.copytree(begun[0], home)
        Lake(home).create()  # its catalogue reads the copy
        environment = {
            "BELAY_HOME": str(home),
            "BELAY_POLICIES": str(home / "capabilities"),
            "BELAY_FLAG_SETTLE_SECONDS": "3600",
        }
        opened.append(Services(Settings.from_env(environment)))
        return Case(home, begun[1], opened[-1])

    yield copy
    for belay in opened:
        belay.ledger.close()


@pytest.fixture
def case(copied: Callable[[str], Case]) -> Case:
    return copied("home")


def none(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.iloc[:0]


def test_no_events_at_all(case: Case) -> None:
    for table in ("exposures", "outcomes"):
        case.change(table, none)
    said, judged = case.judged()
    assert said[0].startswith("blind: the newest data is") or "could not see" in said[0]
    assert (judged.gate, judged.verdict) == (Gate.WINDOW, Verdict.HOLD)
    assert judged.sentence.startswith("could not see, and the maximum of 4 days is over: blind:")
    case.nothing_widened()


def test_no_exposures_of_the_optimization(case: Case) -> None:
    case.change("exposures", lambda rows: rows.assign(optimization=""))
    said, judged = case.judged()
    assert "could not see: no exposure was logged" in said[0]
    assert {look.finding for look in case.looks} == {"unknown"}
    assert not any(look.harmful for look in case.looks)
    assert (judged.gate, judged.verdict) == (Gate.WINDOW, Verdict.HOLD)
    assert "no exposure was logged" in judged.sentence
    case.nothing_widened()


def test_one_arm_empty(case: Case) -> None:
    case.change("exposures", lambda rows: rows[rows.variant == "control"])
    said, judged = case.judged()
    assert "Split: not the one asked for" in said[0]
    assert (judged.gate, judged.verdict) == (Gate.REVIEW, Verdict.HOLD)
    assert {look.finding for look in case.looks} == {"unknown"}
    case.nothing_widened()


def test_all_zeros(case: Case) -> None:
    zero = {"converted": 0, "revenue": 0.0, "support_tickets": 0, "page_errors": 0}
    case.change("outcomes", lambda rows: rows.assign(**zero))
    said, judged = case.judged()
    assert "Conversion cannot be judged (every value is zero in both arms)" in said[0]
    assert (judged.gate, judged.verdict) == (Gate.REVIEW, Verdict.HOLD)
    assert {look.finding for look in case.looks} == {"unknown"}
    case.nothing_widened()


def test_infinite_and_null_values(case: Case) -> None:
    def spoil(rows: pd.DataFrame) -> pd.DataFrame:
        for rest, value in enumerate((np.inf, -np.inf, None)):
            rows.loc[rows.index % 30 == rest, "revenue"] = value
        return rows

    case.change("outcomes", spoil)
    _, judged = case.judged()
    assert (judged.gate, judged.verdict) == (Gate.REVIEW, Verdict.HOLD)
    assert "revenue" in judged.sentence.lower()
    case.nothing_widened()


def test_a_metric_that_becomes_text(case: Case) -> None:
    case.change("outcomes", lambda rows: rows.assign(converted=rows.converted.map({0: "no", 1: "yes"})))
    said, judged = case.judged()
    assert "Conversion cannot be judged (" in said[0]  # the lake reads it as text
    assert "of its values are missing or no finite numbers in" in said[0]
    assert {look.finding for look in case.looks} == {"unknown"}
    assert (judged.gate, judged.verdict) == (Gate.REVIEW, Verdict.HOLD)
    case.nothing_widened()


def test_a_metric_that_is_gone(case: Case) -> None:
    case.change("outcomes", lambda rows: rows.drop(columns="page_errors"))
    said, judged = case.judged()
    assert "Page errors cannot be judged (" in said[0]  # the lake has none in the part files that lack it
    assert "of its values are missing or no finite numbers in" in said[0]
    assert (judged.gate, judged.verdict) == (Gate.REVIEW, Verdict.HOLD)
    case.nothing_widened()


def test_events_from_a_clock_that_runs_ahead(case: Case) -> None:
    def ahead(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[rows.index % 4 == 0, "event_time"] += timedelta(days=3650)
        return rows

    for table in ("exposures", "outcomes"):
        case.change(table, ahead)
    _, judged = case.judged()
    assert (judged.gate, judged.verdict) == (Gate.REVIEW, Verdict.HOLD)
    case.nothing_widened()


def test_a_data_clock_that_jumps_ends_in_a_hold(case: Case) -> None:
    set_data_now(case.home, data_now(case.home) + timedelta(days=365))
    look = window_look(case.belay, NAME, STEP)
    assert look.outcome is not None
    assert look.outcome.verdict is Verdict.HOLD
    assert "the newest data is" in look.outcome.sentence
    case.nothing_widened()


def test_a_data_clock_that_jumps_back_waits(case: Case) -> None:
    set_data_now(case.home, case.live - timedelta(days=1))
    look = window_look(case.belay, NAME, STEP)
    assert look.outcome is None
    assert "no unit was exposed yet" in look.sentence


def test_what_is_seen_passes_and_what_arrives_later_changes_nothing(
    copied: Callable[[str], Case],
) -> None:
    """The pass shows that the holds above come from what was broken."""

    def late(rows: pd.DataFrame) -> pd.DataFrame:
        more = rows.assign(converted=0, page_errors=50, event_id="late-" + rows.event_id)
        return pd.concat([rows, more.assign(ingested_at=more.ingested_at + timedelta(days=30))])

    def document(case: Case) -> dict[str, Any]:
        _, judged = case.judged()
        assert (judged.gate, judged.verdict) == (Gate.REVIEW, Verdict.PASS), judged.sentence
        assert judged.evidence is not None
        found: dict[str, Any] = case.belay.ledger.get_evidence(judged.evidence)
        return found

    clean, broken = copied("clean"), copied("late")
    before = document(clean)
    broken.change("outcomes", late)
    after = document(broken)
    for figure in ("effect", "low", "high"):
        expected = [metric[figure] for metric in before["metrics"]]
        assert [metric[figure] for metric in after["metrics"]] == pytest.approx(expected)
    assert any("outcomes left out: they arrived after the look" in note for note in after["notes"])
