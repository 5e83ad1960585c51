"""A verdict in Airflow's terms: pass goes on, hold skips the rest, fail stops in red and is not retried."""

from __future__ import annotations

import pytest

from belay.domain.gates import Gate, Verdict
from belay.domain.rules.answer import Refusal
from belay.execution import RefusedError
from belay.gates.outcome import GateOutcome
from belay.services import PolicyBrokenError


def outcome(verdict):
    return GateOutcome(Gate.REVIEW, verdict, "as it is", "opt-1", 1, "0" * 64)


def test_pass_is_handed_on_as_plain_json():
    from belay.orchestration.runtime import conclude

    assert conclude(outcome(Verdict.PASS)) == {
        "gate": "review",
        "verdict": "pass",
        "sentence": "as it is",
        "optimization": "opt-1",
        "step": 1,
        "evidence": "0" * 64,
    }


def test_hold_skips_and_fail_is_final():
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    from belay.orchestration.runtime import conclude

    with pytest.raises(AirflowSkipException, match="hold: as it is"):
        conclude(outcome(Verdict.HOLD))
    with pytest.raises(AirflowFailException, match="fail: as it is"):
        conclude(outcome(Verdict.FAIL))


@pytest.mark.parametrize(
    "refused", [RefusedError(Refusal("frozen", "all is frozen")), PolicyBrokenError("line 3")]
)
def test_what_the_rules_refuse_is_final_and_what_the_world_refuses_is_not(refused):
    from airflow.sdk.exceptions import AirflowFailException

    from belay.orchestration.runtime import obeying

    def refuse():
        raise refused

    def unreachable():
        raise OSError("disk full")

    with pytest.raises(AirflowFailException, match=r"frozen|line 3"):
        obeying(refuse)
    with pytest.raises(OSError, match="disk full"):
        obeying(unreachable)


def test_a_run_that_was_not_admitted_says_what_to_do(reviewed):
    """The ledger says so, whatever stands in XCom: it has no part in it."""
    from airflow.sdk.exceptions import AirflowFailException

    from belay.orchestration.runtime import step_of

    params = {"optimization": "checkout-delivery-date", "capability": "checkout_wording"}
    run = reviewed()
    assert step_of({"run_id": run, "params": params}) == 1
    for other in (
        {"run_id": "another", "params": params},
        {"run_id": run, "params": params | {"optimization": "unknown"}},
        {"run_id": run, "params": params | {"capability": "search_ranking"}},
    ):
        with pytest.raises(AirflowFailException, match="clear `admit`"):
            step_of(other)
