"""What people have to hear of wherever they look: nobody watches, or something live has no policy file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from belay.actuation.guard_presence import missing_guard, missing_reconcile
from belay.domain.scope import percent

if TYPE_CHECKING:
    from belay.domain.state import State
    from belay.services import Services


class Alarm(NamedTuple):
    """One thing: ``what`` it is, which stays while it lasts, and the sentence with its figures now."""

    what: str
    sentence: str


def alarms(belay: Services) -> list[Alarm]:
    """Return what status, doctor, the board and Slack say before anything else."""
    found = []
    if guard := missing_guard(belay):
        found.append(Alarm("guard", f"Nothing widens: {guard}."))
    if reconcile := missing_reconcile(belay):
        found.append(Alarm("reconcile", f"{reconcile[:1].upper()}{reconcile[1:]}."))
    return [*found, *without_file(belay, belay.ledger.state())]


def without_file(belay: Services, state: State) -> list[Alarm]:
    """Return which capabilities have something live and no policy file any more, and what to do."""
    live: dict[str, list[str]] = {}
    for known in state.optimizations.values():
        if known.live:
            live.setdefault(known.capability, []).append(f"{known.id} at {percent(known.scope)}")
    gone = {name: on for name, on in live.items() if not (belay.settings.policies / f"{name}.yaml").exists()}
    return [
        Alarm(
            f"file:{name}",
            f"{name} has no policy file any more and is live ({', '.join(on[:3])}"
            f"{f' and {len(on) - 3} more' if len(on) > 3 else ''}): put {name}.yaml back, or take it down "
            f"with `belay veto capability:{name}`. The policy in force stays, and the guard watches on.",
        )
        for name, on in sorted(gone.items())
    ]
