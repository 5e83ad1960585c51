"""`belay policy check|show|adopt`: what the capability files say, and which is in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import NO, UNAVAILABLE, BadInputError
from belay.cli.identity import As, identify
from belay.cli.output import Json, print_json, say, table, warn
from belay.cli.parts import opened
from belay.domain.figures import counted, in_percent

if TYPE_CHECKING:
    from belay.domain.capability import CapabilityPolicy
    from belay.domain.events import Event
    from belay.policy.load import Policies
    from belay.services import Services

app = typer.Typer(help="What the capability files say.", no_args_is_help=True)


@app.command(epilog="Example: belay policy check include/capabilities")
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of capability files. Default: BELAY_POLICIES.")
    ] = None,
    *,
    warehouse: Annotated[
        bool,
        typer.Option("--warehouse", help="Look for every table, column and surface in the warehouse too."),
    ] = False,
    json: Json = False,
) -> None:
    """Read every capability file and say what is wrong: file, line, value, and what would be right."""
    from dataclasses import asdict

    from belay.policy.load import load_policies

    belay = opened()
    where = folder or belay.settings.policies
    policies = load_policies(where, expectations=belay.settings.expectations)
    usable = sorted(policies.capabilities)
    warnings = _warnings(policies)
    lacking: list[str] = []
    if warehouse:
        from belay.cli.warehouse_check import cannot_be_read

        lacking = list(cannot_be_read(belay.warehouse, policies.capabilities.values()))
    if json:
        errors = [asdict(error) for error in policies.errors]
        print_json(
            {
                "folder": str(where),
                "capabilities": usable,
                "errors": errors,
                "warnings": warnings,
                "warehouse": lacking,
            }
        )
    else:
        for error in policies.errors:
            warn(str(error))
        for problem in lacking:
            warn(f"warehouse: {problem}")
        for warning in warnings:
            warn(f"warning: {warning}")
        say(f"{counted(len(usable), 'capability')} can be used: {', '.join(usable) or 'none'}")
        if policies.errors:
            broken = ", ".join(sorted(policies.broken)) or "none"
            say(f"{counted(len(policies.errors), 'error')}; broken: {broken}")
        if warehouse and not lacking:
            say("the warehouse has every table, column and surface that they need")
    if policies.errors or lacking:
        raise typer.Exit(NO)


@app.command(epilog="Example: belay policy show checkout_wording")
def show(capability: Annotated[str, typer.Argument()], *, json: Json = False) -> None:
    """Show a capability's policy as it is resolved from its file and the shared ones."""
    from dataclasses import asdict

    belay = opened()
    policy = belay.policy(capability)
    if json:
        print_json(asdict(policy))
        return
    from belay.domain.scope import percent

    errors, primary = policy.errors, policy.primary
    say(f"{policy.id}: {policy.title} (policy {policy.digest[:12]})", style="bold")
    say(policy.description)
    rows = [
        ("in force", _in_force(belay, policy)),
        ("owner", policy.owner),
        ("surface", policy.surface),
        ("class and ceiling", f"{policy.decision_class}, never past {policy.capped(policy.ceiling)}"),
        ("initial stage", policy.initial_stage),
        ("ramp", " → ".join(percent(step) for step in policy.ramp.steps)),
        ("free scope", percent(policy.free_scope)),
        ("primary", f"{primary.metric.id}, {primary.rule}, margin {in_percent(primary.margin, 1)}"),
        *(("guardrail", f"{g.metric.id}, margin {in_percent(g.margin, 1)}") for g in policy.guardrails),
        (
            "errors",
            f"alpha {errors.alpha:g}, power {errors.power:g}, fdr {errors.fdr:g}",
        ),
        *_waiting_rows(policy),
        ("veto", ", ".join(policy.approval.veto_roles)),
        ("shadow", f"{policy.shadow.source}.{policy.shadow.choice}" if policy.shadow else "none"),
        ("agents", ", ".join(policy.agents) or "any"),
        ("suites", ", ".join(policy.suites)),
    ]
    table("What it says", ("what", "value"), rows)


