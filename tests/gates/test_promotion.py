"""A capability goes through the gates of a promotion, with a real ledger, warehouse and flags."""

from __future__ import annotations

import pytest
import yaml

from belay.actuation.flag_writer import settle_scope
from belay.domain import commands as c
from belay.domain.actors import human, service
from belay.domain.answering import roster_finding
from belay.domain.events import Choice
from belay.domain.gates import Gate, PromotionGate, Verdict
from belay.domain.quorum import quorum_of
from belay.domain.rules.due import Facts
from belay.domain.stages import Stage
from belay.execution import RefusedError
from belay.gates.promotion import go_through, promote
from belay.oversight import people
from belay.oversight.active_policy import adopt_policy
from belay.oversight.demotion import apply_demotions, ledger_facts

NAME = "checkout_wording"


def write(world, **changes) -> None:
    """Change the capability's file; the ladder asks for next to nothing: a short record can meet it."""
    ladder = world.policies / "_ladder.yaml"
    document = yaml.safe_load(ladder.read_text())
    document["promotion"] = {
        stage: {"agreement": 0.0} for stage in ("observe", "suggest", "supervised", "bounded")
    }
    document["promotion"]["suggest"] = {"days": 0, "harm_rate": 1.0}
    document["promotion"]["bounded"] = {"completed": 3}
    ladder.write_text(yaml.safe_dump(document))
    file = world.policies / f"{NAME}.yaml"
    policy = yaml.safe_load(file.read_text()) | {"initial_stage": "suggest", "suites": ["units"]} | changes
    file.write_text(yaml.safe_dump(policy))


def person(world, name):
    found = world.belay.roster().person(name)
    assert found is not None
    return found


def asked(world, run: str):
    return go_through(world.belay, NAME, run, asked_by="priya")


def vote(world, request, *names, choice=Choice.APPROVE):
    for name in names:
        people.vote(world.belay, request, choice, person=person(world, name), reason="read it", via="cli")


def expose(world, name: str, approved_by: str = "nora", steps: int = 1) -> None:
    """Climb without measuring: what is tested here is what comes of it."""
    ledger, policy, gate = world.belay.ledger, world.belay.policy(NAME), service("gate")

    def do(command) -> None:
        outcome = ledger.execute(command, by=gate, at=world.belay.now())
        assert outcome.refusal is None, outcome.refusal

    for _ in range(steps):
        known = world.known(name)
        number = known.step.number + 1 if known.step else 1
        do(c.StartStep(name, f"{name}-{number}", policy))
        for passed in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
            do(c.JudgeGate(name, number, passed, Verdict.PASS, "fine", None))
        do(c.RequestOversight(name, number, policy))
        request = world.known(name).step.request
        if request:
            vote(world, request, approved_by)
        do(c.IntendWidening(name, number))
        settle_scope(world.belay, name)


def stage(world) -> str:
    return str(world.belay.ledger.state().capabilities[NAME].stage)


def test_from_suggest_to_supervised_with_two_roles(world) -> None:
    write(world)
    world.propose("checkout-good")
    expose(world, "checkout-good")
    world.belay.ledger.execute(
        c.RollBack("checkout-good", "replaced", "seen enough"), by=service("gate"), at=world.belay.now()
    )
    settle_scope(world.belay, "checkout-good")
    said, status = asked(world, "run-1")
    assert [(outcome.gate, outcome.verdict) for outcome in said] == [
        (gate, Verdict.PASS) for gate in list(PromotionGate)[:4]
    ], [outcome.sentence for outcome in said]
    assert "A first exposure would take notice instead of approve" in said[-1].sentence
    assert status.outcome is None
    assert status.missing == ("0 of 2 approvals", "needs a cx_owner and a risk_owner")
    vote(world, status.request.id, "nora")
    assert asked(world, "run-1")[1].outcome is None, "one of two"
    vote(world, status.request.id, "omar")
    said, status = asked(world, "run-1")
    assert said[-1].sentence == "it goes to supervised, approved by nora, omar"
    assert stage(world) == "supervised"
    known = world.belay.ledger.state().capabilities[NAME]
    assert known.lease_until is not None
    document = world.belay.ledger.get_evidence(said[-1].evidence)
    assert {line["standing"] for line in document["criteria"]} == {"met"}
    assert document["ledger"]["ok"]
    started = next(e for e in world.belay.ledger.history() if e.event.kind == "promotion.started")
    assert started.event.asked_by == "priya"
    # Airflow runs a task again whose worker died, and people clear whole runs: all say what they said.
    before = world.belay.ledger.head()
    again, _ = asked(world, "run-1")
    assert [outcome.sentence for outcome in again[:-1]] == [outcome.sentence for outcome in said[:-1]]
    assert again[-1].sentence == f"{said[-1].sentence}; that was done before, and its stage is supervised now"
    assert world.belay.ledger.head() == before


