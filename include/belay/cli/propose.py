"""`belay propose FILE`: put an optimization forward, and start its first run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.identity import As, identify_proposer
from belay.cli.output import Json, print_json, say
from belay.cli.parts import is_there, opened

if TYPE_CHECKING:
    from belay.domain.state import OptimizationState
    from belay.services import Services

_EXAMPLE = "Example: belay propose delivery-date.yaml"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=_EXAMPLE)(propose)


def propose(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, readable=True, help="The proposal, YAML or JSON."),
    ],
    *,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start its first run in Airflow, if that is known.")
    ] = True,
    person: Annotated[
        bool, typer.Option("--in-person", help="Refuse it unless you are a person of the roster.")
    ] = False,
    who: As = None,
    json: Json = False,
) -> None:
    """Record a proposal in the ledger; proposing the same again changes nothing.

    Whose account it is (--as, the Airflow user, your user name here) proposes it: a person, or an agent. What
    the file says about its agent makes nobody that agent.
    """
    from belay.gates.documents import read_proposal
    from belay.gates.proposing import take_proposal

    belay = opened()
    document = read_proposal(file)
    by = identify_proposer(belay, who, in_person=person)
    if not is_there(belay.settings.ledger_url) and isinstance(document, dict):
        belay.policy(str(document.get("capability")))  # refused here: an empty ledger would verify
    there = belay.ledger.state().optimizations if is_there(belay.settings.ledger_url) else {}
    known = take_proposal(belay, document, by)
    before = there.get(known.id)
    run, next_step = _start(belay, known) if start else (None, "not started here: the DAG intake starts it")
    if json:
        from belay.cli.status import summary

        print_json({**summary(belay.ledger.state(), known), "digest": known.digest, "run": run})
        return
    told = "recorded" if before is None else "recorded already"
    say(f"{told}: {known.id} for {known.capability}, content {known.digest[:12]}, proposed by {by}")
    say(next_step)


def _start(belay: Services, known: OptimizationState) -> tuple[str | None, str]:
    """Start the next run where Airflow is known; return it, and what to tell the person."""
    from belay.domain.run import ROLLOUT

    if not belay.settings.airflow_url:
        return None, (
            "not started: BELAY_AIRFLOW_URL names no Airflow. Where one runs on this ledger, its DAG intake "
            f"starts it; or start {ROLLOUT}{known.capability} there, with optimization {known.id}"
        )
    from belay.cli.airflow import start_run
    from belay.cli.status import waits_for
    from belay.gates.next_run import next_run

    state = belay.ledger.state()
    if next_run(state, known) is None:
        return None, f"under way already: it waits for {waits_for(state, known)}"
    run = start_run(belay, known)
    return run.run_id, f"started: run {run.run_id} of {run.dag} at {belay.settings.airflow_url}"
