"""`belay promote|judge|autonomy …`: what a capability has earned, and what people say about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from belay.cli.exits import BadInputError, UnavailableError
from belay.cli.identity import As, identify
from belay.cli.output import Json, print_json, say, table, when
from belay.cli.parts import opened

if TYPE_CHECKING:
    from belay.domain.capability import CapabilityPolicy
    from belay.domain.capability_state import CapabilityState
    from belay.domain.criteria import Criterion
    from belay.domain.record import Record
    from belay.domain.stages import Stage
    from belay.services import Services

Name = Annotated[str, typer.Argument(metavar="CAPABILITY", help="The capability.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept in the ledger.")]
To = Annotated[
    str | None,
    typer.Option("--to", help="The next stage, or its own to renew its lease; by default what is due."),
]

app = typer.Typer(help="How much a capability may do alone: its record, its lease, and what takes it away.")


def register(main: typer.Typer) -> None:
    """Add the commands to ``main``."""
    main.command(epilog="Example: belay promote checkout_wording")(promote)
    main.command(epilog="Example: belay judge home-greeting yes --reason 'reads like us'")(judge)
    main.add_typer(app, name="autonomy")


def promote(capability: Name, *, to: To = None, who: As = None, json: Json = False) -> None:
    """Ask whether a capability has earned more autonomy (or its lease anew). People decide, always.

    Where Airflow runs it takes the question through its gates there, asked for by the Airflow user who starts
    it; else this does, asked for by you, and the same command goes on once people have answered (belay
    approve).
    """
    belay = opened(ledger=True)
    stage = _stage(to)
    if started := _in_airflow(belay, capability, stage):
        print_json({"run": started}) if json else say(f"started: run {started}; belay show {capability}")
        return
    from belay.gates.promotion import go_through

    person, run = identify(belay.roster(), who), _run(belay, capability)
    said, status = go_through(belay, capability, run, asked_by=person.id, to_stage=stage)
    if json:
        waits = status.request if status and status.outcome is None else None
        print_json({"gates": [outcome.to_document() for outcome in said], "waits_for": waits})
        return
    for outcome in said:
        say(f"{outcome.gate}: {outcome.verdict}. {outcome.sentence}")
    if status is not None and status.outcome is None and status.request is not None:
        say(f"waits for {', '.join(status.missing)} until {when(status.request.expires_at)} UTC:")
        say(f"  belay approve {status.request.id} --reason 'why'")


def judge(
    optimization: Annotated[str, typer.Argument(metavar="OPTIMIZATION", help="What AI proposed.")],
    answer: Annotated[str, typer.Argument(metavar="yes|no", help="Would you have done this?")],
    *,
    reason: Reason,
    who: As = None,
) -> None:
    """Say whether you would have done what AI proposed; nothing is shown, and Belay keeps the score."""
    from belay.oversight.people import judge as record
    from belay.present.digest import NOT_COUNTED

    if answer not in {"yes", "no"}:
        raise BadInputError(f"{answer!r} is no answer: write yes or no")
    belay = opened(ledger=True)
    person = identify(belay.roster(), who)
    counted = record(belay, optimization, agrees=answer == "yes", person=person, reason=reason, via="cli")
    tail = "" if counted else f" {NOT_COUNTED}"
    say(f"{person.id} {'would' if answer == 'yes' else 'would not'} have done {optimization}.{tail}")


@app.command(epilog="Example: belay autonomy show checkout_wording")
def show(
    capability: Annotated[str | None, typer.Argument(metavar="[CAPABILITY]", help="By default, all.")] = None,
    *,
    json: Json = False,
) -> None:
    """Show what a capability's record at its stage says to each criterion: met, not met, unknown."""
    belay = opened(ledger=True)
    found = [standing for standing in standings(belay) if capability in (None, standing[0].id)]
    if not found:
        raise BadInputError(
            f"the ledger knows no capability {capability or ''!r} with a usable policy".strip()
        )
    if json:
        print_json([_plain(*standing) for standing in found])
        return
    for standing in found:
        _tell(*standing)


@app.command(epilog="Example: belay autonomy check")
def check(*, json: Json = False) -> None:
    """Take back what is due now: harm, lapsed leases, saturated supervision, a broken ledger."""
    from belay.oversight.demotion import apply_demotions, ledger_facts

    belay = opened(ledger=True)
    done = apply_demotions(belay, ledger_facts(belay))
    if json:
        print_json(done)
        return
    for demotion in done:
        say(f"{demotion.capability} → {demotion.to_stage}, by rule {demotion.rule}: {demotion.reason}")
    if not done:
        say("nothing is due: no lease has lapsed, no limit is passed, and the ledger verifies")


