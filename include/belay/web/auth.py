"""Who is asking? Airflow's own authentication answers; only here does the web know Airflow."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException

from belay.domain.roster import Person
from belay.web.wiring import BelayDep

reader = Depends(requires_access_dag("GET"))
"""May see the pages: whoever may see DAGs."""

answerer = Depends(requires_access_dag("PUT"))
"""May send answers: whoever may change a DAG's run; what the answer is worth, the roster says."""


def current_person(user: GetUserDep, belay: BelayDep) -> Person:
    """Return the person of the roster who is logged in.

    Raises
    ------
    HTTPException
        403 when the Airflow user is nobody of the roster.
    """
    found = belay.roster().by_airflow_user(str(user.get_id()))
    if found is None:
        raise HTTPException(
            403, f"Airflow user {user.get_id()!r} is nobody of the roster: ask for an entry in it"
        )
    return found


PersonDep = Annotated[Person, Depends(current_person)]
