"""`belay doctor`: which part is in use for what, and does it answer?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from belay.cli.exits import UNAVAILABLE
from belay.cli.output import Json, print_json, table
from belay.cli.parts import opened
from belay.domain.figures import counted
from belay.environment import text_of

if TYPE_CHECKING:
    from belay.policy.load import Policies
    from belay.services import Services

_SECONDS = 5


class Answers(StrEnum):
    """Whether a part answers."""

    YES = "yes"
    NO = "no"
    UNUSED = "not in use"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: what is used for it, whether it answers, and what it says or what to do."""

    part: str
    in_use: str
    answers: Answers
    detail: str


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: belay doctor --json; exit code 3 when a part in use does not answer")(doctor)


def doctor(*, json: Json = False) -> None:
    """Say of each part which one is in use, and whether it answers."""
    belay = opened(forgiving=True)
    findings = list(examine(belay))
    if json:
        print_json(findings)
    else:
        rows = ((f.part, f.in_use, f.answers, f.detail) for f in findings)
        table("Belay's parts", ("part", "in use", "answers", "what it says"), rows)
    if any(finding.answers is Answers.NO for finding in findings):
        raise typer.Exit(UNAVAILABLE)


def examine(belay: Services) -> Iterator[Finding]:
    """Yield what each part says; a part that breaks never hides the others."""
    for part, (in_use, ask) in _parts(belay).items():
        try:
            answers, detail = ask(belay)
        except Exception as error:  # noqa: BLE001 - every part has its own errors; each is the finding
            answers, detail = Answers.NO, str(error).strip().splitlines()[0]
        yield Finding(part, in_use, answers, detail)


Asked = Callable[["Services"], tuple[Answers, str]]


def _parts(belay: Services) -> dict[str, tuple[str, Asked]]:
    """Return the parts in the order in which one depends on another: what is in use, and how to ask it."""
    settings = belay.settings
    return {
        "settings": ("environment variables", _settings),
        "policies": (str(settings.policies), _policies),
        "orchestration": (settings.airflow_url or _own_airflow(belay) or "none", _airflow),
        "ledger": (_shown(settings.ledger_url), _ledger),
        "warehouse": (_shown(settings.warehouse_url), _warehouse),
        "data clock": (_clock_in_use(belay), _clock),
        "flags": (settings.flags, _flags),
        "guard": (f"every {settings.guard_every.total_seconds():g} s", _guard),
        "stops": (str(settings.home / "outbox"), _stops),
        "people": ("Slack" if _slack_token() else "Airflow's Required Actions, belay approve", _people),
    }


def _settings(belay: Services) -> tuple[Answers, str]:
    from belay.environment import unknown

    strange = list(unknown())
    if belay.settings.problems or strange:
        return Answers.NO, "; ".join((*belay.settings.problems, *strange))
    return Answers.YES, "every BELAY_ and SLACK_ variable that is set is known and can be used"


def _policies(belay: Services) -> tuple[Answers, str]:
    from belay.policy.advice import advice

    policies = belay.policies()
    if policies.errors:
        return Answers.NO, f"{counted(len(policies.errors), 'error')}: run `belay policy check`"
    if gone := _without_file(belay):
        return Answers.NO, " ".join(gone)
    if waiting := _not_adopted(belay, policies):
        adopt = "read the change, then `belay policy adopt NAME --reason …`; until then no new step starts"
        return Answers.NO, f"changed since it came into force: {', '.join(waiting)}; {adopt}"
    there = f"{counted(len(policies.capabilities), 'capability')}: {', '.join(policies.capabilities)}"
    if hasty := [name for name, policy in policies.capabilities.items() if any(advice(policy))]:
        there += (
            f"; `belay policy check` warns of {', '.join(hasty)} (notice, expiry or poll under what is usual)"
        )
    return Answers.YES, there


