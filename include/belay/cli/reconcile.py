"""`belay reconcile`: is what is served what was decided? Needs no Airflow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import NO, UNAVAILABLE
from belay.cli.identity import As, identify
from belay.cli.output import Json, print_json, say, table, warn
from belay.cli.parts import opened

if TYPE_CHECKING:
    from belay.actuation.reconcile import Reconciliation
    from belay.domain.actors import Actor
    from belay.services import Services

Once = Annotated[bool, typer.Option("--once", help="One pass, for cron or a systemd timer; else it goes on.")]
Every = Annotated[float, typer.Option("--every", metavar="SECONDS", min=1, help="Time between two passes.")]
Accept = Annotated[
    bool, typer.Option("--accept", help="Where less is served than was decided, decide what is served.")
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: belay reconcile --once; exit code 1 when something is left to look at")(
        reconcile
    )


def reconcile(
    *, once: Once = False, every: Every = 60.0, accept: Accept = False, who: As = None, json: Json = False
) -> None:
    """Compare what is served with what was decided: finish, narrow, report; nothing is widened."""
    belay = opened(ledger=True)
    person = _person(belay, who) if accept else None
    while True:
        code = _pass(belay, person, json=json, every=0.0 if once else every)
        if once:
            raise typer.Exit(code)
        time.sleep(every)


def _person(belay: Services, who: str | None) -> Actor:
    from belay.domain.actors import human

    return human(identify(belay.roster(), who).id)


def _pass(belay: Services, person: Actor | None, *, json: bool, every: float) -> int:
    from belay.actuation.reconcile import reconcile as compare
    from belay.ledger.store import LedgerError

    try:
        found = compare(belay, accept=person, every=every)
    except LedgerError as away:
        if not every:
            raise
        warn(f"belay: {away}")
        return UNAVAILABLE
    if json:
        print_json(found.to_document())
    else:
        _show(found)
    if found.problems:
        return UNAVAILABLE
    return NO if found.left else 0


def _show(found: Reconciliation) -> None:
    from belay.domain.scope import percent

    for stopped in found.stops:
        say(f"stop {stopped.note.stop}: {stopped.sentence}")
    for verb, names in (
        ("narrowing finished", found.narrowed),
        ("widening finished, after the final check", found.widened),
        ("widening had lost and was turned back", found.turned_back),
    ):
        if names:
            say(f"{verb}: {', '.join(names)}")
    if found.differences:
        table(
            "Not as decided",
            ("optimization", "what", "served", "decided", "what became of it"),
            (
                (
                    d.optimization,
                    d.kind,
                    percent(d.served),
                    percent(d.decided),
                    f"{'mended' if d.mended else 'LEFT'}: {d.sentence}",
                )
                for d in found.differences
            ),
        )
    for problem in found.problems:
        warn(problem)
    left = f"{len(found.left)} left to look at" if found.left else "everything is served as decided"
    say(f"{found.checked} flags compared: {left}.")
