"""One policy in Markdown, for people: a DAG's documentation, the board, the docs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from belay.domain.autonomy import Criteria
from belay.domain.calendar import ALWAYS
from belay.domain.capability import CapabilityPolicy
from belay.domain.durations import written_duration
from belay.domain.metrics import Direction, Metric, PrimaryRule
from belay.domain.oversight import StepKind
from belay.domain.roster import Roster
from belay.domain.scope import percent
from belay.domain.stages import Stage


def describe(policy: CapabilityPolicy, roster: Roster | None = None) -> str:
    """Return ``policy`` as Markdown.

    Parameters
    ----------
    roster
        Gives the names of people behind ids and roles, where known.
    """
    lines = [
        f"# {_plain(policy.title)}",
        "",
        _plain(policy.description) or "AI proposes, Belay gates.",
        "",
        *_table(("", ""), _facts(policy, roster)),
        "",
        "## What must hold before scope widens",
        "",
        *_table(("metric", "must be", "good is"), _metrics(policy)),
        "",
        "## Who answers",
        "",
        _answers(policy, roster),
        "",
        *_table(
            (
                "stage",
                "canary",
                f"up to {percent(policy.free_scope)}",
                f"beyond {percent(policy.free_scope)}",
            ),
            [
                (f"`{stage}`", *(str(policy.oversight[stage][kind]) for kind in StepKind))
                for stage in Stage
                if stage.rank <= policy.ceiling.rank
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def describe_autonomy(policy: CapabilityPolicy) -> str:
    """Return in Markdown how ``policy``'s capability earns autonomy, keeps it and loses it."""
    rule, demotion = policy.autonomy, policy.autonomy.demotion
    roles = " and ".join(f"`{role}`" for role in rule.roles or policy.approval.roles)
    within = written_duration(demotion.within_seconds)
    asked = [stage for stage in Stage if stage.above and stage.above.rank <= policy.ceiling.rank]
    rows = [
        (f"`{stage}` → `{stage.above}`", _criteria(rule.criteria.get(stage)), _lease(policy, stage.above))
        for stage in asked
    ]
    lines = [
        f"# How much AI decides: {_plain(policy.title)}",
        "",
        f"Never above `{policy.ceiling}` (`{policy.decision_class}`). People decide: {roles} must agree.",
        "AI never promotes itself, and unknown is not met.",
        "",
        *_table(("promotion", "what its record must show", "granted for"), rows),
        "",
        "## What takes a stage at once",
        "",
        f"- harm by more than {_share(demotion.harm_rate)} of its optimizations, shown within {within}",
        "- a veto on the capability, a lapsed lease, a ledger that does not verify, a blind guard",
        f"- {policy.limits.max_open_requests} open requests: people cannot keep up",
        "",
        "What is live then narrows to what the lower stage permits without a new approval.",
        f"Evidence counts half after {written_duration(rule.half_life_seconds)}.",
    ]
    if rule.holdout:
        lines.append(f"{percent(rule.holdout)} of units never see any of its optimizations.")
    else:
        lines.append("There is no holdout, so the overall criterion stays unknown.")
    return "\n".join(lines) + "\n"


def _criteria(asks: Criteria | None) -> str:
    if asks is None:
        return "nothing is written: it cannot be asked for"
    said: list[tuple[float | None, str]] = [
        (asks.days or None, f"{asks.days:g} days"),
        (asks.completed or None, f"{asks.completed} completed"),
        (asks.judged or None, f"{asks.judged} proposals judged"),
        (asks.harm_rate, f"harm below {_share(asks.harm_rate or 0)}"),
        (asks.override_rate, f"overruled below {_share(asks.override_rate or 0)}"),
        (asks.agreement, f"agreement above {_share(asks.agreement or 0)}"),
        (asks.data_quality, f"data quality from {_share(asks.data_quality or 0)}"),
        (asks.calibration, f"calibration to {asks.calibration or 0:g}"),
        (asks.oec_margin, f"OEC within {_share(asks.oec_margin or 0)} of the holdout"),
    ]
    return ", ".join(text for value, text in said if value is not None)


def _lease(policy: CapabilityPolicy, stage: Stage | None) -> str:
    seconds = policy.autonomy.leases.get(stage) if stage else None
    return "for good" if seconds is None else written_duration(seconds)


