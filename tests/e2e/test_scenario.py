"""One of the scenario's agents works through a running Airflow: it earns a stage, turns, and loses it.

The agent is the drifting one of `belay scenarios`, with the same skill and the same way of proposing. What
its changes really do is the truth of a simulated shop, which nobody here is told. People, each under their
own login, approve what a review recommends. The ladder asks for two completed changes where the shipped one
asks for five and two weeks, and a lost stage takes one harm; everything else is what production goes through.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.support.world import World, running

from belay.domain.events import (
    GateJudged,
    OecMeasured,
    OptimizationEnded,
    PromotionJudged,
    StageDemoted,
    StagePromoted,
)
from belay.domain.gates import PromotionGate, Verdict
from belay.domain.record import record_of
from belay.domain.run import Run
from belay.domain.state import Status
from belay.explain.explain import explain
from belay.ledger.narrate import narrate
from belay.ledger.verify import verify
from belay.local.policies import hasten
from belay_lab.quarters.agents import CONVERSION, KINDS, TICKETS, Change, propose
from belay_lab.shop.scenario import Scenario
from belay_lab.shop.simulate import Storefront

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(1800)]

CAPABILITY = "wording"
ROLLOUT, PROMOTION = f"rollout__{CAPABILITY}", f"promotion__{CAPABILITY}"
AGENT, SEED = KINDS["drifting"], 5
GOOD = 2
"""Changes before it turns."""
PLAIN = 8
"""How many times larger the effects are of what it does then: plain to see within hours."""
RAMP = [5000, 10_000]
POLICIES = Path(__file__).parents[2] / "include" / "capabilities"
SHOP = {
    "title": "The surface that the agent works on",
    "seed": 29,
    "start": "2026-03-02T00:00:00",
    "history_days": 4,
    "surfaces": {
        "checkout": {
            "visitors_per_day": 60_000,
            "behaviour": {"conversion": 0.25, "support_tickets": 0.05},
        }
    },
}


def write_policies(folder: Path) -> None:
    """Write one capability over the shipped defaults, and a ladder that a record of minutes can climb."""
    shutil.copytree(POLICIES, folder)
    for file in folder.glob("[!_]*.yaml"):
        file.unlink()
    hasten(folder)

    def change(name: str, edit: Callable[[dict[str, Any]], None]) -> None:
        document = yaml.safe_load((folder / name).read_text())
        edit(document)
        (folder / name).write_text(yaml.safe_dump(document))

    change(
        "_ladder.yaml",
        lambda ladder: ladder["promotion"].update(
            suggest={"completed": 2, "harm_rate": 0.7, "override_rate": 0.7, "agreement": 0.5},
        ),
    )
    change(
        "_people.yaml",
        lambda roster: roster["agents"].update({AGENT.name: {"owner": "dana", "airflow": ["robot"]}}),
    )
    # A day of this shop is 12 seconds: one harm of it would spend the week's budget, and freeze everything.
    change("_defaults.yaml", lambda defaults: defaults["guard"].update(harm_per_week=1000))
    document = {
        "title": "Wording of the checkout",
        "owner": "carla",
        "surface": "checkout",
        "decision_class": "reversible",
        "initial_stage": "suggest",
        "primary": {"metric": CONVERSION, "rule": "superior", "minimum_effect": 0.03},
        "guardrails": {TICKETS: 0.25},
        "ramp": RAMP,
        "segments": [],
        "window": {"minimum": "1d", "maximum": "10d", "minimum_units": 500, "poll": "2s"},
        "autonomy": {"demotion": {"harm_rate": 0.05}},
    }
    (folder / f"{CAPABILITY}.yaml").write_text(yaml.safe_dump(document))


_TOLD = (GateJudged, OecMeasured, StagePromoted, StageDemoted, OptimizationEnded, PromotionJudged)


class AtWork:
    """The agent, the people, and what became of them."""

    def __init__(self, world: World, shop: Storefront) -> None:
        self.world, self.shop = world, shop
        self.rng = np.random.default_rng([SEED, *AGENT.name.encode()])
        self.changes: dict[str, Change] = {}

    @property
    def capability(self) -> Any:
        return self.world.belay.ledger.state().capabilities[CAPABILITY]

    def propose(self) -> str:
        """Let the agent put its next change forward, and make it true in the shop."""
        number = len(self.changes) + 1
        day = 0 if number <= GOOD else AGENT.turns_on
        change = propose(AGENT, number, day, self.world.belay.policy(CAPABILITY), self.rng)
        proposal, name = change.proposal, change.proposal.optimization
        # Harm of one day is charged to the record where it is far beyond what days may differ by.
        worse = 1 if number <= GOOD else PLAIN
        effects = [
            {"variant": variant.key, **{name: max(worse * by, -0.7) for name, by in truth.changes.items()}}
            for variant, truth in zip(proposal.variants, change.truths, strict=True)
        ]
        told = self.shop.scenario.model_dump()
        told["effects"][name] = effects
        self.shop.scenario = Scenario.model_validate(told)
        self.changes[name] = change
        assert proposal.prediction is not None
        document = {
            "optimization": name,
            "capability": CAPABILITY,
            "title": proposal.title,
            "hypothesis": proposal.hypothesis,
            "variants": [asdict(variant) for variant in proposal.variants],
            "rollback": proposal.rollback,
            "agent": AGENT.name,
            "agent_owner": proposal.agent_owner,
            "prediction": asdict(proposal.prediction),
        }
        answer = self.world.call("robot", "POST", "/belay/api/proposals", document)
        assert answer.status_code == 201, answer.text
        return name

    def take_up(self, name: str) -> None:
        """Start its first run, as a data engineer does; each run starts the next."""
        body = {"dag_run_id": f"{name}__step1", "logical_date": None, "conf": {"optimization": name}}
        self.world.trigger(ROLLOUT, body)

    def answer_until(self, name: str, done: Callable[[], object]) -> None:
        """Approve what is asked about a change, until it is done."""

        def answered() -> object:
            for request in self.world.belay.ledger.state().open_requests():
                if request.optimization == name and request.oversight == "approve":
                    self.say("nora", ROLLOUT, f"{name}__step{request.step}")
            return done()

        self.world.until(f"{name} is where it should be", answered, every=1.0)

    def say(self, user: str, dag: str, run: str) -> bool:
        """Approve under one's own login; False while the task cannot take the answer yet."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/approval/-1/hitlDetails"
        body = {"chosen_options": ["Approve"], "params_input": {"reason": "read the review"}}
        return self.world.call(user, "PATCH", path, body).ok

    def climbs(self) -> str:
        """Take a change of the agent's to everybody."""
        name = self.propose()
        self.take_up(name)
        self.answer_until(name, lambda: self.world.optimization(name).status is Status.COMPLETED)
        return name

    def asks(self, run: str) -> None:
        """Start a promotion."""
        self.world.trigger(PROMOTION, {"dag_run_id": run, "logical_date": None, "conf": {}})

    def told(self, run: str, gate: PromotionGate) -> Any:
        """Return what a gate of a promotion said, once it has."""
        promotion = self.capability.promotion
        known = promotion is not None and promotion.run == Run(PROMOTION, run).name
        return promotion.gates.get(gate) if known else None

    def tell(self) -> None:
        """Print what was true, and the sentences that came of it."""
        for name, change in self.changes.items():
            print(f"{name}: {change.truths[0].changes}")
        for entry in self.world.belay.ledger.history():
            if isinstance(entry.event, _TOLD):
                print(f"#{entry.seq} {entry.at:%H:%M:%S} {narrate(entry.event)}")

    def promoted(self, run: str) -> None:
        """Get both roles' answers."""
        self.asks(run)
        for user in ("nora", "omar"):
            self.world.until(f"{user} answers", lambda who=user: self.say(who, PROMOTION, run), every=1.0)
        self.world.until("it is promoted", lambda: self.capability.stage == "supervised")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtWork]:
    home = tmp_path_factory.mktemp("scenario")
    write_policies(home / "capabilities")
    shop = Storefront(home, Scenario.model_validate(SHOP), home / "flags" / "flags.flagd.json")
    shop.open()
    done = threading.Event()
    settings = {"BELAY_POLICIES": str(home / "capabilities"), "BELAY_PROMOTION_SCHEDULE": "none"}
    with running(home, with_shop=False, users={"robot": "viewer"}, **settings) as world:
        pace = {"seconds_per_tick": 0.5, "stop": done.is_set}
        runner = threading.Thread(target=shop.run, kwargs=pace)
        runner.start()
        try:
            work = AtWork(world, shop)
            for _ in range(GOOD):
                work.climbs()
            work.promoted("earned")
            bad = work.propose()
            work.take_up(bad)
            work.answer_until(bad, lambda: world.optimization(bad).status is Status.ROLLED_BACK)
            world.until("the stage is lost", lambda: work.capability.stage == "suggest")
            work.asks("again")
            world.until("its record is judged", lambda: work.told("again", PromotionGate.RECORD))
            work.tell()
            yield work
        finally:
            done.set()
            runner.join()
    shop.close()


