"""Pages for people. They read; nothing is decided on a GET (that a person opened a review is noted)."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape

from belay.actuation.outbox import waiting
from belay.domain.events import PromotionStarted, StepStarted
from belay.domain.figures import duration
from belay.domain.gates import Gate
from belay.domain.roster import Person
from belay.domain.scope import percent
from belay.domain.state import OptimizationState
from belay.execution import RefusedError
from belay.explain.explain import entry_number, explain
from belay.gates.next_run import next_run
from belay.ledger.store import LedgerError, recorded
from belay.oversight.active_policy import policies_in_force
from belay.oversight.people import review_opened
from belay.oversight.stop import known_targets
from belay.review.report import Pictures, look_pictures, render
from belay.web.auth import MaybePersonDep, reader
from belay.web.board import MOST_PAGES, board, review_document
from belay.web.standing import promotion, standing
from belay.web.story import story
from belay.web.watches import paused_watches
from belay.web.wiring import BelayDep

_log = logging.getLogger(__name__)
router = APIRouter(dependencies=[reader], default_response_class=HTMLResponse)

_DEPTH = 30
"""Levels of an evidence document that are unfolded; what is deeper is shown as JSON."""


@router.get("/")
def show_board(
    belay: BelayDep,
    page: Annotated[int, Query(ge=1, le=MOST_PAGES)] = 1,
    capability: Annotated[str, Query(max_length=63)] = "",
) -> HTMLResponse:
    """Show the Autonomy board, a page of it; with ``capability`` all that was proposed there."""
    return _page("board.html", board=board(belay, page, capability), paused=paused_watches())


@router.get("/stop")
def show_kill_switch(belay: BelayDep) -> HTMLResponse:
    """Show the kill switch. Asks neither the ledger nor the warehouse: they may be what is broken."""
    return _page("stop.html", targets=known_targets(belay), stops=waiting(belay.settings.home))


@router.get("/run/{run_id:path}")
def show_run(run_id: str, belay: BelayDep) -> RedirectResponse:
    """Lead from an Airflow run to the review of the step it takes."""
    root = "../" * (1 + run_id.count("/"))
    for known in belay.ledger.state().optimizations.values():
        if known.step is not None and known.step.run == run_id:
            return RedirectResponse(f"{root}review/{known.id}/{known.step.number}")
    for capability in belay.ledger.state().capabilities.values():
        if capability.promotion is not None and capability.promotion.run == run_id:
            return RedirectResponse(f"{root}capability/{capability.id}")
    for entry in belay.ledger.history():
        if isinstance(entry.event, PromotionStarted) and entry.event.run == run_id:
            return RedirectResponse(f"{root}capability/{entry.event.capability}")
        if isinstance(entry.event, StepStarted) and entry.event.run == run_id:
            return RedirectResponse(f"{root}review/{entry.event.optimization}/{entry.event.step}")
    raise HTTPException(404, f"the ledger knows no run {run_id!r}: its admission has not been recorded yet")


@router.get("/review/{optimization}/{step}")
def show_review(optimization: str, step: int, belay: BelayDep, person: MaybePersonDep) -> HTMLResponse:
    """Show the review of a step; where there is none yet, how far the step has come."""
    known = _optimization(optimization, belay)
    found = review_document(belay, optimization, step)
    if found is not None and found[1].get("kind") == "review":
        sha256, document = found
        waiting = next(
            (
                request.id
                for request in belay.ledger.state().open_requests()
                if (request.optimization, request.step) == (optimization, step)
            ),
            None,
        )
        if waiting and person:
            _note_opened(belay, waiting, person)
        return HTMLResponse(
            render(
                document,
                sha256=sha256,
                evidence_url=f"../../evidence/{sha256}",
                home="../../",
                answer_url=f"../../#{waiting}" if waiting else "",
                explain_url=f"../../explain/{optimization}",
            )
        )
    return _page("step.html", known=known, step=step, pictures=_last_look(known, step, belay))


@router.get("/capability/{capability}")
def show_capability(capability: str, belay: BelayDep) -> HTMLResponse:
    """Show how a capability stands: its stage and lease, its record, and how it came here."""
    state = belay.ledger.state()
    known = state.capabilities.get(capability)
    if known is None:
        raise HTTPException(404, f"the ledger knows no capability {capability!r}")
    policy = policies_in_force(belay, state, [capability])[0].get(capability)
    own = [entry for entry in belay.ledger.entries() if entry.capability == capability]
    lines = [
        line
        for chapter in story(recorded(entry) for entry in own if not entry.optimization)
        for line in chapter.lines
    ]
    return _page(
        "capability.html",
        known=known,
        stands=standing(state, policy, belay.now()) if policy else None,
        under_way=promotion(belay, capability),
        lines=lines,
    )


@router.get("/optimization/{optimization}")
def show_optimization(optimization: str, belay: BelayDep) -> HTMLResponse:
    """Tell the story of one optimization, from the ledger."""
    known = _optimization(optimization, belay)
    chapters = story(belay.ledger.history(optimization=optimization))
    wanted = next_run(belay.ledger.state(), known)
    return _page("optimization.html", known=known, chapters=chapters, wanted=wanted)


@router.get("/explain/{subject:path}")
def show_explanation(subject: str, belay: BelayDep, request: Request) -> Response:
    """Tell who answered for an entry, an optimization, a request or a capability; as JSON to programs."""
    names = {person.id: person.name for person in belay.policies().roster.people}
    about = entry_number(subject) or subject
    try:
        told = explain(belay.ledger.history(), about, names, belay.ledger.get_evidence)
    except LookupError as error:
        raise HTTPException(404, str(error.args[0])) from error
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(told.to_document())
    return _page("explain.html", told=told, root="../" * (1 + subject.count("/")))


@router.get("/evidence/{sha256}")
def show_evidence(sha256: str, belay: BelayDep, request: Request) -> Response:
    """Show what a figure or a verdict rests on: every value under its JSON pointer, or plain JSON."""
    try:
        document = belay.ledger.get_evidence(sha256)
    except LedgerError as error:
        raise HTTPException(404, str(error)) from error
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(document)
    return _page("evidence.html", document=document, sha256=sha256, deepest=_DEPTH)


def problem(status: int, detail: str, *, home: str, login: str) -> str:
    """Return the page that says why something is not shown."""
    values = {"status": status, "detail": detail, "home": home, "login": login}
    return templates().get_template("problem.html").render(values)


def _optimization(name: str, belay: BelayDep) -> OptimizationState:
    known = belay.ledger.state().optimizations.get(name)
    if known is None:
        raise HTTPException(404, f"the ledger knows no optimization {name!r}")
    return known


def _note_opened(belay: BelayDep, request: str, person: Person) -> None:
    """Record that the review was opened; a page is shown whether or not that can be recorded."""
    try:
        review_opened(belay, request, person=person)
    except (LedgerError, RefusedError) as error:
        _log.warning("that %s opened the review of %s is not recorded: %s", person.id, request, error)


def _last_look(known: OptimizationState, step: int, belay: BelayDep) -> Pictures | None:
    """Return the pictures of the look that ended the window of a step, if that is how it stands."""
    ended = known.step.gates.get(Gate.WINDOW) if known.step and known.step.number == step else None
    if ended is None or ended.evidence is None:
        return None
    try:
        return look_pictures(belay.ledger.get_evidence(ended.evidence))
    except LedgerError:
        return None


def _page(template: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(templates().get_template(template).render(**values))


@cache
def templates() -> Environment:
    """Return the pages' templates, with their filters."""
    made = Environment(
        loader=PackageLoader("belay.web", "templates"), autoescape=select_autoescape(default=True)
    )
    made.filters |= {
        "percent": percent,
        "clock": _clock,
        "duration": _duration,
        "json": _json,
        "pointer": _pointer,
    }
    return made


def _duration(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pointer(key: Any) -> str:
    """Return a key as a part of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")
