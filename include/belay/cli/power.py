"""`belay power`: how long the next step of a capability must be watched, and what would shorten that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from belay.cli.exits import NO, BadInputError
from belay.cli.output import Json, print_json, say, table
from belay.cli.parts import is_there, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from belay.domain.capability import CapabilityPolicy
    from belay.domain.portfolio import Decision
    from belay.domain.state import OptimizationState
    from belay.measurement.power import Measurability, MetricPower
    from belay.services import Services


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: belay power search_ranking --scope 500 --variants 2")(power)


def power(
    capability: Annotated[str, typer.Argument(help="Id of a capability, such as search_ranking.")],
    *,
    scope: Annotated[
        int | None,
        typer.Option(help="Scope in basis points. Default: what is live, else the ramp's first step."),
    ] = None,
    variants: Annotated[int, typer.Option(help="Treatments that share the scope.", min=1)] = 1,
    json: Json = False,
) -> None:
    """Say how many units and days each metric needs at the next step, from the surface's real traffic.

    Units in the capability's holdout take no part and are not counted. Each test is sized for power
    1 − β/(G+1), G guardrails, because all of them must pass together. Exit code 1 when the step cannot be
    measured within the policy's maximum; the sentence says what would help.
    """
    from belay.analysis.earlier_days import earlier_dispersion
    from belay.cells.planning import shares_at
    from belay.domain.metrics import PrimaryRule
    from belay.domain.portfolio import SMALLEST, next_level
    from belay.domain.scope import FULL_SCOPE
    from belay.measurement.power import measurability
    from belay.warehouse.traffic import read_traffic

    belay = opened()
    policy = belay.policy(capability)
    if scope is not None and not 0 < scope < FULL_SCOPE:
        raise BadInputError(f"--scope is {scope}: write 1 to {FULL_SCOPE - 1} basis points, 500 for 5 %")
    if variants > policy.limits.max_variants:
        raise BadInputError(f"--variants is {variants}: the policy allows {policy.limits.max_variants}")
    live, decisions = _known(belay, policy)
    measured_at = scope or (live.scope if live else policy.ramp.steps[0])
    level = None
    if policy.primary.rule is PrimaryRule.SUPERIOR:
        level = max(next_level(decisions, fdr=policy.errors.fdr, alpha=policy.errors.alpha), SMALLEST)
    each = (policy.errors.alpha if level is None else level) / variants
    arms = [f"treatment-{number}" for number in range(1, variants + 1)]
    holdout = live.holdout if live else policy.autonomy.holdout
    earlier = earlier_dispersion(belay, policy.surface) if is_there(belay.settings.ledger_url) else {}
    traffic = read_traffic(belay.warehouse, policy, belay.data_now())
    found = {
        at: measurability(
            policy,
            at,
            shares_at(at, arms),
            traffic,
            holdout=holdout,
            primary_alpha=each,
            earlier=earlier,
        )
        for at in sorted({measured_at, *(step for step in policy.ramp.steps if step < FULL_SCOPE)})
    }
    if json:
        print_json(_document(policy, found, measured_at, level, variants))
    else:
        _print(policy, found, measured_at, level, live)
    if not found[measured_at].measurable:
        raise typer.Exit(NO)


def _known(belay: Services, policy: CapabilityPolicy) -> tuple[OptimizationState | None, Sequence[Decision]]:
    """Return the capability's optimization that is live now, and the decisions of its portfolio."""
    if not is_there(belay.settings.ledger_url):
        return None, ()
    state = belay.ledger.state()
    under_way = [
        o
        for o in state.optimizations.values()
        if o.capability == policy.id and o.scope > 0 and not o.status.ended
    ]
    known = state.capabilities.get(policy.id)
    return (under_way[0] if under_way else None), (known.decisions if known else ())


def _document(
    policy: CapabilityPolicy,
    found: dict[int, Measurability],
    measured_at: int,
    level: float | None,
    variants: int,
) -> dict[str, Any]:
    return {
        "capability": policy.id,
        "policy": policy.digest,
        "variants": variants,
        "level": level,
        **found[measured_at].to_document(),
        "ramp": [
            {
                "scope": at,
                "measurable": one.measurable,
                "units_needed": _finite(one.units_needed),
                "days_needed": _finite(one.days_needed),
            }
            for at, one in found.items()
        ],
    }


def _print(
    policy: CapabilityPolicy,
    found: dict[int, Measurability],
    measured_at: int,
    level: float | None,
    live: OptimizationState | None,
) -> None:
    from belay.domain.figures import short_percent, signed_percent
    from belay.domain.scope import percent

    chosen = found[measured_at]
    where = f"{percent(measured_at)} of {policy.surface}" + (
        f" ({live.id} is live there)" if live and live.scope == measured_at else ""
    )
    table(
        f"{policy.title}: what a decision at {where} needs",
        ("metric", "to tell apart", "units", "days", f"seen in {chosen.maximum_days:g} days", "α", "power"),
        (
            (
                one.title,
                ("an effect of " if one.superior else "a margin of ")
                + signed_percent(one.distance).lstrip("+"),
                _number(one.units_needed),
                _days(one.days_needed),
                _smallest(one),
                f"{100 * one.alpha:.2g} %",
                short_percent(one.power),
            )
            for one in chosen.metrics
        ),
    )
    say(chosen.sentence)
    if level is not None:
        say(f"The capability's portfolio gives the next decision a level of {short_percent(level)}.")
    table(
        "Along the ramp",
        ("measured at", "units", "days", "within the maximum"),
        (
            (
                percent(at),
                _number(one.units_needed),
                _days(one.days_needed),
                "yes" if one.measurable else "no",
            )
            for at, one in found.items()
        ),
    )


def _smallest(one: MetricPower) -> str:
    from belay.domain.figures import signed_percent

    return "nothing" if math.isinf(one.smallest) else signed_percent(one.smallest).lstrip("+")


def _number(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "no number is enough"


def _days(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "never"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
