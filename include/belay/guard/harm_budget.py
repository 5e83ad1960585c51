"""How much harm a week may hold: the tightest budget of whoever has a part in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from belay.domain.rules.guarding import A_WEEK
from belay.guard.live import Live
from belay.oversight.active_policy import policies_in_force

if TYPE_CHECKING:
    from belay.services import Services


def weekly_limit(belay: Services, live: Iterable[Live]) -> float | None:
    """Return the tightest budget of what is live and of what did harm in the week; None without any harm.

    The last change that was taken down leaves nothing live, and its harm counts all the same.
    """
    state, since = belay.ledger.state(), belay.now() - A_WEEK
    harmed = {
        o.capability for o in state.optimizations.values() if o.results.hurt_at and o.results.hurt_at > since
    }
    if not harmed:
        return None
    rules = {one.known.capability: one.policy for one in live}
    rules |= policies_in_force(belay, state, harmed - rules.keys())[0]
    return min((policy.guard.harm_per_week for policy in rules.values()), default=None)
