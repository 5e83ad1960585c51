"""What the guard looks at: everything live, by the policy that was in force when it could last be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from belay.analysis.reading import live_since, shares
from belay.cells.plan import Phase, Sight
from belay.cells.planning import plan_for
from belay.domain.capability import CapabilityPolicy
from belay.domain.gates import Gate
from belay.domain.proposal import CONTROL
from belay.domain.state import OptimizationState, State, Status
from belay.measurement.dispersion import read_earlier
from belay.oversight.active_policy import Unruled, policies_in_force

if TYPE_CHECKING:
    from belay.services import Services


@dataclass(frozen=True, slots=True)
class Live:
    """One optimization that somebody sees, and the policy that the guard goes by."""

    known: OptimizationState
    policy: CapabilityPolicy

    @property
    def comparable(self) -> bool:
        """Whether anybody goes without it, to compare with."""
        return shares(self.known, self.known.scope)[CONTROL] > 0

    @property
    def phase(self) -> int:
        """The position of the period of constant scope under way."""
        return len(self.known.phases) - 1


def everything_live(belay: Services, state: State) -> tuple[list[Live], list[Unruled]]:
    """Return what is live with its policy, and the capabilities whose policy nobody has kept.

    The policy is the one in force, as the ledger keeps it whole: a file that was broken since, or removed,
    changes nothing. Only a ledger from before policies were kept needs the file.
    """
    shown = [o for o in state.optimizations.values() if o.scope > 0 and o.phases]
    policies, unruled = policies_in_force(belay, state, {o.capability for o in shown})
    return [Live(o, policies[o.capability]) for o in shown if o.capability in policies], unruled


def sights_of(belay: Services, live: list[Live], until: Mapping[str, datetime]) -> list[Sight]:
    """Return what to read of each: the scope it has now, under the plan that its window has too."""
    digests = {live_one.known.id: _admitted(live_one.known) for live_one in live}
    admissions = belay.ledger.evidence_of({digest for digest in digests.values() if digest})
    return [_sight(belay, one, admissions.get(digests[one.known.id] or ""), until) for one in live]


def _admitted(known: OptimizationState) -> str | None:
    """Return the evidence of the admission that registered the window under way."""
    spoken = known.step.gates.get(Gate.ADMIT) if known.step else None
    return None if spoken is None or known.status is Status.COMPLETED else spoken.evidence


def _sight(
    belay: Services, one: Live, admission: Mapping[str, Any] | None, until: Mapping[str, datetime]
) -> Sight:
    known, policy = one.known, one.policy
    since = live_since(known, belay.settings.flag_settle)
    facts: Mapping[str, Any] = (admission or {}).get("plan", {})
    window = timedelta(seconds=facts.get("window_seconds", _length(known, policy)))
    phase = Phase(one.phase, since.replace(tzinfo=None), known.scope, shares(known, known.scope))
    plan = plan_for(
        policy,
        known.proposal,
        phase,
        window=window,
        planned_units=facts.get("planned_units"),
        primary_alpha=known.step.level if known.step else None,
        earlier=read_earlier(facts.get("earlier")),
    )
    return Sight(plan, until[known.surface].astimezone(UTC).replace(tzinfo=None))


def _length(known: OptimizationState, policy: CapabilityPolicy) -> float:
    """Return the length of the period that is watched, in seconds: a turn of the hold-back, or the window."""
    turn = policy.holdback.rotate_seconds
    return turn if known.status is Status.COMPLETED and turn else policy.window.minimum_seconds
