"""Read the metrics of a step once: the same reading serves the looks of the window and the review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from belay.domain.capability import CapabilityPolicy
from belay.domain.figures import duration
from belay.domain.proposal import CONTROL, HOLDOUT
from belay.domain.scope import FULL_SCOPE
from belay.domain.state import OptimizationState

if TYPE_CHECKING:
    from belay.cells.cells import Cells
    from belay.cells.plan import Earlier, MeasurementPlan
    from belay.measurement.monitor import Monitoring
    from belay.services import Services


class BlindError(Exception):
    """The data cannot be read now; the message says what is missing. Blind is not harmless."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of every metric: until when, from which plan, and what the monitor says."""

    until: datetime
    elapsed: timedelta
    plan: MeasurementPlan
    cells: Cells
    monitoring: Monitoring


def live_since(known: OptimizationState, settle: timedelta) -> datetime:
    """Return the data time from which units first exposed count at the scope now live.

    A change of scope needs ``settle`` to reach every client; units that arrive meanwhile may have met
    either assignment, so they are left out.
    """
    return known.phases[-1].start + settle


def read(
    belay: Services,
    known: OptimizationState,
    policy: CapabilityPolicy,
    window: timedelta,
    *,
    planned_units: int | None = None,
    earlier: Mapping[str, Earlier] | None = None,
    to_planned_end: bool = False,
    latest: datetime | None = None,
) -> Reading:
    """Read every metric at the scope now live.

    Only units first seen in this period of constant scope are compared: a unit that moves from control
    into treatment at a widening never counts on both sides.

    Parameters
    ----------
    window
        The planned length of the window (data time); it fixes the information the monitor expects.
    planned_units
        Units expected by the end of the window, all arms together; where the monitor is sharpest.
    earlier
        By metric, how much daily effects scattered in earlier optimizations of the surface.
    to_planned_end
        Read nothing that came after the planned end: the decision was registered for exactly then, and
        is taken some time later.
    latest
        Read nothing that came after this moment either: when a look decided before the planned end.

    Raises
    ------
    BlindError
        When the warehouse does not answer, has no data yet, or its data is older than the policy allows.
    """
    # Here, because a step that nobody has seen yet is judged without statistics.
    from belay.cells.plan import Phase
    from belay.cells.planning import plan_for
    from belay.measurement.monitor import monitor
    from belay.warehouse.freshness import watermark
    from belay.warehouse.look import read_cells

    since = live_since(known, belay.settings.flag_settle)
    now = belay.data_now()  # before the warehouse is asked: what arrives while it answers is not missing
    try:
        until = watermark(belay.warehouse, known.surface)
    except Exception as error:  # every driver has its own errors; whatever it is, we are blind
        raise BlindError(f"the warehouse does not answer: {error}") from error
    if until is None:
        raise BlindError(f"the warehouse holds nothing yet about surface {known.surface}")
    until = min(until.replace(tzinfo=UTC), now)
    age = now - until
    if age.total_seconds() > policy.max_data_age_seconds:
        raise BlindError(
            f"the newest data is {duration(age)} old; the policy allows "
            f"{duration(timedelta(seconds=policy.max_data_age_seconds))}"
        )
    if to_planned_end:
        until = min(until, since + window)
    if latest is not None:
        until = min(until, latest)
    phase = Phase(
        index=len(known.phases) - 1,
        start=since.replace(tzinfo=None),
        scope=known.scope,
        shares=shares(known, known.scope),
    )
    plan = plan_for(
        policy,
        known.proposal,
        phase,
        window=window,
        planned_units=planned_units,
        primary_alpha=known.step.level if known.step else None,
        earlier=earlier,
    )
    try:
        cells = read_cells(belay.warehouse, plan, until.replace(tzinfo=None))
    except Exception as error:  # as above
        raise BlindError(f"the metrics cannot be read: {error}") from error
    return Reading(until, max(until - since, timedelta()), plan, cells, monitor(cells, plan))


def logged_shares(known: OptimizationState, scope: int) -> dict[str, float]:
    """Return the split of everybody who is logged: the arms share what the holdout leaves them."""
    held = known.holdout / FULL_SCOPE
    if not held:
        return shares(known, scope)
    return {HOLDOUT: held} | {arm: share * (1 - held) for arm, share in shares(known, scope).items()}


def shares(known: OptimizationState, scope: int) -> dict[str, float]:
    """Return the split that ``scope`` (basis points) asks for among the arms; the holdout is none of them."""
    treatments = known.proposal.variants
    exposed = (scope - (known.holdback if scope == known.scope else 0)) / FULL_SCOPE
    each = exposed / len(treatments)
    return {CONTROL: 1 - exposed} | {variant.key: each for variant in treatments}
