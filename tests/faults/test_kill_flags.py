"""A process that changes what is served is killed at every point; whoever comes next ends it rightly.

Recovered not by the same command again but by `reconcile`, as it runs every few minutes: nobody has to know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.faults.dying import TIMES, End, Snapshot, Trouble, run
from tests.support.live import make_live, on_its_way

from belay.actuation import outbox
from belay.actuation.flag_writer import served_flag
from belay.domain.events import WideningIntended
from belay.ledger.verify import verify
from belay.services import Services
from belay.settings import Settings

NAME = "checkout-wording-0"
BEFORE = 2
"""Points at the beginning of an act at which nothing of it lasts yet."""


class Home:
    """A home with three live optimizations, one on its way from 5 % to 25 %."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = {"BELAY_HOME": str(path / "home")}
        belay = self.belay()
        make_live(belay, 3)
        on_its_way(belay)
        belay.ledger.close()
        self.snapshot = Snapshot(path / "home", path / "kept")

    def belay(self) -> Services:
        return Services(Settings.from_env(self.environment))

    def run(self, act: str, *arguments: Any, trouble: Trouble) -> End:
        return run(self.environment, act, *arguments, trouble=trouble)

    def stands(self) -> dict[str, Any]:
        """Return where everything stands; insist on what must hold in any case."""
        belay = self.belay()
        state, served = belay.ledger.state(), belay.flags.read_all()
        widenings: dict[str, list[int]] = {}
        for entry in belay.ledger.history():
            if isinstance(entry.event, WideningIntended):
                widenings.setdefault(entry.event.optimization, []).append(entry.event.step)
        assert all(steps == sorted(set(steps)) for steps in widenings.values()), "widened twice"
        assert verify(belay.ledger).ok
        assert outbox.waiting(belay.settings.home) == []
        for known in state.optimizations.values():
            flag = served[known.id]
            assert (known.pending, flag.scope, flag.epoch) == (None, known.scope, known.epoch)
        belay.ledger.close()
        return {
            "optimizations": {o.id: (o.scope, o.status) for o in state.optimizations.values()},
            "stages": {c.id: c.stage for c in state.capabilities.values()},
            "freezes": sorted(state.freezes),
        }


@pytest.fixture(scope="module", params=range(TIMES))
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("killed"))


def nothing(home: Home) -> None:
    pass


def served_wider(home: Home) -> None:
    """Somebody shows 100 % of an optimization that was decided at 5 %."""
    belay = home.belay()
    file = belay.settings.home / "flags" / "flags.flagd.json"
    document = json.loads(file.read_text())
    del document["flags"]["checkout-wording-1"]
    file.write_text(json.dumps(document))
    known = belay.ledger.state().optimizations["checkout-wording-1"]
    belay.flags.apply(served_flag(known, 10_000, 9))
    belay.ledger.close()


@pytest.mark.parametrize(
    ("act", "arguments", "before"),
    [
        ("settle", (NAME,), nothing),
        pytest.param("stop", ("all",), nothing, marks=pytest.mark.long),
        pytest.param("stop", ("surface:checkout",), nothing, marks=pytest.mark.long),
        ("veto", (NAME,), nothing),
        ("freeze", ("all",), nothing),
        pytest.param("reconcile", (), served_wider, marks=pytest.mark.long),
    ],
    ids=["widening", "stop all", "stop a surface", "veto", "freeze", "reconcile"],
)
def test_killed_at_every_point(
    home: Home, act: str, arguments: tuple[str, ...], before: Callable[[Home], None]
) -> None:
    def once(die_at: int) -> tuple[End, dict[str, Any]]:
        home.snapshot.restore()
        before(home)
        end = home.run(act, *arguments, trouble=Trouble(die_at=die_at))
        again = home.run("reconcile", trouble=Trouble())
        assert (again.error, again.answer) == ("", "")
        return end, home.stands()

    unharmed, right = once(0)
    assert not unharmed.error
    happened = False
    for die_at in count(1):
        end, stands = once(die_at)
        if not end.killed:
            break
        if not happened and act != "settle":  # nothing of it lasted yet: it never happened
            happened = stands == right
            assert happened or die_at <= BEFORE, f"lost at point {die_at}"
            continue
        assert stands == right, f"killed at point {die_at}"
    assert die_at > 4, "there were no points to die at"
