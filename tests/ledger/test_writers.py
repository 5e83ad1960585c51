"""Many writers at once, in threads and in processes, and one that is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.builders import APPROVER, BOT, GATE, NORA, NOW, VERA, VETO, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.events import Choice
from belay.domain.gates import Gate, Verdict
from belay.domain.stages import Stage
from belay.ledger.codec import encode_state
from belay.ledger.store import Ledger, Outcome
from belay.ledger.verify import verify

ROOT = Path(__file__).parents[2]
POLICY = a_policy(initial_stage=Stage.SUGGEST)
_WRITER = """
import sys
from dataclasses import replace
from belay.domain import commands as c
from belay.ledger.store import Ledger
from tests.support.builders import BOT, NOW, a_policy, a_proposal
url, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ledger, policy = Ledger.open(url), a_policy(limits=replace(a_policy().limits, proposals_per_day=100_000))
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + count):
    name = f"opt-{number}"
    ledger.execute(c.Propose(a_proposal(name), policy), by=BOT, at=NOW, key=name)
    print(name, flush=True)
"""


def writer(url: str, first: int, count: int) -> subprocess.Popen[str]:
    """Start a process that proposes ``count`` optimizations once it is told to."""
    arguments = [sys.executable, "-c", _WRITER, url, str(first), str(count)]
    return subprocess.Popen(
        arguments,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def go(process: subprocess.Popen[str]) -> None:
    """Wait until a writer is ready, and let it write."""
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


def url_of(ledger: Ledger) -> str:
    return ledger.engine.url.render_as_string(hide_password=False)


def at_once(actions: list[Callable[[], Outcome]]) -> list[Outcome]:
    """Run every action in a thread of its own, all at the same time."""
    with ThreadPoolExecutor(len(actions)) as pool:
        return [future.result() for future in [pool.submit(action) for action in actions]]


def reviewed(ledger: Ledger) -> c.CastVote:
    """Bring one optimization to its request, and return a vote for it."""
    ledger.execute(c.AdoptPolicy(POLICY, "start"), by=GATE, at=NOW)
    ledger.execute(c.Propose(a_proposal(), POLICY), by=BOT, at=NOW)
    ledger.execute(c.StartStep("opt-1", "run", POLICY), by=GATE, at=NOW)
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        ledger.execute(c.JudgeGate("opt-1", 1, gate, Verdict.PASS, "fine", None), by=GATE, at=NOW)
    ledger.execute(c.RequestOversight("opt-1", 1, POLICY), by=GATE, at=NOW)
    (request,) = ledger.state().open_requests()
    return c.CastVote(request.id, Choice.APPROVE, "seen", frozenset({APPROVER}), request.digest, "cli")


def test_threads_of_one_ledger_and_of_many(any_ledger: Ledger) -> None:
    any_ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    ledgers = [any_ledger, any_ledger, Ledger.open(url_of(any_ledger)), Ledger.open(url_of(any_ledger))]

    def propose(ledger: Ledger, first: int) -> Outcome:
        for number in range(first, first + 10):
            command = c.Propose(a_proposal(f"opt-{number}"), a_policy())
            outcome = ledger.execute(command, by=BOT, at=NOW, key=f"opt-{number}")
        return outcome

    # Two writers share each range, so that every key is asked for twice.
    at_once([lambda n=n, ledger=ledger: propose(ledger, n // 2 * 10) for n, ledger in enumerate(ledgers)])  # type: ignore[misc]
    assert any_ledger.head()[0] == 1 + 20, "each key once"
    assert {encode_state(ledger.state()) for ledger in ledgers} == {encode_state(any_ledger.rebuild())}
    assert verify(any_ledger).ok


def test_processes(any_ledger: Ledger) -> None:
    any_ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    processes = [writer(url_of(any_ledger), first, 12) for first in (0, 0, 100)]
    for process in processes:
        go(process)
    assert [process.communicate()[0].count("opt-") for process in processes] == [12, 12, 12]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert any_ledger.head()[0] == 1 + 24
    assert len(any_ledger.state().optimizations) == 24
    assert verify(any_ledger).ok


def test_processes_that_open_a_new_ledger_at_once(url: str) -> None:
    processes = [writer(url, 0, 0) for _ in range(4)]
    for process in processes:
        go(process)
    assert [process.wait() for process in processes] == [0] * 4
    assert verify(Ledger.open(url)).ok


def test_a_grant_is_spent_once(any_ledger: Ledger) -> None:
    any_ledger.execute(reviewed(any_ledger), by=NORA, at=NOW)
    ledgers = [any_ledger, *(Ledger.open(url_of(any_ledger)) for _ in range(3))]
    intend = c.IntendWidening("opt-1", 1)
    outcomes = at_once([lambda ledger=ledger: ledger.execute(intend, by=GATE, at=NOW) for ledger in ledgers])  # type: ignore[misc]
    assert sorted(len(outcome.events) for outcome in outcomes) == [0, 0, 0, 1]
    assert [entry.kind for entry in any_ledger.entries()].count("scope.widening") == 1


def test_a_veto_and_a_widening_at_once_end_in_the_veto(any_ledger: Ledger) -> None:
    any_ledger.execute(reviewed(any_ledger), by=NORA, at=NOW)
    other = Ledger.open(url_of(any_ledger))
    veto = c.Veto("opt-1", "no", frozenset({VETO}), "cli")
    at_once(
        [
            lambda: any_ledger.execute(c.IntendWidening("opt-1", 1), by=GATE, at=NOW),
            lambda: other.execute(veto, by=VERA, at=NOW),
        ]
    )
    known = any_ledger.state().optimizations["opt-1"]
    assert known.status == "vetoed"
    assert known.pending is None or not known.pending.widening
    late = any_ledger.execute(c.ConfirmScope("opt-1", 100, 1, "flagd", NOW), by=GATE, at=NOW)
    assert late.refusal is not None
    assert any_ledger.state().optimizations["opt-1"].scope == 0


def test_verify_while_others_write(any_ledger: Ledger) -> None:
    any_ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    process = writer(url_of(any_ledger), 0, 60)
    go(process)
    reader, looks = Ledger.open(url_of(any_ledger)), 0
    while process.poll() is None:
        assert verify(reader).fault is None
        assert len(reader.rebuild().optimizations) <= 60
        looks += 1
    process.communicate()
    assert process.returncode == 0
    assert looks
    assert verify(any_ledger).ok
    assert any_ledger.head()[0] == 61


@pytest.mark.parametrize("after", [1, 6])
def test_kill_9_in_the_middle(any_ledger: Ledger, after: int) -> None:
    """What was answered is there; what was not is there as a whole or not at all."""
    any_ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    process = writer(url_of(any_ledger), 0, 10_000)
    go(process)
    assert process.stdout is not None
    answered = [process.stdout.readline() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    # Not communicate(): it reads past what readline has taken along already.
    answered += process.stdout.readlines()
    process.wait()
    complete = {line.strip() for line in answered if line.endswith("\n")}
    ledger = Ledger.open(url_of(any_ledger))
    found = set(ledger.state().optimizations)
    assert complete <= found
    assert len(found - complete) <= 1
    assert verify(ledger).ok
    assert encode_state(ledger.state()) == encode_state(ledger.rebuild())
    again = ledger.execute(c.Propose(a_proposal("opt-0"), a_policy()), by=BOT, at=NOW, key="opt-0")
    assert again.replayed
