"""Who is asking, and where are we? Airflow answers both; only here does the web know Airflow."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request
from fastapi.security.utils import get_authorization_scheme_param

from belay.domain.actors import ActorKind
from belay.domain.roster import AirflowUser, Person
from belay.web.wiring import BelayDep

reader = Depends(requires_access_dag("GET"))
"""May see the pages: whoever may see DAGs."""

answerer = Depends(requires_access_dag("PUT", DagAccessEntity.HITL_DETAIL))
"""May send answers: whoever may answer on Required Actions; what the answer is worth, the roster says."""


def account(user: BaseUser) -> AirflowUser:
    """Return a logged-in user's id and user name, whichever auth manager they come from."""
    return AirflowUser(str(user.get_id()), str(user.get_name() or ""))


def known_person(user: GetUserDep, belay: BelayDep) -> Person | None:
    """Return the person of the roster who is logged in; None for everybody else, agents among them."""
    return belay.roster().by_airflow_user(account(user))


MaybePersonDep = Annotated[Person | None, Depends(known_person)]


def current_person(user: GetUserDep, person: MaybePersonDep, belay: BelayDep) -> Person:
    """Return the person of the roster who is logged in.

    Raises
    ------
    HTTPException
        403 when the Airflow user is nobody of the roster; it says who can answer instead.
    """
    if person is None:
        who = ", ".join(p.name for p in belay.roster().people if p.active and p.roles) or "nobody yet"
        raise HTTPException(
            403,
            f"Airflow user {str(account(user))!r} is nobody of the roster, so nothing was recorded. "
            f"These people can answer: {who}. The roster is _people.yaml, in the folder of the policies.",
        )
    return person


PersonDep = Annotated[Person, Depends(current_person)]


def changes_dags(user: GetUserDep) -> bool:
    """Return whether an account may change DAGs, and with that pause the guard, edit XCom and delete runs."""
    return get_auth_manager().is_authorized_dag(method="PUT", user=user)


def current_proposer(
    user: GetUserDep, wide: Annotated[bool, Depends(changes_dags)], belay: BelayDep
) -> AirflowUser:
    """Return the account that proposes; an agent's may see DAGs and do no more.

    Raises
    ------
    HTTPException
        403 when it is an agent's, and may do more in Airflow than proposing takes.
    """
    who = account(user)
    by = belay.roster().by_account(who)
    if wide and by is not None and by.kind is ActorKind.AGENT:
        raise HTTPException(
            403,
            f"account {str(who)!r} of agent {by.id!r} may change DAGs in Airflow, and so pause the guard; "
            "nothing was recorded. Give it a role that may see DAGs and no more (docs/airflow.md, Roles).",
        )
    return who


ProposerDep = Annotated[AirflowUser, Depends(current_proposer)]


def token_of(request: Request) -> str:
    """Return the token that the request came with, chosen as Airflow chooses it: bearer before cookie."""
    scheme, credentials = get_authorization_scheme_param(request.headers.get("authorization"))
    bearer = credentials if scheme.lower() == "bearer" else ""
    return bearer or request.cookies.get("_token", "")


def public_url() -> str:
    """Return the address that people know this Airflow by, without a slash at the end; may be empty."""
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


def own_address(request: Request) -> str | None:
    """Return the address of this very server: the socket that took the request, never its Host header."""
    host, port = request.scope.get("server") or (None, None)
    if not host or not port:
        return None
    scheme = "https" if conf.get("api", "ssl_cert", fallback="") else "http"
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}{urlsplit(public_url()).path}"
