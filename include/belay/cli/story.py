"""`belay show ID`: the story of one thing, from the ledger, with the numbers of its entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from belay.cli.exits import BadInputError
from belay.cli.output import Json, print_json, say, when
from belay.cli.parts import opened

if TYPE_CHECKING:
    from belay.domain.recorded import Recorded
    from belay.domain.request_state import RequestState
    from belay.domain.state import State
    from belay.ledger.store import Ledger
    from belay.services import Services

_EXAMPLE = "Example: belay show checkout-delivery-date"
_SHORTEST_DIGEST = 8


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=_EXAMPLE)(show)


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="ID", help="An optimization, a request, a capability, or an evidence digest."),
    ],
    *,
    json: Json = False,
) -> None:
    """Tell the story of an optimization, request, capability, or show a piece of evidence."""
    belay = opened(ledger=True)
    state = belay.ledger.state()
    if name in state.optimizations:
        _optimization(belay.ledger, state, name, json=json)
    elif name in state.requests:
        _request(belay, state, state.requests[name], json=json)
    elif name in state.capabilities:
        _capability(belay.ledger, state, name, json=json)
    elif digest := _evidence(belay.ledger, name):
        print_json(belay.ledger.get_evidence(digest))
    else:
        raise BadInputError(f"the ledger knows nothing called {name!r}; {_known(state)}")


def _optimization(ledger: Ledger, state: State, name: str, *, json: bool) -> None:
    from belay.cli.status import summary, waits_for
    from belay.domain.scope import percent

    known = state.optimizations[name]
    history = [r for r in ledger.history() if _about(r, name)]
    if json:
        print_json({**summary(state, known), "proposal": known.proposal, "entries": _plain(history)})
        return
    proposal = known.proposal
    say(f"{name}: {proposal.title}", style="bold")
    say(f"{known.capability} · proposed by {proposal.proposed_by}, accountable: {proposal.agent_owner}")
    say(f"{known.status} at {percent(known.scope)}" + (f": {known.reason}" if known.reason else ""))
    if not known.status.ended:
        say(f"waits for {waits_for(state, known)}")
    say(f"hypothesis (the agent's words): {proposal.hypothesis.strip()}")
    say()
    _tell(history)


def _request(belay: Services, state: State, request: RequestState, *, json: bool) -> None:
    from belay.domain.rules.requests import missing_for_quorum
    from belay.present.layout import facts
    from belay.present.reading import read_card

    ledger, missing = belay.ledger, list(missing_for_quorum(request, request.votes))
    history = [
        r
        for r in ledger.history(optimization=request.optimization or None)
        if request.id in (getattr(r.event, "request", None), getattr(r.event, "grant", None))
    ]
    if json:
        print_json({"request": request, "missing": missing, "entries": _plain(history)})
        return
    say(f"{request.id}: may {request.subject} go {request.move}?".replace("go keep", "keep"), style="bold")
    about = state.capabilities[request.capability].title
    title = about if request.promotes else state.optimizations[request.optimization].proposal.title
    say(f"“{title}” · {request.oversight} · {request.status}")
    for fact in facts(read_card(ledger, state, request, roster=belay.roster(), now=belay.now())):
        say(f"{fact.label}: {fact.text}")
    say()
    _tell(history)


def _capability(ledger: Ledger, state: State, name: str, *, json: bool) -> None:
    from belay.cli.status import summary

    known = state.capabilities[name]
    own = [o for o in state.optimizations.values() if o.capability == name]
    promotions = {r.id for r in state.requests.values() if r.promotes and r.capability == name}
    history = [
        r
        for r in ledger.history()
        if getattr(r.event, "target", "") == f"capability:{name}"
        or promotions & {getattr(r.event, field, None) for field in ("request", "grant", "target")}
        or (getattr(r.event, "capability", "") == name and not hasattr(r.event, "optimization"))
    ]
    if json:
        optimizations = [summary(state, o) for o in own]
        print_json({"capability": known, "optimizations": optimizations, "entries": _plain(history)})
        return
    say(f"{name}: {known.title}", style="bold")
    say(
        f"stage {known.stage} since {when(known.stage_since)} UTC, ceiling {known.ceiling} "
        f"({known.decision_class}) · owner {known.owner} · surface {known.surface}"
    )
    if known.lease_until is not None:
        say(f"granted until {when(known.lease_until)} UTC (belay autonomy show {name})")
    for optimization in own:
        say(f"  {optimization.id}: {optimization.status}. {optimization.reason}")
    say()
    _tell(history)


def _tell(history: Iterable[Recorded]) -> None:
    from belay.ledger.narrate import narrate

    for recorded in history:
        evidence = getattr(recorded.event, "evidence", None)
        more = f"  [{evidence[:12]}]" if evidence else ""
        told = f"{recorded.by} {narrate(recorded.event)}{more}"
        say(f"{recorded.seq:>5}  {recorded.at:%Y-%m-%d %H:%M:%S}  {told}")


def _plain(history: Iterable[Recorded]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from belay.ledger.narrate import narrate

    return [
        {
            "seq": r.seq,
            "at": r.at.isoformat(),
            "by": str(r.by),
            "kind": r.event.kind,
            "sentence": narrate(r.event),
            "event": asdict(r.event),
        }
        for r in history
    ]


def _about(recorded: Recorded, optimization: str) -> bool:
    event = recorded.event
    names = (getattr(event, field, None) for field in ("optimization", "target", "subject"))
    return optimization in names


def _evidence(ledger: Ledger, name: str) -> str | None:
    """Return the digest of the only evidence whose name begins with ``name``."""
    import sqlalchemy as sa

    from belay.ledger.schema import evidence

    if len(name) < _SHORTEST_DIGEST or set(name) - set("0123456789abcdef"):
        return None
    with ledger.engine.connect() as connection:
        query = sa.select(evidence.c.sha256).where(evidence.c.sha256.startswith(name)).limit(2)
        found = list(connection.scalars(query))
    if len(found) > 1:
        raise BadInputError(f"more than one piece of evidence begins with {name}: give more of its digest")
    return found[0] if found else None


def _known(state: State) -> str:
    names = [*state.capabilities, *state.optimizations, *(r.id for r in state.open_requests())]
    return f"it knows {', '.join(names)}" if names else "it is empty"