def test_the_agent_earned_a_stage_and_lost_it_by_what_it_did(course: AtWork) -> None:
    history = [entry.event for entry in course.world.belay.ledger.history()]
    ends = [(e.optimization, str(e.outcome)) for e in history if isinstance(e, OptimizationEnded)]
    assert ends == [("drifting-1", "completed"), ("drifting-2", "completed"), ("drifting-3", "rolled_back")]
    (up,) = [e for e in history if isinstance(e, StagePromoted)]
    (down,) = [e for e in history if isinstance(e, StageDemoted)]
    assert (up.from_stage, up.to_stage, down.from_stage, down.to_stage, down.rule) == (
        "suggest",
        "supervised",
        "supervised",
        "suggest",
        "harm-rate",
    )
    assert course.world.served("drifting-3") == 0
    assert course.world.served("drifting-2") == 10_000, "what won goes on"


def test_what_was_found_is_near_what_is_true(course: AtWork) -> None:
    """Only the shop knows the truth. A 93 % interval misses it once in 15 runs; 2.5 times as wide, never."""
    for name, change in course.changes.items():
        known, truth = course.world.optimization(name), change.truths[0].changes[CONVERSION]
        if known.status is Status.COMPLETED:
            found = known.results.found
            assert found is not None
            assert abs(found.effect - truth) < 2.5 * (found.high - found.low) / 2
        else:
            assert truth < 0


def test_getting_back_takes_fresh_evidence(course: AtWork) -> None:
    said = course.told("again", PromotionGate.RECORD)
    assert said.verdict is Verdict.HOLD
    belay = course.world.belay
    record = record_of(belay.ledger.state(), belay.policy(CAPABILITY), belay.now())
    assert record.completed == 0, "merit starts with the stage"
    assert record.harm.hits == pytest.approx(1, abs=0.01), "harm is carried over"
    assert course.capability.stage == "suggest"


def test_whoever_asks_is_told_why_and_by_whom(course: AtWork) -> None:
    history = list(course.world.belay.ledger.history())
    for kind, told in (
        (StagePromoted, ("nora", "omar", "from “suggest” to “supervised”")),
        (StageDemoted, ("drifting-3", "harm-rate", "from “supervised” to “suggest”")),
    ):
        (entry,) = [entry for entry in history if isinstance(entry.event, kind)]
        text = explain(history, entry.seq).to_text()
        assert all(words in text for words in told), text
    assert verify(course.world.belay.ledger).ok
