"""The capability that the agents work for: the shipped ladder and defaults, on a busy surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from belay.domain.capability import CapabilityPolicy
from belay.domain.metrics import Direction, Guardrail, Metric, MetricKind, Primary, PrimaryRule
from belay.domain.scope import Ramp
from belay.domain.stages import Stage
from belay.policy.load import load_policies
from belay_lab.quarters.agents import CONVERSION, TICKETS
from belay_lab.quarters.measured import Traffic

_DAY = 86_400.0
TRAFFIC = Traffic(400_000, {CONVERSION: 0.10, TICKETS: 0.02})
"""400,000 visitors a day, of whom 10 % buy and 2 % ask for support."""


def busy_policy(folder: Path, capability: str = "checkout_wording") -> CapabilityPolicy:
    """Return a capability of ``folder`` as a busy shop would write it; its ladder and autonomy untouched.

    Different are what is measured (conversion must win, support tickets are guarded), the pace (windows of
    one to six days at 5 %, 25 % and everybody) and the stage to begin with.

    Raises
    ------
    ValueError
        When the folder has no such capability that can be used.
    """
    policies = load_policies(folder, only=capability)
    policy = policies.capabilities.get(capability)
    if policy is None:
        wrong = "; ".join(map(str, policies.errors)) or "there is no such file"
        raise ValueError(f"{capability} in {folder} cannot be used: {wrong}")
    conversion = Metric(
        CONVERSION, "Conversion", MetricKind.PROPORTION, "%", Direction.INCREASE, "outcomes", "y"
    )
    tickets = Metric(
        TICKETS, "Support tickets", MetricKind.PROPORTION, "%", Direction.DECREASE, "outcomes", "y"
    )
    return replace(
        policy,
        initial_stage=Stage.OBSERVE,
        ceiling=Stage.AUTONOMOUS,
        ramp=Ramp((500, 2500, 10_000)),
        primary=Primary(conversion, PrimaryRule.SUPERIOR, minimum_effect=0.03, margin=0.1),
        guardrails=(Guardrail(tickets, 0.25),),
        segments=(),
        exposure_filters={},
        window=replace(policy.window, minimum_seconds=_DAY, maximum_seconds=6 * _DAY),
        limits=replace(policy.limits, max_variants=3),
        digest=f"{policy.digest}-busy",
    )
