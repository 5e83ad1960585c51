"""What every task shares: the services of this process, and which step a run is taking."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from belay.domain.gates import Verdict
from belay.domain.run import Run

if TYPE_CHECKING:
    from airflow.sdk import Context

    from belay.gates.outcome import GateOutcome
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
    """Return the capability that a run's DAG is of: its form takes no other."""
    return str(context["params"]["capability"])


def step_of(context: Context) -> int:
    """Return the number of the step that the run's ``admit`` took up, as the ledger has it.

    What the task before left in XCom is not asked: whoever may edit runs may write there.
    """
    known = services().ledger.state().optimizations.get(optimization_of(context))
    step = known.step if known is not None and known.capability == capability_of(context) else None
    if step is None or step.run != str(context["run_id"]):
        raise AirflowFailException(
            "this run was not admitted, or another one has taken over: clear `admit`, or trigger a new run"
        )
    return step.number


def run_of(context: Context) -> Run:
    """Return the run that a task belongs to."""
    return Run(context["ti"].dag_id, str(context["run_id"]))


def asked_by(context: Context) -> str:
    """Return who started the run, as Airflow knows them; empty where a schedule or another run did."""
    run: Any = context["dag_run"]
    if str(getattr(run.run_type, "value", run.run_type)) != "manual":
        return ""
    return getattr(run, "triggering_user_name", None) or "somebody"


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
    from belay.execution import RefusedError
    from belay.services import PolicyBrokenError

    try:
        outcome = action()
    except (RefusedError, PolicyBrokenError) as refused:
        raise AirflowFailException(str(refused)) from refused
    return conclude(outcome)
