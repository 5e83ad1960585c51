"""The files that all capabilities share: ladder, metrics, people, defaults.

Each is read on its own, so that a mistake in one breaks only the capabilities that need what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from belay.domain.calendar import ALWAYS, Calendar
from belay.domain.metrics import Grain, Metric, MetricKind
from belay.domain.oversight import LEAST_OVERSIGHT, Oversight, OversightTable, StepKind
from belay.domain.roster import Person, Roster
from belay.domain.stages import Stage
from belay.policy.autonomy import CriteriaByStage, read_criteria
from belay.policy.calendars import CALENDARS, read_calendars
from belay.policy.checks import known_keys, missing, validate
from belay.policy.document import Document, read_document
from belay.policy.errors import Path, PolicyError, did_you_mean
from belay.policy.files import (
    CatalogueFile,
    DefaultsFile,
    LadderFile,
    MetricFile,
    OversightCells,
    PeopleFile,
    PersonFile,
)

LADDER, METRICS, PEOPLE, DEFAULTS = "_ladder.yaml", "_metrics.yaml", "_people.yaml", "_defaults.yaml"
SHARED = (LADDER, METRICS, PEOPLE, DEFAULTS, CALENDARS)

_OF_CATALOGUE = {
    MetricKind.RATIO: frozenset({"cap", "covariate", "outcome_days"}),
    MetricKind.MEAN: frozenset({"cap", "covariate", "outcome_days"}),
    MetricKind.PROPORTION: frozenset({"covariate", "outcome_days"}),
    MetricKind.RARE_COUNT: frozenset({"outcome_days"}),
}
"""Optional keys that mean something for each kind of metric."""


@dataclass(slots=True)
class Shared:
    """What the shared files say.

    Attributes
    ----------
    table : OversightTable | None
        The ladder's oversight; None when the file is broken.
    criteria : CriteriaByStage | None
        What the record at each stage must show; None when the ladder leaves that to Belay.
    blindness : dict[Stage, float]
        Seconds of data time that the guard may miss data, by stage.
    metrics : dict[str, Metric]
        The usable metrics.
    columns : dict[str, frozenset[str]]
        Columns of each source.
    roster : Roster
        The usable people and agents.
    roles : frozenset[str]
        Roles that exist.
    defaults : Document
        The defaults as written, without what is wrong in a way that nobody could need.
    calendars : dict[str, Calendar]
        The usable calendars; ``always`` needs no file.
    broken : dict[str, list[PolicyError]]
        Why a part cannot be used: a shared file's name for the whole of it, or ``file:key`` for one
        metric or person.
    errors : list[PolicyError]
        Everything that is wrong in the shared files.
    """

    table: OversightTable | None = None
    criteria: CriteriaByStage | None = None
    blindness: dict[Stage, float] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    columns: dict[str, frozenset[str]] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    roles: frozenset[str] = frozenset()
    defaults: Document = field(default_factory=lambda: Document(DEFAULTS))
    calendars: dict[str, Calendar] = field(default_factory=lambda: {ALWAYS.name: ALWAYS})
    broken: dict[str, list[PolicyError]] = field(default_factory=dict)
    errors: list[PolicyError] = field(default_factory=list)

    def whole(self, name: str) -> list[PolicyError]:
        """Return why the shared file ``name`` cannot be used at all; empty when it can."""
        return self.broken.get(name, [])

    def one(self, name: str, key: str) -> list[PolicyError]:
        """Return why ``key`` of the shared file ``name`` cannot be used; empty when it can, or is unknown."""
        return self.broken.get(f"{name}:{key}", [])


def read_shared(folder: FilePath) -> Shared:
    """Read the shared files of ``folder``. Never raises: what is wrong is in ``errors``."""
    shared = Shared()
    for name, read in ((LADDER, _ladder), (METRICS, _catalogue), (PEOPLE, _people), (DEFAULTS, _defaults)):
        document = _document(folder, name)
        if document.readable:
            shared.errors += document.errors
            read(shared, document)
        else:
            _broken(shared, name, document.errors)
    if (folder / CALENDARS).exists():
        _calendars(shared, read_document(folder / CALENDARS))
    return shared


def _document(folder: FilePath, name: str) -> Document:
    if (folder / name).exists():
        return read_document(folder / name)
    document = Document(name)
    right = f"create {name} beside the capabilities; every capability needs it"
    document.errors.append(PolicyError(name, 1, "", "", "the file is missing", right))
    return document


def _broken(shared: Shared, key: str, errors: list[PolicyError]) -> None:
    shared.broken.setdefault(key, []).extend(errors)
    shared.errors += errors


def _calendars(shared: Shared, document: Document) -> None:
    if not document.readable:
        _broken(shared, CALENDARS, document.errors)
        return
    shared.errors += document.errors
    shared.calendars, broken = read_calendars(document)
    for name, errors in broken.items():
        _broken(shared, f"{CALENDARS}:{name}" if name else CALENDARS, errors)


# Ladder


def _ladder(shared: Shared, document: Document) -> None:
    model, errors = validate(LadderFile, document, document.value)
    errors += missing(model, document, optional={"promotion", "blindness"}, reported=errors).values()
    criteria, wrong = read_criteria(model.promotion, document)
    errors += wrong if not errors else []
    table = {stage: dict(row) for stage, row in (model.oversight or {}).items()}
    if not errors:
        errors += [
            document.error(
                ("oversight", stage),
                ...,
                f"no oversight is given for {stage}, {kind}",
                f"write {kind}: {LEAST_OVERSIGHT[stage][kind]} (or more)",
            )
            for stage in Stage
            for kind in StepKind
            if kind not in table.get(stage, {})
        ]
    errors += looser(table, LEAST_OVERSIGHT, document, "the least that Belay allows")
    if errors or document.errors:
        _broken(shared, LADDER, errors)
        shared.broken[LADDER] += document.errors
    else:
        shared.table, shared.criteria = table, criteria
        shared.blindness = dict(model.blindness or {})


def looser(
    table: OversightCells | None, least: OversightTable, document: Document, what: str
) -> list[PolicyError]:
    """Return an error for each cell of ``table`` that asks for less oversight than ``least``."""
    return [
        document.error(
            ("oversight", stage, kind),
            str(oversight),
            f"{oversight} is looser than {what} for {stage}, {kind}",
            f"write {least[stage][kind]}" + ("" if least[stage][kind] is Oversight.FORBIDDEN else " or more"),
        )
        for stage, row in (table or {}).items()
        for kind, oversight in row.items()
        if oversight.rank < least[stage][kind].rank
    ]


# Metrics


def _catalogue(shared: Shared, document: Document) -> None:
    model, errors = validate(CatalogueFile, document, {**document.value, "metrics": {}})
    errors += missing(model, document, optional=(), reported=errors).values()
    shared.errors += errors
    sources = model.sources or {}
    for name, source in sources.items():
        shared.columns[name] = frozenset(source.columns or ())
    if sources and "exposures" not in sources:
        right = (
            "write exposures: {columns: [event_id, unit_id, optimization, variant, surface, event_time, …]}"
        )
        problem = "there is no source 'exposures': nobody could tell who saw what"
        _broken(shared, METRICS, [document.error(("sources",), ..., problem, right)])
    metrics = document.value.get("metrics")
    if not isinstance(metrics, dict) or not metrics:
        _broken(
            shared,
            METRICS,
            [
                document.error(
                    ("metrics",), ..., "no metric is declared", "write metrics: and one metric below"
                )
            ],
        )
        return
    if not sources:
        shared.broken.setdefault(METRICS, []).extend(errors)
        return
    for name in metrics:
        _one_metric(shared, document, name, metrics[name])


def _one_metric(shared: Shared, document: Document, name: str, value: Any) -> None:
    at: Path = ("metrics", name)
    wrapped, errors = validate(CatalogueFile, document, {"sources": None, "metrics": {name: value}})
    found = (wrapped.metrics or {}).get(name)
    if found is None:
        found = MetricFile()
    optional = {"denominator", "cap", "covariate", "outcome_days", "grain"}
    lacking = missing(found, document, at, optional=optional, reported=errors)
    if "direction" in lacking:
        lacking["direction"] = _no_direction(document, at, name)
    errors += lacking.values()
    for key in ("value", "denominator", "covariate"):
        errors += unresolved(shared, document, at, key, getattr(found, key))
    errors += _meaningless(document, at, found)
    errors += [error for error in document.errors if f"{error.where}.".startswith(f"metrics.{name}.")]
    if errors:
        _broken(shared, f"{METRICS}:{name}", [error for error in errors if error not in shared.errors])
        shared.broken[f"{METRICS}:{name}"] = errors
        return
    assert found.title and found.kind and found.unit  # noqa: PT018 - all are there, or there was an error
    assert found.direction and found.value  # noqa: PT018
    source, _, column = found.value.partition(".")
    shared.metrics[name] = Metric(
        id=name,
        title=found.title,
        kind=found.kind,
        unit=found.unit,
        direction=found.direction,
        source=source,
        value=column,
        denominator=found.denominator.partition(".")[2] if found.denominator else None,
        cap=found.cap,
        covariate=found.covariate.partition(".")[2] if found.covariate else None,
        outcome_days=found.outcome_days,
        grain=found.grain or Grain.TIME,
    )


def _no_direction(document: Document, at: Path, name: str) -> PolicyError:
    return document.error(
        at,
        ...,
        f"metric {name!r} has no direction, so a margin on it means nothing",
        "write direction: increase or direction: decrease, whichever is good",
    )


def unresolved(
    shared: Shared, document: Document, at: Path, key: str, value: str | None
) -> list[PolicyError]:
    """Return an error when ``value`` names no declared column (``source.column``)."""
    if value is None:
        return []
    source, _, column = value.partition(".")
    if source not in shared.columns:
        return [
            document.error(
                (*at, key),
                value,
                f"there is no source {source!r}",
                did_you_mean(source, shared.columns, "sources"),
            )
        ]
    if column not in shared.columns[source]:
        right = did_you_mean(column, shared.columns[source], f"columns of {source}")
        return [document.error((*at, key), value, f"source {source!r} has no column {column!r}", right)]
    if key == "covariate" and source != "units":
        right = "write a column of units: what was known before the exposure"
        return [document.error((*at, key), value, "a covariate must not come from outcomes", right)]
    return []


def _meaningless(document: Document, at: Path, found: MetricFile) -> list[PolicyError]:
    """Return errors for keys that cannot apply to this kind of metric."""
    if found.kind is None:
        return []
    errors = []
    if found.kind is MetricKind.RATIO and found.denominator is None:
        right = "write denominator: and the column it is a ratio to"
        errors.append(document.error(at, ..., "a ratio has no denominator", right))
    if found.denominator and found.kind is not MetricKind.RATIO:
        right = "remove it, or write kind: ratio"
        problem = f"a {found.kind} has no denominator"
        errors.append(document.error((*at, "denominator"), found.denominator, problem, right))
    elif found.denominator and found.value and found.denominator.split(".")[0] != found.value.split(".")[0]:
        problem, right = "value and denominator are in different sources", "use columns of one source"
        errors.append(document.error((*at, "denominator"), found.denominator, problem, right))
    for key in ("cap", "covariate", "outcome_days"):
        value = getattr(found, key)
        if value is not None and key not in _OF_CATALOGUE[found.kind]:
            problem = f"a {key} cannot apply to a {found.kind}"
            errors.append(document.error((*at, key), value, problem, "remove it"))
    return errors


# People


def _people(shared: Shared, document: Document) -> None:
    value = document.value
    people = value.get("people")
    model, errors = validate(PeopleFile, document, {**value, "people": {}})
    errors += missing(model, document, optional={"agents", "slack_groups"}, reported=errors).values()
    if not isinstance(people, dict) or not people:
        right = "write people: and one person below, such as nora: {name: …, email: …, roles: […]}"
        errors.append(document.error(("people",), ..., "nobody is in the roster", right))
    shared.errors += errors
    if not isinstance(people, dict) or not model.roles:
        shared.broken[PEOPLE] = errors or document.errors
        return
    shared.roles = frozenset(model.roles)
    found = [person for name in people if (person := _one_person(shared, document, name, people[name]))]
    found = _distinct(shared, document, found)
    agents, accounts = _agents(shared, document, model, found)
    groups = {}
    for role, group in (model.slack_groups or {}).items():
        if role in shared.roles:
            groups[role] = group
        else:
            right = did_you_mean(role, shared.roles, "roles")
            shared.errors.append(document.error(("slack_groups", role), ..., "unknown role", right))
    shared.roster = Roster(tuple(found), agents, groups, accounts)


def _agents(
    shared: Shared, document: Document, model: PeopleFile, people: list[Person]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return who answers for each agent, and the accounts it acts under, which are nobody else's."""
    known = {person.id for person in people}
    taken = {name: person.id for person in people for name in (person.id, *person.airflow_users)}
    agents: dict[str, str] = {}
    accounts: dict[str, tuple[str, ...]] = {}
    for agent, said in (model.agents or {}).items():
        owner, own = said.owner or "", (agent,) if said.airflow is None else tuple(said.airflow)
        clash = next((name for name in own if name in taken), None)
        if owner not in known:
            right = did_you_mean(owner, known, "people")
            problem = f"agent {agent!r} is owned by nobody in the roster"
            _broken(shared, f"{PEOPLE}:{agent}", [document.error(("agents", agent), owner, problem, right)])
        elif clash is not None:
            problem, right = (
                f"{clash!r} is {taken[clash]}'s account already",
                "give the agent its own account",
            )
            _broken(shared, f"{PEOPLE}:{agent}", [document.error(("agents", agent), clash, problem, right)])
        else:
            agents[agent], accounts[agent] = owner, own
            taken |= dict.fromkeys(own, agent)
    return agents, accounts