def test_an_unknown_criterion_holds_and_says_so(world) -> None:
    write(world)
    world.propose("checkout-good")
    said, status = asked(world, "run-1")
    assert status is None
    assert (said[-1].gate, said[-1].verdict) == (PromotionGate.RECORD, Verdict.HOLD)
    assert "harm rate (unknown, which is not met): nothing was decided yet" in said[-1].sentence
    assert asked(world, "run-1")[0][-1] == said[-1], "asked again it says the same"


def test_a_schedule_asks_only_when_it_is_time_and_not_again_after_a_no(world) -> None:
    write(world)
    ladder = world.policies / "_ladder.yaml"
    document = yaml.safe_load(ladder.read_text())
    document["promotion"]["suggest"] = {"completed": 5}
    ladder.write_text(yaml.safe_dump(document))
    world.propose("checkout-good")
    (early,), _ = go_through(world.belay, NAME, "run-1")
    assert early.verdict is Verdict.HOLD
    assert "too early to ask for supervised" in early.sentence
    document["promotion"]["suggest"] = {"days": 0}
    ladder.write_text(
        yaml.safe_dump({**document, "promotion": {**document["promotion"], "suggest": {"judged": 0}}})
    )
    (held,), _ = go_through(world.belay, NAME, "run-2")
    assert f"belay policy adopt {NAME}" in held.sentence
    adopt_policy(world.belay, world.belay.policy(NAME), human("carla"), "sooner")
    _, status = go_through(world.belay, NAME, "run-2b")
    vote(world, status.request.id, "nora", choice=Choice.REJECT)
    _, status = go_through(world.belay, NAME, "run-2b")
    assert status.outcome.verdict is Verdict.HOLD
    (again,), _ = go_through(world.belay, NAME, "run-3")
    assert "people did not agree" in again.sentence
    assert asked(world, "run-4")[1].outcome is None, "a person may ask at any time"


def test_nobody_left_to_answer(world) -> None:
    write(world)
    policy, roster = world.belay.policy(NAME), world.belay.roster()
    roles, needed = policy.promotion_quorum
    assert not quorum_of(roster, roles, needed, owner=policy.owner).obstacle
    lonely = quorum_of(roster, roles, needed, owner=policy.owner, without={"omar", "ruth"})
    assert roster_finding(lonely) == c.Finding("roster", Verdict.HOLD, "nobody could answer as risk_owner")


def test_a_demotion_narrows_what_people_did_not_approve(world) -> None:
    write(world, initial_stage="supervised")
    world.propose("checkout-good")
    ledger, policy = world.belay.ledger, world.belay.policy(NAME)
    number = 1
    ledger.execute(c.StartStep("checkout-good", "r", policy), by=service("gate"), at=world.belay.now())
    for passed in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        command = c.JudgeGate("checkout-good", number, passed, Verdict.PASS, "fine", None)
        ledger.execute(command, by=service("gate"), at=world.belay.now())
    ledger.execute(
        c.RequestOversight("checkout-good", number, policy), by=service("gate"), at=world.belay.now()
    )
    request = world.belay.ledger.state().requests[world.known("checkout-good").step.request]
    assert request.oversight == "notice"
    ledger.execute(c.SettleRequest(request.id), by=service("gate"), at=request.expires_at)
    ledger.execute(c.IntendWidening("checkout-good", number), by=service("gate"), at=world.belay.now())
    settle_scope(world.belay, "checkout-good")
    assert world.belay.flags.read("checkout-good").scope == 2000

    faults = {NAME: Facts(ledger_fault="the ledger does not verify: row 7")}
    (demotion,) = apply_demotions(world.belay, faults)
    assert (demotion.rule, stage(world)) == ("ledger", "suggest")
    assert world.belay.flags.read("checkout-good").scope == 0, "people never approved its first exposure"
    assert not world.known("checkout-good").status.ended, "it may climb again, step by approved step"
    assert apply_demotions(world.belay, faults) == [], "one cause takes one stage, until tomorrow"
    assert ledger_facts(world.belay) == {}


def test_promote_without_people_is_refused(world) -> None:
    write(world, approval={"roles": ["cx_owner"], "notice": "1s"})
    world.propose("checkout-good")
    expose(world, "checkout-good")
    world.belay.ledger.execute(
        c.RollBack("checkout-good", "replaced", "seen enough"), by=service("gate"), at=world.belay.now()
    )
    settle_scope(world.belay, "checkout-good")
    asked(world, "run-1")
    with pytest.raises(RefusedError, match="no unused grant of people"):
        promote(world.belay, NAME, "run-1")
    assert stage(world) == Stage.SUGGEST
