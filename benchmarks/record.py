"""How long the record of a capability takes over a ledger of 100,000 entries.

The record is a function of the state, and the state is folded as entries are appended; so there are two
figures: the record on a state at hand, and on a state that has to be loaded from the ledger first. The
baseline decodes every entry and folds it, in the same run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.builders import APPROVER, BOT, EASY, NORA, NOW, Rehearsal, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.criteria import judge_record
from belay.domain.events import Choice
from belay.domain.evolve import fold
from belay.domain.gates import Estimate, Gate, Verdict
from belay.domain.proposal import Prediction
from belay.domain.record import record_of
from belay.domain.recorded import Recorded
from belay.domain.stages import Stage
from belay.domain.state import State
from belay.ledger.store import Ledger
from belay.ledger.writing import Batch

POLICY = a_policy(
    initial_stage=Stage.SUGGEST,
    autonomy=EASY,
    limits=a_policy().limits.__class__(2, 10**6, 10**6, 10**6, 600),
)


def life(r: Rehearsal, number: int) -> None:
    """Let one optimization live: climb its ramp and complete, or do harm on the way."""
    name = f"change-{number}"
    r.do(c.Propose(a_proposal(name, prediction=Prediction(0.05, 0.0, 0.1)), POLICY), BOT)
    for step in range(1, 5):
        r.tick(3600)
        r.do(c.StartStep(name, f"{name}-{step}", POLICY))
        r.do(c.JudgeGate(name, step, Gate.QUALITY, Verdict.PASS, "fine", None))
        for look in range(1, 4):
            r.do(c.TakeLook(name, step, look, r.now, harmful=False, sentence="nothing yet", evidence=None))
        r.do(c.JudgeGate(name, step, Gate.WINDOW, Verdict.PASS, "over", None))
        found = Estimate(0.04, -0.01, 0.09)
        r.do(c.JudgeGate(name, step, Gate.REVIEW, Verdict.PASS, "fine", None, found=found))
        r.do(c.RequestOversight(name, step, POLICY))
        request = r.state.requests[r.optimization(name).step.request]
        vote = c.CastVote(request.id, Choice.APPROVE, "seen", frozenset({APPROVER}), request.digest, "cli")
        r.do(vote, NORA)
        r.do(c.IntendWidening(name, step))
        r.confirm(name)
        if number % 20 == 0 and step == 2:
            r.do(c.RollBack(name, "harm", "page errors rose"))
            r.confirm(name)
            return


def a_history(size: int) -> list[Recorded]:
    """Return ``size`` entries: one life after another, each rehearsed on its own and then renumbered."""
    # A rehearsal folds into a new state each time, so lives are rehearsed apart and put one after another.
    history = list(Rehearsal(POLICY).adopt().history)
    number = 0
    while len(history) < size:
        alone = Rehearsal(POLICY, now=NOW + timedelta(minutes=number)).adopt()
        life(alone, number)
        history += alone.history[1:]
        number += 1
    return [
        Recorded(seq, recorded.at, recorded.by, recorded.event)
        for seq, recorded in enumerate(history[:size], 1)
    ]


def a_ledger(path: Path, history: list[Recorded]) -> Ledger:
    """Write ``history`` as a ledger would have, in one transaction."""
    ledger = Ledger.open(f"sqlite:///{path}")
    batch = Batch(State(), "")
    for recorded in history:
        batch.add([recorded.event], recorded.by, recorded.at, "")
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        batch.write(connection)
    ledger.close()
    return Ledger.open(f"sqlite:///{path}")


def seconds(act: Callable[[], object], repeats: int) -> float:
    """Return the best of ``repeats`` times."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    history = a_history(asked.entries)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        ledger = a_ledger(path, history)
        at = history[-1].at

        def record(state: State) -> object:
            found = record_of(state, POLICY, at)
            return found, judge_record(found, POLICY, Stage.SUPERVISED)

        def cold() -> object:
            opened = Ledger.open(f"sqlite:///{path}")
            found = record(opened.state())
            opened.close()
            return found

        state = ledger.state()
        found = record_of(state, POLICY, at)
        folded = seconds(lambda: record(fold(ledger.history())), 1)
        warm, fresh = seconds(lambda: record(state), asked.repeats), seconds(cold, asked.repeats)
        print(
            f"{asked.entries:,} entries, {len(state.optimizations):,} optimizations, "
            f"{found.completed:,} completed"
        )
        print(f"harm {found.harm.rate:.1%}, at most {found.harm.high:.1%}")
        print(f"record, state at hand          {warm:8.3f} s")
        print(f"record, state from the ledger  {fresh:8.3f} s")
        print(f"baseline: fold every entry     {folded:8.3f} s   ({folded / fresh:.1f} × the line above)")
        ledger.close()


if __name__ == "__main__":
    main()
