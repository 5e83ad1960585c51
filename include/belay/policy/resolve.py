"""One capability file, over the defaults, as the domain knows it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path as FilePath
from typing import TypeVar

from belay.domain.calendar import ALWAYS
from belay.domain.capability import (
    ApprovalRule,
    CapabilityPolicy,
    ErrorRates,
    GuardRule,
    Limits,
    ShadowRule,
    SupervisionRule,
    WindowRule,
)
from belay.domain.digest import sha256_of
from belay.domain.metrics import Grain, Guardrail, Primary, PrimaryRule
from belay.domain.scope import NO_HOLDBACK, HoldbackRule, Ramp
from belay.policy.autonomy import autonomy_rule
from belay.policy.checked import Checked
from belay.policy.checks import missing, validate
from belay.policy.document import Document, read_document
from belay.policy.errors import PolicyError
from belay.policy.fields import NAME
from belay.policy.files import (
    ApprovalFile,
    CapabilityFile,
    DefaultsFile,
    ErrorsFile,
    GuardFile,
    HoldbackFile,
    LimitsFile,
    SupervisionFile,
    WindowFile,
)
from belay.policy.rules import capability_errors, ceiling_of
from belay.policy.shared import DEFAULTS, Shared, merged

_OPTIONAL = {
    "description",
    "agents",
    "oversight",
    "guardrails",
    "ceiling",
    "segments",
    "exposure_filters",
    "autonomy",
    "guard",
    "holdback",
    "promotion",
    "calendar",
    "shadow",
}
_SECTIONS = {
    "window": WindowFile,
    "errors": ErrorsFile,
    "approval": ApprovalFile,
    "limits": LimitsFile,
    "supervision": SupervisionFile,
}

_INTAKE = {
    name: Limits.__dataclass_fields__[name].default
    for name in ("proposals_per_day", "proposal_bytes", "proposal_depth")
}
"""Limits that may be left out, and what holds then."""

T = TypeVar("T")


def read_capability(
    path: FilePath, shared: Shared, suites: Collection[str] | None
) -> tuple[CapabilityPolicy | None, list[PolicyError]]:
    """Return the policy that ``path`` holds, or None, and everything that is wrong with it.

    Parameters
    ----------
    path
        The capability's file; its stem is the capability's id.
    shared
        What the shared files say.
    suites
        Names of the suites that exist, or None when that is not known here.
    """
    own = read_document(path)
    errors = list(own.errors)
    if not re.match(NAME, path.stem):
        right = "rename it: lower-case letters, digits and _, starting with a letter"
        errors.append(
            PolicyError(path.name, 1, "", repr(path.stem), "the file's name is no capability id", right)
        )
    if not own.readable:
        return None, errors
    document = replace(own, value=merged(own.value, shared.defaults.value), under=shared.defaults)
    file, wrong = validate(CapabilityFile, document, document.value)
    errors += wrong
    errors += _missing(file, document, shared, wrong)
    errors += capability_errors(Checked(file, document, shared, suites))
    errors = list(dict.fromkeys(errors))
    return (None if errors else _policy(path.stem, file, shared)), errors


def _missing(
    file: CapabilityFile, document: Document, shared: Shared, wrong: list[PolicyError]
) -> list[PolicyError]:
    found = missing(file, document, optional={*_OPTIONAL, *_SECTIONS}, reported=wrong)
    lacking = [error for name, error in found.items() if name not in DefaultsFile.model_fields]
    shared_lacking = [error for name, error in found.items() if name in DefaultsFile.model_fields]
    if file.primary is not None:
        optional = {"rule", "margin"} if file.primary.rule in (None, PrimaryRule.SUPERIOR) else {"rule"}
        lacking += missing(file.primary, document, ("primary",), optional=optional, reported=wrong).values()
    if file.shadow is not None:
        lacking += missing(file.shadow, document, ("shadow",), optional=(), reported=wrong).values()
    written_sections = {error.where for error in wrong}
    for name, section in _SECTIONS.items():
        if name not in written_sections:
            model = getattr(file, name) or section()
            optional = {"escalate_to", *_INTAKE}
            shared_lacking += missing(model, document, (name,), optional=optional, reported=wrong).values()
    if shared_lacking and (whole := shared.whole(DEFAULTS)):
        return [*lacking, *whole]
    return [*lacking, *shared_lacking]


def _policy(capability: str, file: CapabilityFile, shared: Shared) -> CapabilityPolicy:
    """Return the policy of a file in which nothing is wrong."""
    window, approval, supervision = _there(file.window), _there(file.approval), _there(file.supervision)
    limits, errors, primary = _there(file.limits), _there(file.errors), _there(file.primary)
    rule = primary.rule or PrimaryRule.SUPERIOR
    table = {stage: dict(row) for stage, row in _there(shared.table).items()}
    for stage, row in (file.oversight or {}).items():
        table[stage].update(row)
    policy = CapabilityPolicy(
        id=capability,
        title=_there(file.title),
        description=file.description or "",
        owner=_there(file.owner),
        surface=_there(file.surface),
        decision_class=_there(file.decision_class),
        ceiling=_there(ceiling_of(file)),
        initial_stage=_there(file.initial_stage),
        ramp=Ramp(tuple(_there(file.ramp))),
        free_scope=_there(file.free_scope),
        primary=Primary(
            metric=shared.metrics[_there(primary.metric)],
            rule=rule,
            minimum_effect=_there(primary.minimum_effect),
            margin=primary.margin or 0.0,
        ),
        guardrails=tuple(
            Guardrail(shared.metrics[name], margin) for name, margin in (file.guardrails or {}).items()
        ),
        segments=tuple(file.segments or ()),
        exposure_filters=dict(file.exposure_filters or {}),
        window=WindowRule(
            minimum_seconds=_there(window.minimum),
            maximum_seconds=_there(window.maximum),
            minimum_units=_there(window.minimum_units),
            looks=_there(window.looks),
            poll_seconds=_there(window.poll),
        ),
        errors=ErrorRates(alpha=_there(errors.alpha), power=_there(errors.power), fdr=_there(errors.fdr)),
        approval=ApprovalRule(
            roles=tuple(_there(approval.roles)),
            quorum=_there(approval.quorum),
            veto_roles=tuple(_there(approval.veto_roles)),
            expires_seconds=_there(approval.expires),
            notice_seconds=_there(approval.notice),
            remind_after=_there(approval.remind_after),
            escalate_after=_there(approval.escalate_after),
            escalate_to=tuple(approval.escalate_to or ()),
        ),
        limits=Limits(
            max_variants=_there(limits.max_variants),
            max_live=_there(limits.max_live),
            changes_per_day=_there(limits.changes_per_day),
            max_open_requests=_there(limits.max_open_requests),
            blindness_seconds=_there(limits.blindness),
            **{name: value for name in _INTAKE if (value := getattr(limits, name)) is not None},
        ),
        oversight=table,
        suites=tuple(_there(file.suites)),
        max_data_age_seconds=_there(file.max_data_age),
        agents=tuple(file.agents or ()),
        digest="",
        autonomy=autonomy_rule(file, shared.criteria),
        supervision=SupervisionRule(
            max_pending_each=_there(supervision.max_pending_each),
            hasty_seconds=_there(supervision.hasty),
            max_hasty_share=_there(supervision.max_hasty_share),
            least_answers=_there(supervision.least_answers),
            period_seconds=_there(supervision.period),
        ),
        calendar=shared.calendars[file.calendar or ALWAYS.name],
        guard=_guard(file.guard or GuardFile(), shared),
        holdback=_holdback(file.holdback or HoldbackFile()),
        shadow=_shadow(file, shared),
    )
    content = json.loads(json.dumps(asdict(policy), default=str))  # days and times of day as ISO 8601
    del content["digest"]
    for name, default in _INTAKE.items():  # a limit that nobody wrote makes no other policy of an older one
        if content["limits"][name] == default:
            del content["limits"][name]
    for part in (content["primary"], *content["guardrails"]):
        if part["metric"]["grain"] == Grain.TIME:  # a policy from before metrics had a grain is the same one
            del part["metric"]["grain"]
    return replace(policy, digest=sha256_of(content))


def _guard(file: GuardFile, shared: Shared) -> GuardRule:
    given = {name: value for name, value in file if value is not None}
    return GuardRule(blindness=shared.blindness, **given)


def _holdback(file: HoldbackFile) -> HoldbackRule:
    share, horizon, rotate = file.share or 0, file.horizon or 0.0, file.rotate or 0.0
    return HoldbackRule(share, horizon, rotate or horizon) if share and horizon else NO_HOLDBACK


def _shadow(file: CapabilityFile, shared: Shared) -> ShadowRule | None:
    if file.shadow is None:
        return None
    source, _, choice = _there(file.shadow.choice).partition(".")
    propensity = _there(file.shadow.propensity).partition(".")[2]
    known = shared.columns[source]
    filters = {name: value for name, value in (file.exposure_filters or {}).items() if name in known}
    return ShadowRule(source, choice, propensity, _there(file.shadow.payload), filters)


def _there(value: T | None) -> T:
    """Return a value that ``_missing`` has already insisted on."""
    assert value is not None
    return value
