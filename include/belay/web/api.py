"""The JSON API: a read model, answers of people, and proposals of agents.

Agents may propose and ask. What takes a person takes somebody of the roster, logged in to Airflow.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from belay.domain.events import Choice
from belay.domain.text import cleaned
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable
from belay.gates.documents import parse_json
from belay.gates.intake import BadProposalError
from belay.gates.next_run import next_run
from belay.gates.proposing import proposer, take_proposal
from belay.ledger.store import LedgerError
from belay.oversight import people
from belay.oversight.stop import stop
from belay.services import PolicyBrokenError
from belay.web.airflow_runs import start_run, wake_run
from belay.web.auth import PersonDep, ProposerDep, answerer, reader
from belay.web.board import MOST_PAGES, board
from belay.web.wiring import BelayDep

_LONGEST_ANSWER = 2000
"""Characters of a vote's reason; what takes something down has no such limit, and is cut instead."""

router = APIRouter(prefix="/api", dependencies=[reader])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _any_words(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("say why, as a text that is not empty")
    return value


Words = Annotated[str, PlainValidator(_any_words)]
"""A reason. What it holds, halves of characters too, never keeps an answer from being taken (`cleaned`)."""


def _at_most(words: str) -> str:
    if len(words) > _LONGEST_ANSWER:
        raise ValueError(f"say it in at most {_LONGEST_ANSWER:,} characters")
    return words


class Answer(_Body):
    """A vote: the digest says what the voter was shown."""

    choice: Literal["approve", "reject"]
    reason: Annotated[Words, AfterValidator(_at_most)]
    digest: str = Field(max_length=64)


class Reason(_Body):
    """Why."""

    reason: Words


class Stop(_Body):
    """What shall be taken down, and why."""

    target: str = Field(max_length=200)
    reason: Words


class Freeze(_Body):
    """What shall not widen, or may again, and why."""

    target: str = Field(max_length=200)
    reason: Words
    frozen: bool = True


@router.get("/board")
def read_board(
    belay: BelayDep,
    page: Annotated[int, Query(ge=1, le=MOST_PAGES)] = 1,
    capability: Annotated[str, Query(max_length=63)] = "",
) -> dict[str, Any]:
    """Return what the board shows, a page of it; with ``capability`` all that was proposed there."""
    return board(belay, page, capability)


@router.get("/optimizations/{optimization}")
def read_optimization(optimization: str, belay: BelayDep) -> dict[str, Any]:
    """Return an optimization as the ledger knows it."""
    from belay.ledger.codec import encode, from_json

    known = belay.ledger.state().optimizations.get(optimization)
    if known is None:
        raise HTTPException(404, f"the ledger knows no optimization {optimization!r}")
    found: dict[str, Any] = from_json(encode(known))
    return found


@router.get("/evidence/{sha256}")
def read_evidence(sha256: str, belay: BelayDep) -> Any:
    """Return an evidence document as it was stored."""
    try:
        return belay.ledger.get_evidence(sha256)
    except LedgerError as error:
        raise HTTPException(404, str(error)) from error


async def _document(http: Request) -> Any:
    """Return the body as JSON: what is odd is said with its field, and is no defect."""
    try:
        return parse_json(await http.body())
    except BadProposalError as error:
        raise HTTPException(422, str(error)) from error


@router.post("/proposals", status_code=201)
def propose(
    document: Annotated[Any, Depends(_document)], user: ProposerDep, belay: BelayDep
) -> dict[str, Any]:
    """Record a proposal. It is what an agent may do; everything after it is up to the gates.

    It takes no right in Airflow but to see DAGs. Whose account it is proposes: a person of the roster, who
    never approves it then, or the agent that the account belongs to.
    """
    try:
        known = take_proposal(belay, document, proposer(belay.roster(), user))
    except BadProposalError as error:
        raise HTTPException(422, str(error)) from error
    except PolicyBrokenError as error:
        raise HTTPException(409, str(error)) from error
    except RefusedError as refused:
        raise _not_taken(refused, belay.now()) from refused
    return {
        "optimization": known.id,
        "status": known.status.value,
        "digest": known.digest,
        "told": "recorded; its run starts by itself (DAG intake)",
    }


@router.post("/optimizations/{optimization}/start", dependencies=[answerer])
def start_next_run(optimization: str, belay: BelayDep, http: Request) -> dict[str, Any]:
    """Start an optimization's next run in Airflow, as whoever is logged in there may."""
    state = belay.ledger.state()
    known = state.optimizations.get(optimization)
    if known is None:
        raise HTTPException(404, f"the ledger knows no optimization {optimization[:200]!r}")
    if next_run(state, known) is None:
        raise HTTPException(409, f"{known.id} is {known.status} and under way, or over: nothing to start")
    run, told = start_run(known, http)
    if run is None:
        raise HTTPException(503, told)
    return {"run": run, "told": told}


def _not_taken(refused: RefusedError, now: datetime) -> HTTPException:
    """Say why a proposal was not taken: by a limit, for whose account it is, or by the rules."""
    refusal = refused.refusal
    if refusal.until is not None:
        seconds = max(math.ceil((refusal.until - now).total_seconds()), 1)
        return HTTPException(429, str(refused), headers={"Retry-After": str(seconds)})
    if refusal.rule in (Rule.PROPOSAL_BYTES, Rule.PROPOSAL_DEPTH):
        return HTTPException(422, str(refused))
    return HTTPException(403 if refusal.rule in (Rule.NOBODY, Rule.ROSTER, Rule.AGENT) else 409, str(refused))


@router.post("/requests/{request_id}/votes", dependencies=[answerer])
def cast_vote(
    request_id: str, answer: Answer, person: PersonDep, belay: BelayDep, http: Request
) -> dict[str, Any]:
    """Record the logged-in person's vote, and wake the run that waits for it."""
    try:
        request = people.vote(
            belay,
            request_id,
            Choice(answer.choice),
            person=person,
            reason=answer.reason,
            via="board",
            digest=answer.digest,
        )
    except RefusedError as refused:
        raise HTTPException(403, str(refused)) from refused
    woken = wake_run(belay, request, http, answer.choice, answer.reason)
    return {"request": request.id, "status": request.status.value, "run_woken": woken}


@router.post("/vetoes/{target}", dependencies=[answerer])
def cast_veto(target: str, body: Reason, person: PersonDep, belay: BelayDep) -> dict[str, Any]:
    """Stop an optimization (or ``capability:NAME``) at once."""
    try:
        down = people.veto(belay, target, person=person, reason=body.reason, via="board")
    except RefusedError as refused:
        raise HTTPException(403, str(refused)) from refused
    except FlagsUnavailable as away:
        raise HTTPException(
            503, f"the veto stands in the ledger, but customers may still see it: {away}"
        ) from away
    remark = cleaned(body.reason).remark
    return {"taken_down": down} | ({"remark": remark} if remark else {})


@router.post("/stops", dependencies=[answerer])
def pull_kill_switch(body: Stop, person: PersonDep, belay: BelayDep) -> dict[str, Any]:
    """Take everything of ``all``, ``surface:NAME`` or ``capability:NAME`` down, at once."""
    try:
        stopped = stop(belay, body.target, person=person, reason=body.reason, via="board")
    except RefusedError as refused:
        raise HTTPException(403, str(refused)) from refused
    if not stopped.complete:
        raise HTTPException(503, stopped.sentence)
    return {"stop": stopped.note.stop, "taken_down": stopped.taken_down, "told": stopped.sentence}


@router.post("/freezes", dependencies=[answerer])
def set_freeze(body: Freeze, person: PersonDep, belay: BelayDep) -> dict[str, Any]:
    """Let nothing widen in ``all``, ``surface:NAME`` or ``capability:NAME``, or lift that again."""
    act = people.freeze if body.frozen else people.unfreeze
    try:
        act(belay, body.target, person=person, reason=body.reason)
    except RefusedError as refused:
        raise HTTPException(409, str(refused)) from refused
    return {"freezes": sorted(belay.ledger.state().freezes)}
