"""What AI may do alone at a stage, in one sentence: read from the policy's oversight table."""

from __future__ import annotations

from belay.domain.capability import CapabilityPolicy
from belay.domain.durations import written_duration
from belay.domain.oversight import Oversight, StepKind
from belay.domain.scope import FULL_SCOPE, percent
from belay.domain.stages import Stage


def alone(policy: CapabilityPolicy, stage: Stage) -> str:
    """Return what a capability may do at ``stage`` without a person, and what people do for the rest.

    ``Alone: nothing. First 1 %: goes ahead 4h after people are told, unless vetoed. To 5 %: a cx_owner
    approves. Beyond: a cx_owner approves.``
    """
    table, first = policy.oversight[policy.capped(stage)], percent(policy.ramp.steps[0])
    if table[StepKind.CANARY] is Oversight.FORBIDDEN:
        return "Alone: nothing. At this stage nothing is shown to anybody; people judge the ideas."
    parts = [(f"First {first}", table[StepKind.CANARY])]
    if policy.free_scope:
        parts.append((f"To {percent(policy.free_scope)}", table[StepKind.WITHIN_FREE_SCOPE]))
    if policy.free_scope < FULL_SCOPE:
        parts.append(("Beyond" if policy.free_scope else "After that", table[StepKind.BEYOND_FREE_SCOPE]))
    free = [what[:1].lower() + what[1:] for what, oversight in parts if oversight is Oversight.INFORM]
    rest = [f"{what}: {_words(policy, oversight)}." for what, oversight in parts]
    return " ".join([f"Alone: {', '.join(free) or 'nothing'}.", *rest])


def _words(policy: CapabilityPolicy, oversight: Oversight) -> str:
    if oversight is Oversight.INFORM:
        return "at once, and people are told"
    if oversight is Oversight.NOTICE:
        after = written_duration(policy.approval.notice_seconds)
        return f"goes ahead {after} after people are told, unless vetoed"
    if oversight is Oversight.FORBIDDEN:
        return "not at this stage"
    roles, quorum = policy.approval.roles, max(policy.approval.quorum, 1)
    who = " and ".join(f"a {role}" for role in roles) or "somebody"
    if quorum > max(len(roles), 1):
        return f"{quorum} people approve, among them {who}"
    return f"{who} {'approve' if len(roles) > 1 else 'approves'}"
