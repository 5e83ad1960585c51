"""What the board shows: every capability, what is live, who is waited for, and what happened last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from belay.actuation.guard_presence import missing_guard
from belay.actuation.outbox import waiting
from belay.domain.capability_state import CapabilityState
from belay.domain.events import GateJudged, LookTaken
from belay.domain.figures import duration
from belay.domain.gates import Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestState
from belay.domain.rules.requests import missing_for_quorum
from belay.domain.stages import Stage, lower
from belay.domain.state import OptimizationState, State
from belay.gates.next_run import next_run
from belay.ledger.narrate import narrate
from belay.ledger.store import LedgerError, recorded
from belay.oversight.active_policy import policies_in_force
from belay.oversight.alarms import alarms
from belay.present.layout import facts
from belay.present.reading import read_card
from belay.web.standing import standing
from belay.web.story import who

if TYPE_CHECKING:
    from belay.domain.capability import CapabilityPolicy
    from belay.domain.recorded import Recorded
    from belay.policy.load import Policies
    from belay.services import Services

_RECENT, _SEARCHED, _VERDICTS = 12, 300, 6
_ENDED = 3
"""Optimizations shown of a capability beside those that are live or under way."""


PER_PAGE = 25
"""Requests, capabilities and (of one capability) changes on a page."""
_UNDER_WAY = 10
"""Changes under way that a capability shows beside all the others."""
MOST_PAGES = 1_000_000


def board(belay: Services, page: int = 1, capability: str = "") -> dict[str, Any]:
    """Return a page of the board as plain data: the page shows it, the API serves it.

    Parameters
    ----------
    page
        Which, from 1: it turns the requests and the capabilities over, or the changes of one capability.
    capability
        The one capability to show, with everything proposed there; empty for all.
    """
    state, policies, now = belay.ledger.state(), belay.policies(), belay.now()
    in_force, _ = policies_in_force(belay, state, state.capabilities)
    names = {person.id: person.name for person in policies.roster.people}
    newest = [recorded(entry) for entry in belay.ledger.entries(last=_SEARCHED)][::-1]
    seq, head = belay.ledger.head()
    every = sorted({*policies.capabilities, *policies.broken, *state.capabilities})
    here = [name for name in every if name == capability] if capability else every[_on(page)]
    changes = sum(o.capability == capability for o in state.optimizations.values())
    waiting_for = [r for r in state.open_requests() if capability in ("", r.capability)]
    rows = changes if capability else max(len(every), len(waiting_for))
    turned = _on(page) if capability else None
    return {
        "page": page,
        "pages": max(-(-rows // PER_PAGE), 1),
        "capability": capability,
        "capabilities": [
            _capability(state, policies, in_force.get(name), name, names, now) | _changes(state, name, turned)
            for name in here
        ],
        "requests": [_request(belay, r, state) for r in waiting_for[_on(page)]],
        "waiting": len(waiting_for),
        "freezes": [
            {"target": f.target, "reason": f.reason, "by": f.by, "since": f.since.isoformat()}
            for f in state.freezes.values()
        ],
        "blind": [
            {"source": b.source, "target": b.target, "reason": b.reason, "since": b.since.isoformat()}
            for b in state.blind.values()
        ],
        "guard_missing": missing_guard(belay),
        "alarms": [alarm.sentence for alarm in alarms(belay) if alarm.what != "guard"],
        "stops": [
            {
                "target": note.target,
                "by": names.get(note.person, note.person),
                "reason": note.reason,
                "at": note.pulled_at.isoformat(),
                "missing": note.missing,
                "problem": note.problem,
            }
            for note in waiting(belay.settings.home)
        ],
        "freezable": [
            "all",
            *sorted({f"surface:{known.surface}" for known in state.capabilities.values()}),
            *sorted(f"capability:{name}" for name in state.capabilities),
        ],
        "live": sum(o.live and not o.status.ended for o in state.optimizations.values()),
        "verdicts": [
            {
                "at": entry.at.isoformat(),
                "optimization": event.optimization,
                "step": event.step,
                "gate": event.gate.value,
                "verdict": event.verdict.value,
                "sentence": event.sentence,
            }
            for entry in newest
            if isinstance(event := entry.event, GateJudged)
            and (event.gate is Gate.REVIEW or event.verdict is not Verdict.PASS)
        ][:_VERDICTS],
        "recent": [
            {
                "seq": entry.seq,
                "at": entry.at.isoformat(),
                "by": who(entry),
                "sentence": narrate(entry.event),
                "optimization": getattr(entry.event, "optimization", ""),
                "looks_before": before,
            }
            for entry, before in _folded(newest)
        ],
        "ledger": {"entries": seq, "head": head},
    }


def _folded(newest: Sequence[Recorded]) -> Iterator[tuple[Recorded, int]]:
    """Yield the newest entries; a step's looks are one, with how many came before it there."""
    looks = Counter((e.event.optimization, e.event.step) for e in newest if isinstance(e.event, LookTaken))
    told: set[tuple[str, int]] = set()
    shown = 0
    for entry in newest:
        if isinstance(entry.event, LookTaken):
            of = (entry.event.optimization, entry.event.step)
            if of in told:
                continue
            told.add(of)
            yield entry, looks[of] - 1
        else:
            yield entry, 0
        shown += 1
        if shown == _RECENT:
            return


