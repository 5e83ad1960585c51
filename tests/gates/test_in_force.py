"""A policy file moves nothing by itself: gates, guard and stages go by what a person brought into force."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import yaml
from tests.gates.test_way import exposed, to_review

from belay.domain.actors import human
from belay.domain.gates import Gate, Verdict
from belay.domain.rules.due import Facts
from belay.domain.stages import Stage
from belay.execution import RefusedError
from belay.gates.admit import admit
from belay.gates.approval import approval
from belay.gates.promotion import admit_promotion
from belay.gates.quality import quality
from belay.gates.window import window_look
from belay.ledger.schema import evidence
from belay.ledger.verify import verify
from belay.oversight.active_policy import adopt_policy, policies_in_force, policy_in_force, waiting_changes
from belay.oversight.demotion import apply_demotions
from belay.services import PolicyBrokenError, Services

NAME = "checkout_wording"
CARLA = human("carla")


def edit(world, **changes) -> None:
    """Change the file, and nothing else."""
    file = world.policies / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes))


def adopt(world, reason: str = "decided") -> None:
    adopt_policy(world.belay, world.belay.policy(NAME), CARLA, reason)


def forget_document(belay: Services) -> None:
    """Lose the text of the policy in force, as a tampered or half restored database has."""
    digest = belay.ledger.state().capabilities[NAME].document
    with belay.ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.text("DROP TRIGGER evidence_no_delete"))
        connection.execute(sa.delete(evidence).where(evidence.c.sha256 == digest))


def test_an_edited_file_holds_new_steps_and_leaves_the_one_under_way(world) -> None:
    name = world.propose("checkout-good")
    assert admit(world.belay, name, "run-1").verdict is Verdict.PASS
    before = policy_in_force(world.belay, NAME)
    edit(world, ramp=[9000, 10000])
    assert policy_in_force(world.belay, NAME) == before
    assert quality(world.belay, name, 1).verdict is Verdict.PASS
    held = admit(world.belay, name, "run-2")
    assert held.verdict is Verdict.HOLD
    assert "belay policy adopt checkout_wording" in held.sentence
    assert "start a new run" in held.sentence
    assert world.known(name).step.to_scope == 2000, "up the ramp in force"
    adopt(world)
    assert admit(world.belay, name, "run-3").verdict is Verdict.PASS
    assert world.known(name).step.to_scope == 9000


def test_a_step_that_was_admitted_under_another_policy_is_held_at_its_next_gate(world) -> None:
    name = world.propose("checkout-good")
    exposed(world, name)
    assert admit(world.belay, name, "run-2").verdict is Verdict.PASS
    assert quality(world.belay, name, 2).verdict is Verdict.PASS
    first = world.belay.policy(NAME)
    edit(world, guardrails={"page_errors": 0.9})
    adopt(world)
    look = window_look(world.belay, name, 2)
    assert look.outcome.verdict is Verdict.HOLD, "nobody waits for a window that leads to nothing"
    assert "the policy changed since this step was admitted" in look.sentence
    # Nor does it help to bring the first one back: what was judged under the other stays judged.
    adopt_policy(world.belay, first, CARLA, "back again")
    assert world.known(name).step.gates[Gate.WINDOW].verdict is Verdict.HOLD


def test_a_question_that_the_policy_voided_is_not_asked_again(world) -> None:
    name = world.propose("checkout-good")
    exposed(world, name)
    assert to_review(world, name, 2).verdict is Verdict.PASS
    assert approval(world.belay, name, 2).outcome is None
    edit(world, title="Other words")
    adopt(world)
    status = approval(world.belay, name, 2)
    assert status.outcome.verdict is Verdict.HOLD
    assert "start a new run" in status.outcome.sentence
    assert approval(world.belay, name, 2).outcome == status.outcome


def test_a_policy_that_permits_less_is_seen_by_the_flags_at_once(world) -> None:
    name = world.propose("checkout-good")
    exposed(world, name)
    assert world.belay.flags.read(name).scope == 2000
    edit(world, ceiling="observe", initial_stage="observe")
    adopt(world, "too fast for us")
    assert world.belay.ledger.state().capabilities[NAME].stage is Stage.OBSERVE
    assert world.belay.flags.read(name).scope == 0
    assert world.known(name).scope == 0
    assert verify(world.belay.ledger).ok


def test_a_higher_ceiling_in_the_file_is_no_promotion_past_the_one_in_force(world) -> None:
    edit(world, ceiling="supervised", initial_stage="supervised")
    world.propose("checkout-good")
    edit(world, ceiling="autonomous")
    held = admit_promotion(world.belay, NAME, "morning")
    assert held.verdict is Verdict.HOLD
    assert "belay policy adopt" in held.sentence


def test_a_policy_whose_text_is_lost_is_replaced_by_a_person_and_meanwhile_keeps_no_stage(world) -> None:
    world.propose("checkout-good")
    belay = world.belay
    forget_document(belay)
    found = verify(belay.ledger)
    assert not found.ok
    assert "evidence" in str(found), "a policy that is in force and not there"
    state = belay.ledger.state()
    assert policies_in_force(belay, state, [NAME])[0], "its file is the very policy in force"
    assert policy_in_force(belay, NAME).digest == state.capabilities[NAME].policy

    edit(world, title="Other words")
    policies, (unruled,) = policies_in_force(belay, state, [NAME])
    assert (policies, unruled.capability) == ({}, NAME)
    assert "belay policy adopt checkout_wording" in unruled.why
    with pytest.raises(PolicyBrokenError, match="cannot be read any more"):
        policy_in_force(belay, NAME)
    stage = state.capabilities[NAME].stage
    (demotion,) = apply_demotions(belay, {NAME: Facts(ledger_fault="it does not verify")}, only=NAME)
    assert demotion.to_stage is stage.below

    assert waiting_changes(belay, belay.policy(NAME)) == (
        f"policy: was {state.capabilities[NAME].policy[:12]}, is {belay.policy(NAME).digest[:12]}",
    )
    adopt(world, "its text was lost")
    assert policy_in_force(belay, NAME) == belay.policy(NAME)


def test_the_same_policy_can_be_kept_anew(world) -> None:
    world.propose("checkout-good")
    forget_document(world.belay)
    adopt(world, "its text was lost")
    assert verify(world.belay.ledger).ok


def test_a_service_changes_nothing(world) -> None:
    from belay.domain.actors import service

    world.propose("checkout-good")
    edit(world, title="Other words")
    with pytest.raises(RefusedError, match="belay policy adopt checkout_wording"):
        adopt_policy(world.belay, world.belay.policy(NAME), service("policy"), "the file says so")
