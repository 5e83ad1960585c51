"""Wake the run that waits for an answer. The ledger has it already; this saves the wait for a re-check."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import requests
from fastapi import Request

from belay.domain.run import Run
from belay.domain.state import OptimizationState, RequestState
from belay.gates.answers import APPROVE, REJECT, SHOWN, run_that_asks
from belay.web.auth import own_address, token_of

if TYPE_CHECKING:
    from belay.services import Services

_SECONDS = 10


_OVER, _MOST_RUNS, _TAKEN = frozenset({"success", "failed"}), 50, 409


def start_run(known: OptimizationState, http: Request) -> tuple[str | None, str]:
    """Start an optimization's next run as the person who is logged in; return its id, and what to say."""
    token, address = token_of(http), own_address(http)
    if not token or address is None:
        return None, f"this page cannot start it: run `belay start {known.id}`"
    first = Run.of_step(known.capability, known.id, known.step.number + 1 if known.step else 1)
    runs = f"{address}/api/v2/dags/{quote(first.dag, safe='')}/dagRuns"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        for number in range(1, _MOST_RUNS):
            run = first.again(number).run_id
            body = {"dag_run_id": run, "logical_date": None, "conf": {"optimization": known.id}}
            answer = requests.post(runs, json=body, headers=headers, timeout=_SECONDS, allow_redirects=False)
            if answer.ok:
                return run, f"Run {run} is started."
            if answer.status_code != _TAKEN:
                return None, f"Airflow did not start it ({answer.status_code}): {answer.text[:200]}"
            there = requests.get(f"{runs}/{quote(run, safe='')}", headers=headers, timeout=_SECONDS)
            if not there.ok or there.json().get("state") not in _OVER:
                return run, f"Run {run} is under way."
    except (requests.RequestException, ValueError) as error:
        return None, f"Airflow does not answer: {type(error).__name__}; run `belay start {known.id}`"
    return None, f"it was started {_MOST_RUNS} times: see its runs in Airflow"


def wake_run(belay: Services, request: RequestState, http: Request, choice: str, reason: str) -> bool:
    """Answer Airflow's request in the name of the person who is logged in; return whether it took it."""
    waiting = run_that_asks(belay.ledger.state(), request)
    token, address = token_of(http), own_address(http)
    if waiting is None or not token or address is None:
        return False
    dag, run = (quote(name, safe="") for name in waiting)
    path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/approval/-1/hitlDetails"
    option = APPROVE if choice == "approve" else REJECT
    try:
        answer = requests.patch(
            f"{address}{path}",
            json={"chosen_options": [option], "params_input": {"reason": reason, SHOWN: request.digest}},
            headers={"Authorization": f"Bearer {token}"},
            timeout=_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException:
        return False
    return answer.ok
