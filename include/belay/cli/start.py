"""`belay start OPTIMIZATION`: start its next run, after a hold, an expiry or a new policy."""

from __future__ import annotations

from typing import Annotated

import typer

from belay.cli.exits import NO, BadInputError
from belay.cli.output import Json, print_json, say, warn
from belay.cli.parts import opened


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: belay start checkout-delivery-date")(start)


def start(
    optimization: Annotated[str, typer.Argument(metavar="OPTIMIZATION", help="What was proposed.")],
    *,
    json: Json = False,
) -> None:
    """Start an optimization's next run: after a hold, an expired question, or an adopted policy.

    What waits for people, for data or for the flag system is under way, and is not started twice.
    """
    from belay.cli.airflow import start_run
    from belay.cli.status import waits_for
    from belay.gates.next_run import next_run

    belay = opened(ledger=True)
    state = belay.ledger.state()
    known = state.optimizations.get(optimization)
    if known is None:
        there = ", ".join(o.id for o in state.optimizations.values() if not o.status.ended) or "none"
        raise BadInputError(f"there is no optimization {optimization[:200]!r}; under way: {there}")
    if next_run(state, known) is None:
        warn(
            f"belay: {known.id} is {known.status}, and waits for {waits_for(state, known)}: nothing to start"
        )
        raise typer.Exit(NO)
    run = start_run(belay, known)
    if json:
        print_json({"optimization": known.id, "run": run.run_id})
    else:
        say(f"started: run {run.run_id} of {run.dag} at {belay.settings.airflow_url}")
