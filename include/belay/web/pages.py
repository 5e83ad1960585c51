"""Pages for people. They read; nothing changes on a GET."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape

from belay.domain.scope import percent
from belay.ledger.store import LedgerError
from belay.review.report import render
from belay.web.auth import reader
from belay.web.board import board, review_document
from belay.web.wiring import BelayDep

router = APIRouter(dependencies=[reader], default_response_class=HTMLResponse)


@router.get("/")
def show_board(belay: BelayDep) -> HTMLResponse:
    """Show the Autonomy board."""
    return _page("board.html", board=board(belay))


@router.get("/run/{run_id:path}")
def show_run(run_id: str, belay: BelayDep) -> RedirectResponse:
    """Lead from an Airflow run to the review of the step it takes."""
    for known in belay.ledger.state().optimizations.values():
        if known.step is not None and known.step.run == run_id:
            return RedirectResponse(f"../review/{known.id}/{known.step.number}")
    for entry in belay.ledger.history():
        if entry.event.kind == "step.started" and getattr(entry.event, "run", None) == run_id:
            started: Any = entry.event
            return RedirectResponse(f"../review/{started.optimization}/{started.step}")
    raise HTTPException(404, f"the ledger knows no run {run_id!r}: its admission has not been recorded yet")


@router.get("/review/{optimization}/{step}")
def show_review(optimization: str, step: int, belay: BelayDep) -> HTMLResponse:
    """Show the review of a step; where there is none yet, how far the step has come."""
    known = belay.ledger.state().optimizations.get(optimization)
    if known is None:
        raise HTTPException(404, f"the ledger knows no optimization {optimization!r}")
    found = review_document(belay, optimization, step)
    if found is not None and found[1].get("kind") == "review":
        sha256, document = found
        return HTMLResponse(render(document, sha256=sha256, evidence_url=f"../../evidence/{sha256}"))
    return _page("step.html", known=known, step=step, percent=percent)


@router.get("/optimization/{optimization}")
def show_optimization(optimization: str, belay: BelayDep) -> HTMLResponse:
    """Show everything the ledger holds about one optimization."""
    known = belay.ledger.state().optimizations.get(optimization)
    if known is None:
        raise HTTPException(404, f"the ledger knows no optimization {optimization!r}")
    return _page(
        "optimization.html", known=known, entries=list(belay.ledger.entries(optimization=optimization))
    )


@router.get("/evidence/{sha256}")
def show_evidence(sha256: str, belay: BelayDep) -> JSONResponse:
    """Show an evidence document: what a figure or a verdict rests on."""
    try:
        return JSONResponse(belay.ledger.get_evidence(sha256))
    except LedgerError as error:
        raise HTTPException(404, str(error)) from error


def _page(template: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(_environment().get_template(template).render(**values))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("belay.web", "templates"), autoescape=select_autoescape(default=True)
    )
    made.filters["percent"] = percent
    return made