def _waiting_rows(policy: CapabilityPolicy) -> list[tuple[str, str]]:
    """Return what an owner wants to see first: how long is watched, who is asked, how much at once."""
    from belay.domain.durations import written_duration as lasting
    from belay.domain.scope import percent

    window, approval, limits = policy.window, policy.approval, policy.limits
    watched = f"{lasting(window.minimum_seconds)} to {lasting(window.maximum_seconds)} of data time"
    at_once = (
        f"{counted(limits.max_variants, 'variant')} a change, {limits.max_live} live, "
        f"{counted(limits.changes_per_day, 'widening')} a day, "
        f"{counted(limits.max_open_requests, 'open request')}"
    )
    back = policy.holdback
    goes_without = "none"
    if back.share:
        lasts = lasting(back.horizon_seconds)
        goes_without = f"{percent(back.share)} go without what is complete, for {lasts}"
    return [
        ("window", f"{watched}, {window.minimum_units:,} units in the smallest arm, {window.looks} looks"),
        ("poll", f"a look every {lasting(window.poll_seconds)}"),
        ("approval", f"{counted(approval.quorum, 'approval')} of {', '.join(approval.roles)}"),
        ("expires", f"{lasting(approval.expires_seconds)}: then silence means no"),
        ("notice", f"{lasting(approval.notice_seconds)}: then silence means yes, where notice is enough"),
        ("calendar", policy.calendar.name),
        ("holdout", f"{percent(policy.autonomy.holdout)} never see any of its changes"),
        ("hold-back", goes_without),
        ("limits", at_once),
        ("guard", f"blind for at most {lasting(limits.blindness_seconds)} of data time"),
    ]


def _warnings(policies: Policies) -> list[str]:
    """Return what is allowed and seldom meant; what is so of every capability is said once."""
    from belay.policy.advice import advice

    said: dict[str, list[str]] = {}
    for name, policy in sorted(policies.capabilities.items()):
        for sentence in advice(policy):
            said.setdefault(sentence, []).append(name)
    return [f"{', '.join(names)}: {sentence}" for sentence, names in said.items()]


def _in_force(belay: Services, policy: CapabilityPolicy) -> str:
    """Say whether a file is what is in force; a policy can be read without a ledger, too."""
    from belay.cli.parts import is_there
    from belay.ledger.errors import LedgerError
    from belay.oversight.active_policy import waiting_changes

    try:
        changes = waiting_changes(belay, policy) if is_there(belay.settings.ledger_url) else None
    except LedgerError as error:
        return f"unknown: {error}"
    if changes is None:
        return "not yet: its first proposal brings it into force"
    if not changes:
        return "yes"
    return f"no: belay policy adopt {policy.id} would change {counted(len(changes), 'part')} of what is"


@app.command(epilog="Example: belay policy adopt brand_voice --reason 'decided on 3 March'")
def adopt(
    capability: Annotated[
        str, typer.Argument(help="The capability. With --all: leave it out.", show_default=False)
    ] = "",
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept in the ledger.")],
    every: Annotated[
        bool, typer.Option("--all", help="Every capability whose file is not what is in force.")
    ] = False,
    who: As = None,
) -> None:
    """Bring a capability's file into force, as a person; open requests under the old one are void.

    A capability's first policy comes into force by itself. A file that changes later changes nothing until a
    person says so here: no new step starts meanwhile, and what is under way goes on under the old policy.
    """
    from belay.domain.actors import human
    from belay.flags.target import FlagsUnavailable
    from belay.oversight.active_policy import adopt_policy, waiting_changes

    belay = opened()
    if not reason.strip():
        raise BadInputError("--reason is empty: say why")
    if bool(capability) is every:
        raise BadInputError("name a capability, or give --all")
    person = identify(belay.roster(), who)
    if capability:
        policies = [belay.policy(capability)]
    else:
        read = belay.policies()
        if read.errors:
            wrong = counted(len(read.errors), "error")
            raise BadInputError(f"{wrong} in the files: run `belay policy check`")
        policies = [policy for policy in read.capabilities.values() if waiting_changes(belay, policy) != ()]
        if not policies:
            say("every policy file is in force already")
    unserved = False
    for policy in policies:
        changes = waiting_changes(belay, policy)
        followed: tuple[Event, ...] | None = None
        try:
            followed = adopt_policy(belay, policy, human(person.id), reason)
        except FlagsUnavailable as error:
            unserved = True
            warn(f"{policy.id} is adopted, and what it takes down is not written to the flags yet: {error}")
        state = "was in force already" if followed == () else "is in force"
        say(f"policy {policy.digest[:12]} of {policy.id} {state}")
        for change in changes or ():
            say(f"  {change}")
        _tell_what_followed(belay, policy, (followed or ()) if changes else ())
    if unserved:
        raise typer.Exit(UNAVAILABLE)


def _tell_what_followed(belay: Services, policy: CapabilityPolicy, followed: tuple[Event, ...]) -> None:
    """Say what a change took down, and which optimizations need a new run under it."""
    from belay.domain.events import PolicyAdopted
    from belay.ledger.narrate import narrate

    for event in followed:
        if not isinstance(event, PolicyAdopted):
            about = getattr(event, "optimization", "")
            say(f"  {f'{about}: ' if about else ''}{narrate(event)}")
    known = belay.ledger.state().optimizations.values()
    again = [o.id for o in known if o.capability == policy.id and o.step and not o.status.ended]
    if followed and again:
        say("  to go on under it:")
        for name in again:
            say(f"    belay start {name}")