def _without_file(belay: Services) -> list[str]:
    """Return what is live without a policy file; nothing where the ledger cannot say."""
    from belay.cli.parts import is_there
    from belay.ledger.errors import LedgerError
    from belay.oversight.alarms import without_file

    try:
        there = is_there(belay.settings.ledger_url)
        return [alarm.sentence for alarm in without_file(belay, belay.ledger.state())] if there else []
    except LedgerError:
        return []  # the ledger has a line of its own


def _not_adopted(belay: Services, policies: Policies) -> list[str]:
    """Return the capabilities whose file is not what is in force; none where the ledger cannot say."""
    from belay.cli.parts import is_there
    from belay.ledger.errors import LedgerError
    from belay.oversight.active_policy import waiting_changes

    if not is_there(belay.settings.ledger_url):
        return []
    try:
        return [name for name, policy in policies.capabilities.items() if waiting_changes(belay, policy)]
    except LedgerError:
        return []  # the ledger has a line of its own


def _own_airflow(belay: Services) -> str:
    """Return the address of the Airflow that `belay up` or the demo runs in this home; else nothing."""
    from belay.local.world import own_airflow

    found = own_airflow(belay.settings.home)
    return found.url if found is not None and found.running() else ""


def _airflow(belay: Services) -> tuple[Answers, str]:
    from belay.orchestration.client import AirflowClient

    url = belay.settings.airflow_url or _own_airflow(belay)
    if not url:
        return Answers.UNUSED, "BELAY_AIRFLOW_URL is not set: nothing runs the gates; `belay up` starts one"
    health = AirflowClient(url, seconds=_SECONDS, tries=1).health()
    sick = [f"{name} is {status}" for name, status in health.items() if status != "healthy"]
    sick += _idle_watches(belay)
    return (Answers.NO, ", ".join(sick)) if sick else (Answers.YES, f"{', '.join(health)} healthy")


def _idle_watches(belay: Services) -> list[str]:
    """Return which of the DAGs that watch are paused or not there, as far as this Airflow user may see."""
    from belay.cli.airflow import session

    airflow = session(belay)
    if airflow is None:
        return []
    paused = {dag: airflow.is_paused(dag) for dag in ("guard", "reconcile")}
    told = {True: "is paused: unpause it in Airflow", None: "is not in this Airflow: is dags/ deployed?"}
    return [f"DAG {dag} {told[state]}" for dag, state in paused.items() if state is not False]


def _ledger(belay: Services) -> tuple[Answers, str]:
    from belay.cli.parts import must_exist

    must_exist(belay.settings.ledger_url)
    seq, digest = belay.ledger.head()
    state = belay.ledger.state()
    asked = counted(len(state.open_requests()), "open request")
    return Answers.YES, f"{counted(seq, 'entry')}, head {digest[:12]}, {asked}"


def _guard(belay: Services) -> tuple[Answers, str]:
    from belay.actuation.guard_presence import missing_guard
    from belay.cli.parts import must_exist
    from belay.domain.figures import duration
    from belay.ledger.watch import Watch

    must_exist(belay.settings.ledger_url)
    if missing := missing_guard(belay):
        return Answers.NO, missing
    last = Watch(belay.ledger.engine).last()
    if last is None:
        return Answers.UNUSED, "no guard has ever looked: run the DAG `guard`, or `belay guard`"
    if blind := belay.ledger.state().blind:
        return Answers.NO, f"it cannot see {', '.join(sorted(blind))}: nothing widens there"
    return Answers.YES, f"{last.guard} looked {duration(belay.now() - last.at)} ago"


def _warehouse(belay: Services) -> tuple[Answers, str]:
    from belay.warehouse.examine import examine_tables
    from belay.warehouse.freshness import watermark

    policies = belay.policies().capabilities.values()
    metrics = [metric for policy in policies for metric in policy.metrics]
    sources = {metric.source for metric in metrics} | {"units" for metric in metrics if metric.covariate}
    remarks = examine_tables(belay.warehouse, ["exposures", "outcomes", *sorted(sources)])
    if wrong := [remark.sentence for remark in remarks if remark.wrong]:
        return Answers.NO, "; ".join(wrong)
    surfaces = sorted({policy.surface for policy in policies})
    marks = {surface: watermark(belay.warehouse, surface) for surface in surfaces}
    said = ", ".join(f"{s} {m:%Y-%m-%d %H:%M}" if m else f"{s}: nothing yet" for s, m in marks.items())
    told = [f"newest data: {said or 'no surface to ask about'}", *(remark.sentence for remark in remarks)]
    return Answers.YES, "; ".join(told)


