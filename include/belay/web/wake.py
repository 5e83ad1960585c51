"""Wake the run that waits for an answer. The ledger has it already; this saves the wait for a re-check."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import requests
from fastapi import Request

from belay.domain.state import RequestState
from belay.gates.answers import APPROVE, REJECT, SHOWN, airflow_run
from belay.web.auth import own_address, token_of

if TYPE_CHECKING:
    from belay.services import Services

_SECONDS = 10


def wake_run(belay: Services, request: RequestState, http: Request, choice: str, reason: str) -> bool:
    """Answer Airflow's request in the name of the person who is logged in; return whether it took it."""
    waiting = airflow_run(belay.ledger.state(), request)
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
