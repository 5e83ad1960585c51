"""kill -9 of every component, and of the running task, at every stage of a step, in one running Airflow.

One optimization climbs a ramp of small steps; in each step one victim is killed at each of the eight stages.
What the ledger holds in the end must be what it holds without a kill: every step taken once, in order, and
nothing lost. The shop's time goes on by a day in each window and stands otherwise, so that a review covers
the same visitors on any machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from tests.faults.dying import TIMES
from tests.faults.paused import POINTS, barrier
from tests.support.world import World, running

from belay.actuation.reconcile import reconcile
from belay.clock import data_now, set_data_now
from belay.domain.events import Choice, OversightGranted, ScopeConfirmed, WideningIntended
from belay.domain.state import Status
from belay.flags.flagd import FlagdFile
from belay.ledger.verify import verify
from belay.oversight import people
from belay_lab.shop.scenario import load_scenario
from belay_lab.shop.simulate import Storefront

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(4 * 3600)]

REPOSITORY = Path(__file__).parents[2]
SHOP = REPOSITORY / "tests" / "e2e" / "shop.yaml"
NAME, DAG = "checkout-delivery-date", "rollout__checkout_wording"
VICTIMS = ("scheduler", "triggerer", "dag-processor", "api-server", "task") * TIMES
STAGES = ("admit", "quality", "window", "review", "approval", *POINTS)
RAMP = [100, *(100 + 9900 * number // len(VICTIMS) for number in range(1, len(VICTIMS) + 1))]
PROPOSAL = {
    "optimization": NAME,
    "title": "Say when the parcel will arrive",
    "hypothesis": "A date beside the button helps people decide.",
    "variants": [{"key": "treatment", "payload": {"label": "yours on Thursday"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
}
WAITS = {"window": "deferred", "approval": "awaiting_input"}
"""In which state a stage waits for long; the others are hit while their task runs."""
DAY = timedelta(days=1)
"""How far the shop's time goes on in each window: an hour in which the flags settle, and the window."""


def policies(folder: Path) -> Path:
    """Return policies whose windows take the day that the test lets pass, so that Airflow is waited for."""
    shutil.copytree(REPOSITORY / "include" / "capabilities", folder)
    file = folder / "checkout_wording.yaml"
    policy = yaml.safe_load(file.read_text())
    policy |= {
        "ramp": RAMP,
        "primary": {"metric": "conversion", "rule": "non_inferior", "minimum_effect": 0.8, "margin": 0.8},
        "guardrails": {"support_tickets": "900 %"},
        "window": {"minimum": "23h", "maximum": "14d", "minimum_units": 200, "looks": 4, "poll": "1s"},
        "approval": {"notice": "1s"},
        "limits": {"changes_per_day": 1000},
        # Whoever answers here answers at once, as nobody may for long.
        "supervision": {"least_answers": 1000},
    }
    file.write_text(yaml.safe_dump(policy))
    return folder