def _clock_in_use(belay: Services) -> str:
    from belay.clock import CLOCK_FILE

    path = belay.settings.home / CLOCK_FILE
    return str(path) if path.exists() else "wall clock"


def _clock(belay: Services) -> tuple[Answers, str]:
    return Answers.YES, f"data time is {belay.data_now():%Y-%m-%d %H:%M} UTC"


def _flags(belay: Services) -> tuple[Answers, str]:
    """The flags answer when they can be read and show what the ledger says."""
    from belay.cli.parts import is_there
    from belay.domain.scope import percent

    served = belay.flags.read_all()
    anybody = sum(flag.scope > 0 for flag in served.values())
    shown = f"{counted(len(served), 'flag')}, {anybody} shown to anybody"
    if not is_there(belay.settings.ledger_url):
        return Answers.YES, shown
    known = belay.ledger.state().optimizations
    wrong = [f"{flag.key} was changed by hand" for flag in served.values() if not flag.intact]
    ours = belay.ledger.identity
    wrong += [
        f"{flag.key} is of another installation of Belay (ledger {flag.ledger}, this one is {ours}): each "
        "needs flags of its own"
        for flag in served.values()
        if flag.is_of_another(ours)
    ]
    wrong += [
        f"{flag.key} is served at {percent(flag.scope)}, the ledger says {percent(known[flag.key].scope)}"
        for flag in served.values()
        if flag.key in known and known[flag.key].pending is None and known[flag.key].scope != flag.scope
    ]
    return (Answers.NO, "; ".join(wrong)) if wrong else (Answers.YES, f"{shown}, as the ledger says")


def _stops(belay: Services) -> tuple[Answers, str]:
    """A stop that has not reached both flags and ledger is nothing to overlook."""
    from belay.actuation.outbox import waiting
    from belay.cli.status import stop_words

    stops = waiting(belay.settings.home)
    if stops:
        return Answers.NO, "; ".join(stop_words(note) for note in stops)
    return Answers.YES, "no stop waits for its flags or its ledger entry"


def _slack_token() -> str:
    return text_of("SLACK_BOT_TOKEN")


def _people(belay: Services) -> tuple[Answers, str]:
    roster = belay.roster()
    active = sum(person.active for person in roster.people)
    if not active:
        return Answers.NO, "nobody is active in the roster _people.yaml: nobody could answer"
    there = f"{counted(active, 'person')} in the roster"
    return _slack(belay, there) if _slack_token() else (Answers.YES, there)


def _slack(belay: Services, there: str) -> tuple[Answers, str]:
    """Ask Slack itself: a token that is set says nothing of a server that is away or does not know it."""
    from belay.cli.airflow import credentials
    from belay.slack.check import answers, wakes
    from belay.slack.settings import SlackNotSetUpError, SlackSettings

    try:
        settings = SlackSettings.from_env(os.environ)
    except SlackNotSetUpError as error:
        return Answers.NO, str(error)
    found = answers(settings, seconds=_SECONDS)
    if not found.ok:
        return Answers.NO, found.detail
    woken = wakes(settings, airflow=belay.settings.airflow_url, logs_in=credentials() is not None)
    return Answers.YES, f"{there}; Slack: {found.detail}; {woken.detail}; `belay slack check` tries the rest"


def _shown(url: str) -> str:
    """Return a database URL without its password."""
    from belay.urls import parse

    try:
        return parse(url).render_as_string(hide_password=True)
    except ValueError:
        return "not a database URL"
