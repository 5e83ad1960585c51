"""What waits for a judgement, what people said, and why nobody is asked any more."""

from __future__ import annotations

from tests.support.builders import ANNA, APPROVER, NORA, VERA, VETO, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.actors import Actor
from belay.domain.gates import Estimate
from belay.domain.proposal import Prediction
from belay.domain.roster import Person, Roster
from belay.domain.stages import Stage
from belay.present.digest import digest_text, listed, waiting_for_judgement, why_closed

ROSTER = Roster((Person("nora", "Nora Lindqvist", "", frozenset({APPROVER})),))


def observing(**changes: object) -> Rehearsal:
    """Let a proposal wait for a judgement."""
    return Rehearsal(a_policy(initial_stage=Stage.OBSERVE, **changes)).proposed()


def judge(world: Rehearsal, by: Actor = NORA, *, agrees: bool = True) -> None:
    world.do(c.JudgeProposal("opt-1", agrees, "reads\nlike us", frozenset({APPROVER}), "cli"), by)


def closed(world: Rehearsal) -> str:
    waits = [known.id for known in waiting_for_judgement(world.state)]
    why = why_closed(world.state, world.optimization())
    assert (why == "") == (waits == ["opt-1"]), "one rule says both"
    return why


def test_it_waits_until_one_judgement_counts() -> None:
    world = observing()
    assert closed(world) == ""
    judge(world, ANNA)  # she answers for the agent
    assert closed(world) == ""
    assert digest_text(world.state).startswith("1 proposal waits for a judgement.")
    judge(world)
    assert closed(world) == "was judged already"
    assert digest_text(world.state) == "No proposal waits for a judgement."


def test_what_ended_or_left_observe_is_not_asked_about() -> None:
    world = observing()
    world.do(c.Veto("opt-1", "it misleads", frozenset({VETO}), "cli"), VERA)
    assert closed(world) == "has ended: veto by vera: it misleads"
    world = observing()
    world.promoted(Stage.SUGGEST)
    assert closed(world) == "goes another way: Checkout wording is at stage suggest now"


def test_what_was_shown_is_judged_by_its_effect() -> None:
    world = Rehearsal().proposed()
    world.widened()
    assert closed(world) == "was shown: its effect is judged now, not its idea"


def test_the_list_tells_what_people_said_and_why() -> None:
    world = observing()
    judge(world, ANNA, agrees=False)
    judge(world)
    entry = listed(world.state, world.optimization(), ROSTER, world.history)
    assert (entry.optimization, entry.agent_owner, entry.closed) == ("opt-1", "anna", "was judged already")
    said = [(one.who, one.agrees, one.reason, one.counted) for one in entry.said]
    assert said == [
        ("anna", False, "reads\nlike us", False),
        ("Nora Lindqvist", True, "reads\nlike us", True),
    ]
    assert entry.expects == "it does not say what it expects"


def test_what_data_say_stands_beside_what_the_agent_expects() -> None:
    rehearsal = Rehearsal(a_policy(initial_stage=Stage.OBSERVE))
    rehearsal.proposed("told", prediction=Prediction(0.05, 0.01, 0.09))
    rehearsal.proposed("untold")
    rehearsal.do(c.RecordShadow("told", Estimate(-0.02, -0.05, 0.01), "would hurt", None))
    text = digest_text(rehearsal.state)
    expects = "it expects +5.0 % (+1.0 % to +9.0 %) on the primary metric"
    assert f"{expects}; data say −2.0 % (−5.0 % to +1.0 %)" in text
    assert "it does not say what it expects; no data tell what it would have done" in text
