"""How what the guard and the kill switch did changes the state."""

from __future__ import annotations

from belay.domain import events as e
from belay.domain.recorded import Recorded
from belay.domain.state import (
    BlindState,
    FreezeState,
    Realised,
    Status,
)
from belay.domain.tables import Fold, Tables

_GUARD_SET = "service:guard"
"""Who sets the freeze of a harm budget that is spent: lifting that one is what people answer for."""


def _frozen(event: e.Frozen, draft: Tables, recorded: Recorded) -> None:
    freeze = FreezeState(event.target, event.reason, str(recorded.by), recorded.at)
    draft.put("freezes", event.target, freeze)


def _unfrozen(event: e.Unfrozen, draft: Tables, recorded: Recorded) -> None:
    freeze = draft.freezes.get(event.target)
    draft.drop("freezes", event.target)
    if freeze is not None and freeze.by == _GUARD_SET:
        lifted = FreezeState(event.target, event.reason, str(recorded.by), recorded.at)
        draft.put("lifted", event.target, lifted)


def _kill_switch_pulled(event: e.KillSwitchPulled, draft: Tables, recorded: Recorded) -> None:
    """What it sets off follows as events of their own."""


def _served_wider(event: e.ServedWider, draft: Tables, recorded: Recorded) -> None:
    """As above: the narrowing follows."""


def _guard_blinded(event: e.GuardBlinded, draft: Tables, recorded: Recorded) -> None:
    blind = BlindState(event.source, event.target, event.reason, event.since, recorded.at)
    draft.put("blind", event.source, blind)


def _guard_sighted(event: e.GuardSighted, draft: Tables, recorded: Recorded) -> None:
    draft.drop("blind", event.source)


def _shown_harmless(event: e.ShownHarmless, draft: Tables, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    draft.change_optimization(event.optimization, shown_harmless=max(known.shown_harmless, event.scope))


def _interaction_found(event: e.InteractionFound, draft: Tables, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    draft.change_optimization(
        event.optimization,
        interacts_with=(*known.interacts_with, event.other),
        grant=None,
        status=known.status if known.status.ended else Status.HELD,
        reason=event.sentence,
    )


def _realised_measured(event: e.RealisedMeasured, draft: Tables, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    realised = (*known.realised, Realised(event.rotation, event.found, event.sentence))
    draft.change_optimization(event.optimization, realised=realised)


FOLDS: dict[type, Fold] = {
    e.Frozen: _frozen,
    e.Unfrozen: _unfrozen,
    e.KillSwitchPulled: _kill_switch_pulled,
    e.ServedWider: _served_wider,
    e.GuardBlinded: _guard_blinded,
    e.GuardSighted: _guard_sighted,
    e.ShownHarmless: _shown_harmless,
    e.InteractionFound: _interaction_found,
    e.RealisedMeasured: _realised_measured,
}
