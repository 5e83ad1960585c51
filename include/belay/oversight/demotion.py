"""Autonomy is lost here: what is due is done at once, and what stood on it narrows. Anybody may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from belay.actuation.flag_writer import settle_narrowings
from belay.domain.commands import Demote
from belay.domain.rules.due import Facts, due_demotions
from belay.execution import execute
from belay.oversight.active_policy import policies_in_force

if TYPE_CHECKING:
    from belay.services import Services


def apply_demotions(
    belay: Services, facts: Mapping[str, Facts] | None = None, *, only: str | None = None
) -> list[Demote]:
    """Demote every capability that has to lose a stage now, and narrow what that leaves without a right.

    Parameters
    ----------
    facts
        By capability, what the ledger does not say itself (see ``ledger_facts``).
    only
        Look at this capability alone.

    Raises
    ------
    LedgerError
        When the ledger cannot be read or written.
    FlagsUnavailable
        When the flags cannot be written; the demotion stands, and asking again narrows.
    """
    done = []
    state = belay.ledger.state()
    # By the policies in force: neither a broken file nor an edited one keeps a stage. Where nobody can read
    # what is in force any more, the file has to do.
    policies, unruled = policies_in_force(belay, state, state.capabilities)
    files = belay.policies().capabilities if unruled else {}
    policies |= {one.capability: files[one.capability] for one in unruled if one.capability in files}
    for name, policy in policies.items():
        if only not in (None, name):
            continue
        known = (facts or {}).get(name, Facts())
        for demotion in due_demotions(belay.ledger.state(), policy, belay.now(), known):
            execute(belay, demotion, by="autonomy")
            done.append(demotion)
    settle_narrowings(belay)
    return done


def ledger_facts(belay: Services) -> dict[str, Facts]:
    """Verify the ledger; where it does not, return that as a fact about every capability."""
    from belay.ledger.verify import verify

    found = verify(belay.ledger)
    if found.ok:
        return {}
    return dict.fromkeys(
        belay.ledger.state().capabilities, Facts(ledger_fault=f"the ledger does not verify: {found}")
    )