@app.command(epilog="Example: belay autonomy digest")
def digest(*, json: Json = False) -> None:
    """List the proposals that wait for a judgement: the weekly review of what AI would have done."""
    from belay.present.digest import digest_text, waiting_for_judgement

    belay = opened(ledger=True)
    state = belay.ledger.state()
    if json:
        print_json([known.id for known in waiting_for_judgement(state)])
        return
    say(digest_text(state))


@app.command(epilog="Example: belay autonomy shadow brand_voice")
def shadow(capability: Name, *, json: Json = False) -> None:
    """Measure what proposals that nobody saw would have done, where choices made by chance can tell."""
    from belay.analysis.shadow import measure_shadows
    from belay.oversight.active_policy import policy_in_force

    belay = opened(ledger=True)
    said = measure_shadows(belay, policy_in_force(belay, capability))
    if json:
        print_json(said)
        return
    for sentence in said:
        say(sentence)


Found = tuple["CapabilityState", "CapabilityPolicy", "Record", "Stage", "tuple[Criterion, ...]"]


def standings(belay: Services) -> list[Found]:
    """Return each capability with its policy, its record, what it could go to, and how the criteria stand."""
    from belay.domain.criteria import judge_record
    from belay.domain.record import record_of
    from belay.gates.promotion_due import next_stage
    from belay.oversight.active_policy import policies_in_force

    state, now = belay.ledger.state(), belay.now()
    policies, _ = policies_in_force(belay, state, state.capabilities)
    found: list[Found] = []
    for known in state.capabilities.values():
        policy = policies.get(known.id)
        if policy is None:
            continue
        to_stage = next_stage(known, policy, now)
        record = record_of(state, policy, now)
        found.append((known, policy, record, to_stage, judge_record(record, policy, to_stage)))
    return found


def _tell(
    known: CapabilityState,
    policy: CapabilityPolicy,
    record: Record,
    to_stage: Stage,
    criteria: tuple[Criterion, ...],
) -> None:
    lease = f", lease until {when(known.lease_until)} UTC" if known.lease_until else ""
    say(f"{known.id}: {known.stage} since {when(known.stage_since)} UTC{lease}", style="bold")
    say(
        f"{record.proposed} proposed, {record.completed} completed, {record.rolled_back} rolled back, "
        f"{record.stopped} stopped, {record.vetoed} vetoed, {record.cautions} taken down as caution, "
        f"{record.held} held, {record.live} live; "
        f"{record.judged} judged"
    )
    if to_stage is known.stage and known.lease_until is None:
        say(f"It is as far as it may go: {policy.decision_class}, ceiling {policy.ceiling}.\n")
        return
    title = f"to keep {to_stage}" if to_stage is known.stage else f"to go to {to_stage}"
    words = {"met": "met", "not_met": "NOT MET", "unknown": "unknown"}
    table(title, ("criterion", "stands", "why"), ((c.name, words[c.standing], c.sentence) for c in criteria))


def _plain(
    known: CapabilityState,
    _policy: CapabilityPolicy,
    record: Record,
    to_stage: Stage,
    criteria: tuple[Criterion, ...],
) -> dict[str, Any]:
    return {
        "capability": known.id,
        "stage": str(known.stage),
        "to_stage": str(to_stage),
        "lease_until": known.lease_until,
        "criteria": list(criteria),
        "record": record.to_document(),
    }


def _stage(word: str | None) -> Stage | None:
    from belay.domain.stages import Stage

    if word is None:
        return None
    try:
        return Stage(word)
    except ValueError:
        raise BadInputError(f"{word!r} is no stage; stages are {', '.join(Stage)}") from None


def _run(belay: Services, capability: str) -> str:
    """Return the run to go on with: the one under way here, or a new one."""
    from belay.domain.gates import PromotionGate, Verdict
    from belay.domain.request_state import RequestStatus

    state = belay.ledger.state()
    known = state.capabilities.get(capability)
    promotion = known.promotion if known else None
    if promotion is not None:
        asked = state.requests.get(promotion.request or "")
        alive = asked is not None and asked.status in {RequestStatus.OPEN, RequestStatus.GRANTED}
        ended = promotion.gates.get(PromotionGate.APPROVAL)
        if alive and (ended is None or ended.verdict is Verdict.PASS):
            return promotion.run
    return f"local:{capability}-{state.seq + 1}"


def _in_airflow(belay: Services, capability: str, stage: Stage | None) -> str | None:
    """Start the run in Airflow, where one is named; None where Belay runs without."""
    from belay.cli.airflow import session
    from belay.domain.run import PROMOTION, Run
    from belay.orchestration.client import AirflowUnavailableError

    airflow = session(belay)
    if airflow is None:
        return None
    run = Run(PROMOTION + capability, f"promotion-{belay.ledger.head()[0] + 1}")
    conf = {"to_stage": str(stage)} if stage else {}
    try:
        airflow.unpause(run.dag)
        airflow.start(run, conf)
    except AirflowUnavailableError as error:
        raise UnavailableError(f"the promotion was not started: {error}") from error
    return run.run_id
