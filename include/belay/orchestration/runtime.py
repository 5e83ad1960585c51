"""What every task shares: the services of this process, and which step a run is taking."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from belay.domain.gates import Verdict
from belay.gates.outcome import GateOutcome, RefusedError
from belay.orchestration.names import ADMIT_TASK

if TYPE_CHECKING:
    from airflow.sdk import Context

    from belay.gates.promotion import PromotionOutcome
    from belay.services import Services


@cache
def services() -> Services:
    """Return this process's services; they open what they need when they need it."""
    from belay.services import Services

    return Services()


def optimization_of(context: Context) -> str:
    """Return the optimization that the run is about."""
    return str(context["params"]["optimization"])


def capability_of(context: Context) -> str:
    """Return the capability that a promotion's run is about."""
    return str(context["params"]["capability"])


def step_of(context: Context) -> int:
    """Return the number of the step that the run's ``admit`` took up."""
    admitted = context["ti"].xcom_pull(task_ids=ADMIT_TASK)
    if not admitted:
        raise AirflowFailException("this run was not admitted: clear `admit`, or trigger a new run")
    return int(admitted["step"])


def conclude(outcome: GateOutcome | PromotionOutcome) -> dict[str, Any]:
    """Turn a verdict into Airflow's terms: pass goes on, hold skips the rest, fail stops in red.

    Raises
    ------
    AirflowSkipException
        On hold: the scope stays, and nothing after this task runs.
    AirflowFailException
        On fail: never retried.
    """
    if outcome.verdict is Verdict.HOLD:
        raise AirflowSkipException(f"hold: {outcome.sentence}")
    if outcome.verdict is Verdict.FAIL:
        raise AirflowFailException(f"fail: {outcome.sentence}")
    return outcome.to_document()


def obeying(action: Callable[[], GateOutcome | PromotionOutcome]) -> dict[str, Any]:
    """Run a gate and conclude; what the rules refuse is final, what the world refuses may be retried."""
    from belay.services import PolicyBrokenError

    try:
        outcome = action()
    except (RefusedError, PolicyBrokenError) as refused:
        raise AirflowFailException(str(refused)) from refused
    return conclude(outcome)