def _facts(policy: CapabilityPolicy, roster: Roster | None) -> Iterator[tuple[str, ...]]:
    window, limits = policy.window, policy.limits
    shortest, longest = written_duration(window.minimum_seconds), written_duration(window.maximum_seconds)
    blindness, age = written_duration(limits.blindness_seconds), written_duration(policy.max_data_age_seconds)
    units, looks = (
        f"{window.minimum_units:,} units in the smallest treatment",
        f"{window.looks} planned looks",
    )
    yield "capability", f"`{policy.id}` on surface `{policy.surface}`"
    yield "owner", _person(policy.owner, roster)
    yield "decision class", f"`{policy.decision_class}`, never above stage `{policy.ceiling}`"
    yield "starts at stage", f"`{policy.initial_stage}`"
    yield "ramp", " → ".join(percent(step) for step in policy.ramp.steps)
    yield "window", f"{shortest} to {longest} of data time, at least {units}, {looks}"
    yield "errors", _errors(policy)
    yield "segments", _names(policy.segments) or "none"
    yield "left out", _filters(policy)
    yield (
        "data",
        f"no older than {age}; suites {_names(policy.suites)}; the guard may miss it for {blindness}",
    )
    yield (
        "limits",
        f"{limits.max_variants} variants, {limits.max_live} live, {limits.changes_per_day} widenings a day",
    )
    yield "shadow", _shadow(policy)
    yield "agents", _names(policy.agents) or "any"
    yield "policy", f"`{policy.digest[:12]}`"


def _shadow(policy: CapabilityPolicy) -> str:
    rule = policy.shadow
    if rule is None:
        return "none: what was never shown is not known"
    choice, propensity = f"{rule.source}.{rule.choice}", f"{rule.source}.{rule.propensity}"
    return f"`{choice}`, chosen by chance with `{propensity}`, beside `{_plain(rule.payload)}` of a payload"


def _errors(policy: CapabilityPolicy) -> str:
    errors = policy.errors
    text = f"{_share(errors.alpha)} a test, {_share(errors.power)} power"
    if policy.primary.rule is not PrimaryRule.SUPERIOR:
        return text
    return f"{text}; at most {_share(errors.fdr)} of all that is shown better may be no better"


def _answers(policy: CapabilityPolicy, roster: Roster | None) -> str:
    rule = policy.approval
    roles = " and ".join(f"a {_role(role, roster)}" for role in rule.roles)
    vetoes = ", ".join(_role(role, roster) for role in rule.veto_roles)
    expires, notice = written_duration(rule.expires_seconds), written_duration(rule.notice_seconds)
    return (
        f"{rule.quorum} approval{'s' * (rule.quorum > 1)} in all, with {roles}. No answer within {expires} "
        f"means no; where notice is enough, silence for {notice} means yes. Veto: {vetoes}."
        f"{_nudges(policy, roster)}"
    )


def _nudges(policy: CapabilityPolicy, roster: Roster | None) -> str:
    rule, told = policy.approval, ""
    if rule.remind_after < 1:
        told += f" A reminder comes after {_share(rule.remind_after)} of that time"
        told += "." if rule.escalate_after >= 1 else ","
    if rule.escalate_after < 1:
        roles = " or ".join(_role(role, roster) for role in rule.escalate_to)
        told += f" after {_share(rule.escalate_after)} of it {roles} may answer in any role that is missing."
    if policy.calendar.name != ALWAYS.name:
        told += f" Time runs by calendar `{policy.calendar.name}` ({policy.calendar.zone})."
    return told


def _metrics(policy: CapabilityPolicy) -> list[tuple[str, ...]]:
    primary = policy.primary
    if primary.rule is PrimaryRule.SUPERIOR:
        must = f"better; worth having from {_share(primary.minimum_effect)}"
    else:
        must = f"at most {_share(primary.margin)} worse; worth having from {_share(primary.minimum_effect)}"
    first: tuple[str, ...] = (f"**{_metric(primary.metric)}** (primary)", must, _good(primary.metric))
    return [first] + [
        (_metric(guardrail.metric), f"at most {_share(guardrail.margin)} worse", _good(guardrail.metric))
        for guardrail in policy.guardrails
    ]


def _metric(metric: Metric) -> str:
    return f"{_plain(metric.title)} [{_plain(metric.unit)}]"


def _good(metric: Metric) -> str:
    return "more" if metric.direction is Direction.INCREASE else "less"


def _share(value: float) -> str:
    return f"{value * 100:g} %"


def _names(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _filters(policy: CapabilityPolicy) -> str:
    kept = [
        "repeated event ids" if name == "duplicate_events" else f"exposures whose `{name}` is not `{value}`"
        for name, value in policy.exposure_filters.items()
    ]
    return ", ".join(kept) or "nothing"


def _person(name: str, roster: Roster | None) -> str:
    person = roster.person(name) if roster else None
    return f"{_plain(person.name)} (`{person.id}`)" if person else f"`{name}`"


def _role(role: str, roster: Roster | None) -> str:
    holders = [person.id for person in roster.holders(role)] if roster else []
    return f"`{role}`" + (f" ({' or '.join(holders)})" if holders else "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [_row(head), _row("---" for _ in head), *map(_row, rows)]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Return ``text`` so that it cannot break a table or pass for markup."""
    for sign in "\\`*_[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
