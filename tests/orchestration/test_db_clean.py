"""`airflow db clean` with a recent cut-off: a run that waits runs its finished gates again, safely."""

from __future__ import annotations

from tests.orchestration.conftest import NAME

from belay.gates.admit import admit
from belay.gates.approval import approval
from belay.gates.quality import quality
from belay.gates.review import review
from belay.gates.window import window_look


def test_gates_that_run_again_answer_what_they_answered_and_ask_nobody_anew(belay, reviewed) -> None:
    run = reviewed(tags=["brand"])
    assert approval(belay, NAME, 1).outcome is None
    (request,) = belay.ledger.state().open_requests()
    head, known = belay.ledger.head(), belay.ledger.state().optimizations[NAME]
    # The rows of what had finished are deleted, XComs included: the run's tasks start from the first again.
    again = [
        admit(belay, NAME, run),
        quality(belay, NAME, 1),
        window_look(belay, NAME, 1).outcome,
        review(belay, NAME, 1),
    ]
    assert [outcome.verdict for outcome in again] == [
        gate.verdict for gate in list(known.step.gates.values())
    ]
    assert approval(belay, NAME, 1).outcome is None
    assert belay.ledger.head() == head
    assert belay.ledger.state().open_requests() == [request]