def _capability(
    state: State,
    policies: Policies,
    in_force: CapabilityPolicy | None,
    name: str,
    names: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    """Show a capability whatever of it there is: what is in force, its file, or why there is no file."""
    known, file = state.capabilities.get(name), policies.capabilities.get(name)
    policy = in_force or file
    owner = policy.owner if policy else known.owner if known else ""
    kind = policy.decision_class if policy else known.decision_class if known else None
    ceiling = policy.capped(Stage.AUTONOMOUS) if policy else _ceiling(known)
    problems = [str(error) for error in policies.broken.get(name, ())]
    if file is None and not problems:
        problems = [f"there is no {name}.yaml any more; what is live stays watched"]
    return {
        "id": name,
        "title": policy.title if policy else known.title if known else name,
        "owner": names.get(owner, owner),
        "surface": policy.surface if policy else known.surface if known else "",
        "decision_class": kind.value if kind else None,
        "stage": known.stage.value if known else None,
        "ceiling": ceiling.value if ceiling else None,
        "standing": standing(state, policy, now) if known and policy else None,
        "problems": problems,
        "unadopted": known is not None and file is not None and known.policy != file.digest,
        "frozen": [f.target for f in state.freezes_of(name, known.surface)] if known else [],
        "ladder": [
            {
                "stage": stage.value,
                "reached": known is not None and stage.rank <= known.stage.rank,
                "current": known is not None and stage is known.stage,
                "allowed": ceiling is None or stage.rank <= ceiling.rank,
            }
            for stage in Stage
        ],
    }


def _on(page: int) -> slice:
    return slice((page - 1) * PER_PAGE, page * PER_PAGE)


def _changes(state: State, capability: str, on: slice | None) -> dict[str, Any]:
    """Show what was proposed for a capability: what is live, then what is under way, then what ended."""
    own = [o for o in state.optimizations.values() if o.capability == capability]
    own.sort(key=lambda o: (o.live, not o.status.ended, o.proposed_at), reverse=True)
    if on is not None:
        return {"optimizations": [_optimization(state, o) for o in own[on]], "more": 0, "proposed": len(own)}
    live = sum(o.live for o in own)
    under_way = sum(not o.status.ended and not o.live for o in own)
    shown = live + under_way + _ENDED if under_way <= _UNDER_WAY else live + _UNDER_WAY
    return {
        "optimizations": [_optimization(state, o) for o in own[:shown]],
        "more": max(0, len(own) - shown),
        "proposed": len(own),
    }


def _ceiling(known: CapabilityState | None) -> Stage | None:
    return lower(known.ceiling, known.decision_class.ceiling) if known else None


def _optimization(state: State, known: OptimizationState) -> dict[str, Any]:
    step = known.step
    last = list(step.gates.values())[-1].sentence if step and step.gates else "not started yet"
    return {
        "id": known.id,
        "title": known.proposal.title,
        "by": str(known.proposal.proposed_by),
        "status": known.status.value,
        "scope": known.scope,
        "live": known.live,
        "ended": known.status.ended,
        "pending": known.pending.to_scope if known.pending else None,
        "step": step.number if step else None,
        "to_scope": step.to_scope if step else None,
        "run": step.run if step else None,
        "looks": step.looks if step else 0,
        "gates": [
            {
                "gate": gate.value,
                "verdict": step.gates[gate].verdict.value if step and gate in step.gates else None,
            }
            for gate in Gate
        ],
        "sentence": known.reason or last,
        "start": wanted.why if (wanted := next_run(state, known)) else None,
    }


def _request(belay: Services, request: RequestState, state: State) -> dict[str, Any]:
    left = max(request.expires_at - belay.now(), timedelta(0))
    card = read_card(belay.ledger, state, request, roster=belay.roster(), now=belay.now())
    missing = list(missing_for_quorum(request, request.votes))
    notice = request.oversight is Oversight.NOTICE
    capability = state.capabilities.get(request.capability)
    return {
        "id": request.id,
        "digest": request.digest,
        "optimization": request.optimization,
        "capability": request.capability,
        "promotes": request.promotes,
        "veto_target": request.veto_target,
        "title": capability.title
        if request.promotes and capability
        else state.optimizations[request.optimization].proposal.title,
        "step": request.step,
        "oversight": request.oversight.value,
        "from_scope": request.from_scope,
        "to_scope": request.to_scope,
        "from_to": request.move,
        "roles": list(request.roles),
        "veto_roles": list(capability.veto_roles) if capability else [],
        "missing": [] if notice else missing,
        "facts": [fact._asdict() for fact in facts(card)],
        "expires_at": request.expires_at.isoformat(),
        "seconds_left": left.total_seconds(),
        "left": duration(left),
    }


def review_document(belay: Services, optimization: str, step: int) -> tuple[str, Mapping[str, Any]] | None:
    """Return the name and document of a step's review, or None when there was none."""
    found: str | None = None
    for entry in belay.ledger.history(optimization=optimization):
        event = entry.event
        if isinstance(event, GateJudged) and event.gate is Gate.REVIEW and event.step == step:
            found = event.evidence
    if found is None:
        return None
    try:
        return found, belay.ledger.get_evidence(found)
    except LedgerError:
        return None