def _one_person(shared: Shared, document: Document, name: str, value: Any) -> Person | None:
    at: Path = ("people", name)
    model, errors = validate(PeopleFile, document, {"people": {name: value}})
    found = (model.people or {}).get(name) or PersonFile()
    optional = {"airflow", "slack", "active", "roles"}
    errors += missing(found, document, at, optional=optional, reported=errors).values()
    for index, role in enumerate(found.roles or ()):
        if role not in shared.roles:
            right = did_you_mean(role, shared.roles, "roles")
            errors.append(document.error((*at, "roles", index), role, "unknown role", right))
    errors += [error for error in document.errors if f"{error.where}.".startswith(f"people.{name}.")]
    if errors:
        _broken(shared, f"{PEOPLE}:{name}", [error for error in errors if error not in shared.errors])
        shared.broken[f"{PEOPLE}:{name}"] = errors
        return None
    return Person(
        id=name,
        name=found.name or name,
        email=found.email or "",
        roles=frozenset(found.roles or ()),
        airflow_users=tuple(found.airflow if found.airflow is not None else [name]),
        slack_id=found.slack,
        active=found.active is not False,
    )


def _distinct(shared: Shared, document: Document, people: list[Person]) -> list[Person]:
    """Drop people who share a name, an account or an e-mail with an earlier one: an answer has one author."""
    taken: dict[tuple[str, str], str] = {}
    kept = []
    for person in people:
        accounts = [("airflow", user) for user in dict.fromkeys((*person.airflow_users, person.id))]
        accounts += [("slack", person.slack_id)] if person.slack_id else []
        accounts += [("email", person.email.casefold())] if person.email else []
        clash = next((account for account in accounts if account in taken), None)
        if clash is None:
            taken.update(dict.fromkeys(accounts, person.id))
            kept.append(person)
            continue
        key, account = clash
        what = "e-mail" if key == "email" else "account"
        problem = f"{account!r} is {taken[clash]}'s {what} already"
        error = document.error(("people", person.id, key), ..., problem, f"give each person their own {what}")
        _broken(shared, f"{PEOPLE}:{person.id}", [error])
    return kept


# Defaults


def _defaults(shared: Shared, document: Document) -> None:
    _, errors = validate(DefaultsFile, document, document.value)
    shared.errors += errors
    document.value = known_keys(DefaultsFile, document.value)
    shared.defaults = document


def merged(over: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``over`` with what it does not say taken from ``under``, mapping by mapping."""
    result = dict(over)
    for key, value in under.items():
        mine = result.get(key)
        if key not in result:
            result[key] = value
        elif isinstance(mine, dict) and isinstance(value, dict) and key != "exposure_filters":
            result[key] = merged(mine, value)
    return result