class Faults:
    """The world, its shop, and what was killed when."""

    def __init__(self, world: World, shop: Storefront) -> None:
        self.world = world
        self.shop = shop
        self.flags = world.home / "flags" / "flags.flagd.json"
        self.killed: list[tuple[str, str]] = []
        self.anchors: list[tuple[int, str]] = []

    def task(self, step: int, name: str) -> tuple[str, int]:
        """Return a task's state and process, from Airflow's database: the web server may be dead."""
        url = f"file:{self.world.airflow.home / 'airflow.db'}?mode=ro"
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(url, uri=True, timeout=30)) as db:
            row = db.execute(
                "SELECT state, pid FROM task_instance WHERE dag_id = ? AND run_id = ? AND task_id = ?",
                (DAG, f"{NAME}__step{step}", name),
            ).fetchone()
            return (row[0] or "", row[1] or 0) if row else ("", 0)
        return "", 0

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait closely: a task may run for a second only."""
        deadline = time.monotonic() + 420
        while not condition():
            if time.monotonic() > deadline:
                self.world.until(what, condition, patience=0.0)
            time.sleep(0.03)

    def kill(self, victim: str, stage: str, step: int) -> None:
        """Kill the victim as the kernel would, in the middle of the stage."""
        self.anchors.append(self.world.belay.ledger.head())
        if victim == "task":
            _, process = self.task(step, stage if stage not in POINTS else "widen")
            if stage in POINTS:
                process = int(barrier(self.flags, stage).with_suffix(".reached").read_text().split()[0])
            with suppress(ProcessLookupError):  # a task of a moment may have ended in that moment
                os.kill(process, signal.SIGKILL)
                self.killed.append((victim, stage))
            return
        before = self.world.pid_of(victim)
        with suppress(ProcessLookupError):
            os.kill(before, signal.SIGKILL)
            self.killed.append((victim, stage))
        self.until(f"{victim} is started again", lambda: self.world.pid_of(victim) != before)

    def reach(self, stage: str, step: int, victim: str) -> None:
        """Wait until the step is in the middle of the stage."""
        if stage in POINTS:
            reached = barrier(self.flags, stage).with_suffix(".reached")
            self.until(f"step {step} is at its {stage}", reached.exists)
            return
        wanted = {"running"} if victim == "task" else {WAITS.get(stage, "running")}
        self.until(f"step {step} is in {stage}", lambda: self.task(step, stage)[0] in wanted)

    def vote(self, step: int) -> None:
        """Approve the step's request, once there is one."""
        belay = self.world.belay

        def asked() -> object:
            known = self.world.optimization(NAME)
            return known and known.step and known.step.number == step and known.step.request

        self.until(f"step {step} asks", asked)
        request = belay.ledger.state().requests[str(asked())]
        if request.oversight == "approve" and request.status == "open":
            nora = belay.roster().person("nora")
            assert nora is not None
            people.vote(belay, request.id, Choice.APPROVE, person=nora, reason="good", via="test")

    def take(self, step: int, victim: str | None) -> None:
        """Take one step; kill the victim at every stage of it."""
        began = time.monotonic()
        for stage in STAGES:
            if victim is not None:
                self.reach(stage, step, victim)
                self.kill(victim, stage, step)
                if stage in POINTS:
                    self.lower(stage)
                if stage == "window":
                    self.advance()
            if stage == "approval":
                for point in POINTS if victim is not None else ():
                    self.raise_(point)
                self.vote(step)
        self.until(
            f"step {step} is confirmed",
            lambda: self.world.optimization(NAME).scope == RAMP[step - 1],
        )
        print(f"step {step}, {victim or 'nothing'} killed: {time.monotonic() - began:.0f} s", flush=True)

    def advance(self) -> None:
        """Let a day of data arrive at once: no look sees a part of it, however slow the machine is."""
        now = data_now(self.world.home)
        self.shop.write(now, now + DAY)
        set_data_now(self.world.home, now + DAY)

    def raise_(self, point: str) -> None:
        up = barrier(self.flags, point)
        up.parent.mkdir(parents=True, exist_ok=True)
        up.with_suffix(".reached").unlink(missing_ok=True)
        up.touch()

    def lower(self, point: str) -> None:
        barrier(self.flags, point).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    home = tmp_path_factory.mktemp("faults")
    flags = home / "flags" / "flags.flagd.json"
    environment = {
        "BELAY_POLICIES": str(policies(home / "capabilities")),
        "BELAY_EXPECTATIONS": str(REPOSITORY / "expectations"),
        "BELAY_FLAGS": f"python:tests.faults.paused:open_paused:{flags}",
        "BELAY_APPROVAL_RECHECK_SECONDS": "10",
        "BELAY_FLAG_SETTLE_SECONDS": "3600",
        "BELAY_RECONCILE_SECONDS": "86400",  # what goes wrong here has to come right without them
        "BELAY_GUARD_SECONDS": "86400",
        "PYTHONPATH": str(REPOSITORY),
        # A dead task or triggerer is noticed after seconds, not after five minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    }
    with closing(Storefront(home, load_scenario(str(SHOP)), flags)) as shop:
        shop.open()
        with running(home, with_shop=False, **environment) as world:
            yield Faults(world, shop)


def test_every_kill_at_every_stage_changes_nothing(faults: Faults) -> None:
    world, belay = faults.world, faults.world.belay
    body = {"dag_run_id": f"{NAME}__step1", "logical_date": None, "conf": PROPOSAL}
    world.trigger(DAG, body)
    faults.take(1, None)
    for step, victim in enumerate(VICTIMS, 2):
        faults.take(step, victim)
    faults.until("it is complete", lambda: world.optimization(NAME).status is Status.COMPLETED)
    known = world.optimization(NAME)
    events = [entry.event for entry in belay.ledger.history(optimization=NAME)]
    climb = list(zip([0, *RAMP], RAMP, strict=False))
    widenings = [(e.from_scope, e.to_scope) for e in events if isinstance(e, WideningIntended)]
    assert widenings == climb, "a step was skipped, doubled or lost"
    assert [e.scope for e in events if isinstance(e, ScopeConfirmed)] == RAMP
    assert len([e for e in events if isinstance(e, OversightGranted)]) == len(RAMP)
    assert (known.scope, known.epoch, known.pending) == (RAMP[-1], len(RAMP), None)
    served = FlagdFile(faults.flags).read(NAME)
    assert served is not None
    assert (served.scope, served.epoch) == (RAMP[-1], len(RAMP))
    assert verify(belay.ledger).ok
    entries = {entry.seq: entry.hash for entry in belay.ledger.entries()}
    assert all(entries[seq] == digest for seq, digest in faults.anchors if seq), "an entry was lost"
    assert reconcile(belay).left == ()
    hit = {(victim, stage): faults.killed.count((victim, stage)) for victim in VICTIMS for stage in STAGES}
    print({f"{victim} at {stage}": count for (victim, stage), count in hit.items()})
    assert min(hit.values()) >= TIMES, f"not killed often enough: {hit}"
