"""`belay approve|reject|veto|freeze|unfreeze`: what people answer, with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import BadInputError
from belay.cli.identity import As, identify
from belay.cli.output import Json, print_json, say, when
from belay.cli.parts import opened
from belay.domain.figures import counted

if TYPE_CHECKING:
    from belay.domain.request_state import RequestState
    from belay.domain.roster import Person
    from belay.domain.state import State
    from belay.services import Services

Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept in the ledger.")]
Request = Annotated[
    str,
    typer.Argument(metavar="REQUEST", help="The request, or an optimization that has exactly one open."),
]
Stopped = Annotated[
    str,
    typer.Argument(metavar="TARGET", help="An optimization or a capability, by its name."),
]
Frozen = Annotated[
    str,
    typer.Argument(metavar="TARGET", help="all, a surface or a capability, by its name (surface:NAME)."),
]
Direct = Annotated[
    bool,
    typer.Option(
        "--direct",
        help="Where there is an Airflow: write the ledger without its login. --as is believed.",
    ),
]

VIA = "cli"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: belay approve checkout-delivery-date --reason 'read the review'")(approve)
    app.command(epilog="Example: belay reject checkout-delivery-date --reason 'wait for the campaign'")(
        reject
    )
    app.command(epilog="Example: belay veto capability:retention_offers --reason 'complaints'")(veto)
    app.command(epilog="Example: belay freeze surface:checkout --reason 'Black Friday'")(freeze)
    app.command(epilog="Example: belay unfreeze surface:checkout --reason 'campaign is over'")(unfreeze)


def approve(
    request: Request, *, reason: Reason, who: As = None, direct: Direct = False, json: Json = False
) -> None:
    """Approve a step that waits for people."""
    _answer(request, "approve", reason, who, direct=direct, json=json)


def reject(
    request: Request, *, reason: Reason, who: As = None, direct: Direct = False, json: Json = False
) -> None:
    """Reject a step; one rejection ends the request."""
    _answer(request, "reject", reason, who, direct=direct, json=json)


def veto(target: Stopped, *, reason: Reason, who: As = None, json: Json = False) -> None:
    """Stop an optimization or a capability at once, whatever was approved. Needs no Airflow."""
    from belay.domain.text import cleaned
    from belay.oversight.people import stoppable
    from belay.oversight.people import veto as stop

    belay = opened(ledger=True, forgiving=True)
    person = identify(belay.roster(), who)
    target = stoppable(belay, target)
    narrowed = stop(belay, target, person=person, reason=reason, via=VIA)
    remark = cleaned(reason).remark
    if json:
        print_json({"target": target, "by": person.id, "taken_down": narrowed, "remark": remark})
        return
    say(f"{person.id} vetoed {target}; taken down to 0 %: {', '.join(narrowed) or 'nothing was live'}")
    if remark:
        say(f"Its reason: {remark}.")


def freeze(target: Frozen, *, reason: Reason, who: As = None) -> None:
    """Let nothing widen in a target, until it is unfrozen."""
    from belay.oversight.people import freeze as set_freeze

    belay = opened(ledger=True, forgiving=True)
    person = identify(belay.roster(), who)
    frozen = dict(belay.ledger.state().freezes)
    target = set_freeze(belay, target, person=person, reason=reason)
    before = frozen.get(target)
    say(f"{target} was frozen already, by {before.by}" if before else f"{target} is frozen: nothing widens")


def unfreeze(target: Frozen, *, reason: Reason, who: As = None) -> None:
    """Lift a freeze."""
    from belay.oversight.people import unfreeze as lift_freeze

    belay = opened(ledger=True)
    target = lift_freeze(belay, target, person=identify(belay.roster(), who), reason=reason)
    say(f"{target} is not frozen any more")


def find_request(state: State, name: str) -> RequestState:
    """Return the request called ``name``, or the only open one of the optimization called ``name``.

    Raises
    ------
    BadInputError
        When there is none, or more than one.
    """
    if name in state.requests:
        return state.requests[name]
    waiting = state.open_requests()
    own = [request for request in waiting if name in (request.optimization, request.subject)]
    if len(own) == 1:
        return own[0]
    there = ", ".join(request.id for request in own or waiting) or "none"
    if own:
        raise BadInputError(f"{name} has {counted(len(own), 'open request')}: name one of {there}")
    if name in state.optimizations or name in state.capabilities:
        raise BadInputError(f"{name} waits for no answer; open requests: {there}")
    raise BadInputError(f"there is no request or optimization {name!r}; open requests: {there}")


def _answer(name: str, choice: str, reason: str, who: str | None, *, direct: bool, json: bool) -> None:
    belay = opened(ledger=True)
    request = find_request(belay.ledger.state(), name)
    after, told = _cast(belay, request, choice, reason, who, direct=direct)
    if json:
        print_json({"request": after, "told": told})
        return
    say(told)
    say(_standing(after))


def _cast(
    belay: Services, request: RequestState, choice: str, reason: str, who: str | None, *, direct: bool
) -> tuple[RequestState, str]:
    """Answer through Airflow as its authenticated user where there is an Airflow, else in the ledger.

    Raises
    ------
    BadInputError
        Where there is an Airflow and no login to it: the way that believes ``--as`` is never taken silently.
    """
    from belay.cli.airflow import answer, session, wake
    from belay.domain.events import Choice
    from belay.domain.roster import AirflowUser
    from belay.oversight.people import vote

    airflow = None if direct else session(belay)
    if airflow is None and belay.settings.airflow_url and not direct:
        raise BadInputError(
            f"BELAY_AIRFLOW_URL={belay.settings.airflow_url} is set, and no login to it: set "
            "BELAY_AIRFLOW_USER and BELAY_AIRFLOW_PASSWORD (or _PASSWORD_FILE), or say --direct to write the "
            "ledger as the person you name, without a login"
        )
    if airflow is not None:
        if who and belay.roster().by_airflow_user(AirflowUser(airflow.user)) != identify(belay.roster(), who):
            raise BadInputError(f"--as {who} is not Airflow user {airflow.user}, who answers here")
        after = answer(belay, airflow, request, choice.capitalize(), reason)
        return after, f"{airflow.user} answered {choice} on {request.id}, through Airflow."
    person = identify(belay.roster(), who)
    after = vote(belay, request.id, Choice(choice), person=person, reason=reason, via=VIA)
    return after, f"{_voter(person)} answered {choice} on {request.id}. {wake(belay)}".rstrip()


def _voter(person: Person) -> str:
    return f"{person.name} ({person.id})"


def _standing(request: RequestState) -> str:
    from belay.domain.request_state import RequestStatus
    from belay.domain.rules.requests import missing_for_quorum

    if request.status is RequestStatus.OPEN:
        missing = "; ".join(missing_for_quorum(request, request.votes))
        return f"open until {when(request.expires_at)} UTC: {missing or 'goes ahead unless vetoed'}"
    return f"{request.status}" + (f": {request.outcome}" if request.outcome else "")
