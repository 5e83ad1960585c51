"""`belay demo|up|down`: a whole Belay on this computer, and three proposals that show what it does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import NO, UNAVAILABLE
from belay.cli.output import console, plain, say, table, when

if TYPE_CHECKING:
    from rich.status import Status

    from belay.domain.request_state import RequestState
    from belay.domain.state import OptimizationState, State
    from belay.local.world import LocalWorld
    from belay_lab.demo_proposals import Ending

APPROVER = "nora"
_REASON = "the review shows a gain and no harm; cast by the demo"
_CAMPAIGNS = ("all", "men", "women")
_PACE, _PACE_AT_REST = 0.3, 30.0
"""Wall-clock seconds an hour of shop time takes while a window is open in the demo, and else."""
_PATIENCE, _ASKED_PATIENCE = 900.0, 3600.0
"""Seconds until the demo gives up: many times what it takes on two idle processors."""
_TRIES = 4
_SETTLES = 4.0
"""Seconds between a question and the demo's answer: Airflow books the waiting task meanwhile."""
_NEWS_WIDTH = 200
_QUIET = frozenset({"window.look", "policy.adopted", "gate.judged", "scope.widening", "scope.narrowing"})


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: belay demo --ask")(demo)
    app.command(epilog="Example: belay up")(up)
    app.command(epilog="Example: belay down")(down)


def demo(
    *,
    ask: Annotated[
        bool, typer.Option("--ask", help="Wait for you to approve, instead of casting the demo's vote.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Leave Airflow and the storefront running.")
    ] = True,
) -> None:
    """Take three AI-proposed changes through every gate in a real Airflow, on simulated customers."""
    from belay.local.world import LocalWorld

    world = LocalWorld.from_env()
    began = time.monotonic()
    if told := world.begin_anew():
        say(told)
    try:
        with _spinner("starting") as spinner:
            world.start(_PACE_AT_REST, spinner.update)
        say(f"Airflow answers at {world.airflow.url} after {time.monotonic() - began:.0f} s")
        recorded = _Replays(world)
        recorded.start()
        _propose(world)
        found = _Watch(world, ask=ask).until_ended()
        with _spinner("waiting for the recorded experiments"):
            recorded.join()
        good = _report(world, found, recorded)
    except KeyboardInterrupt:
        say(f"Stopped watching. Airflow and the storefront go on: {command(world, 'down')} stops them.")
        raise typer.Exit(130) from None
    if keep:
        world.open_shop(_PACE_AT_REST)
        _where(world)
    else:
        world.stop()
    say(f"The demo took {time.monotonic() - began:.0f} s.")
    if not good:
        raise typer.Exit(NO)


def up() -> None:
    """Start Airflow and the storefront on loopback, without any proposal; what runs already goes on."""
    from belay.local.world import LocalWorld

    world = LocalWorld.from_env()
    with _spinner("starting") as spinner:
        world.start(_PACE_AT_REST, spinner.update)
    _where(world)


def down() -> None:
    """Stop what demo and up started, and make sure that no process is left."""
    from belay.local.world import LocalWorld

    world = LocalWorld.from_env()
    with _spinner("stopping"):
        stopped = world.stop()
    ended = f"stopped {' and '.join(stopped)}" if stopped else "nothing was running"
    say(f"{ended}; no process of {world.home} is left")


class _Watch:
    """Shows what happens while it happens, and answers for the demo's approver."""

    def __init__(self, world: LocalWorld, *, ask: bool) -> None:
        self.world = world
        self.ask = ask
        self.seen = 0
        self.asked: dict[str, float] = {}
        self.answered: set[str] = set()
        self.fast = False

    def until_ended(self) -> dict[str, Ending]:
        """Return how the acts ended, or how they stand when patience does."""
        from belay_lab.demo_proposals import Ending, endings

        deadline = time.monotonic() + (_ASKED_PATIENCE if self.ask else _PATIENCE)
        with _spinner("watching") as spinner:
            while True:
                state = self.world.belay.ledger.state()
                self._tell_news()
                self._show(spinner, state)
                self._hurry(state)
                for request in state.open_requests():
                    self._answer(request)
                found = endings(state)
                if Ending.UNDER_WAY not in found.values() or time.monotonic() > deadline:
                    self._tell_news()
                    return found
                time.sleep(0.5)

    def _tell_news(self) -> None:
        from belay.domain.gates import Verdict
        from belay.ledger.narrate import narrate

        for entry in self.world.belay.ledger.history(self.seen):
            self.seen = entry.seq
            event = entry.event
            decided = event.kind == "gate.judged" and getattr(event, "verdict", "") is not Verdict.PASS
            if event.kind not in _QUIET or decided:
                subject = getattr(event, "optimization", "") or getattr(event, "capability", "")
                told = shorten(narrate(event), _NEWS_WIDTH, placeholder=" …")
                say(f"{entry.at:%H:%M:%S}  {subject}: {entry.by} {told}")

    def _show(self, spinner: Status, state: State) -> None:
        from belay.cli.status import waits_for
        from belay.domain.scope import percent

        lines = [
            f"{o.id} at {percent(o.scope)} waits for {waits_for(state, o)}"
            for o in state.optimizations.values()
            if not o.status.ended
        ]
        spinner.update(plain(" | ".join(lines) or "watching"))

    def _hurry(self, state: State) -> None:
        """Let days pass quickly while a window is open; the other gates need the processor."""
        fast = any(_is_watched(optimization) for optimization in state.optimizations.values())
        if fast is not self.fast:
            self.fast = fast
            self.world.open_shop(_PACE if fast else _PACE_AT_REST)

    def _answer(self, request: RequestState) -> None:
        from belay.domain.oversight import Oversight

        first_seen = self.asked.setdefault(request.id, time.monotonic())
        mine = request.oversight is Oversight.APPROVE and request.from_scope == 100  # the step that is told
        if not mine or request.id in self.answered or time.monotonic() - first_seen < _SETTLES:
            return
        self.answered.add(request.id)
        if self.ask:
            self._ask(request)
            return
        say(f"The demo answers as its approver {APPROVER}, through the public command line:")
        say(f"  belay approve {request.optimization} --reason {_REASON!r}")
        done = _belay(self.world, "approve", request.optimization, "--reason", _REASON, user=APPROVER)
        if done.returncode:
            say(done.stderr.strip())
            self.answered.discard(request.id)
            self.asked[request.id] = time.monotonic()

    def _ask(self, request: RequestState) -> None:
        password = self.world.airflow.passwords()[APPROVER]
        say()
        say(f"{request.optimization} waits for you, until {when(request.expires_at)} UTC. Either")
        say(f"  open {self.world.airflow.url}/required_actions, log in as {APPROVER} / {password},")
        say("  read the review, give a reason and choose Approve or Reject; or, in another terminal,")
        say(f"  {command(self.world, f'show {request.id}')}")
        say("  " + command(self.world, f"approve {request.optimization} --as {APPROVER} --reason 'why'"))
        say()


@dataclass
class _Replays:
    """The recorded experiments of the demo, walked through the same gates meanwhile."""

    world: LocalWorld
    sentences: dict[str, str] = field(default_factory=dict)
    good: bool = True

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the last."""
        self._thread.join()

    def _run(self) -> None:
        for campaign in _CAMPAIGNS:
            replay = ("replay", "open-bandit", "--campaign", campaign, "--json")
            done = _belay(self.world, *replay, niceness=15)
            try:
                self.sentences[campaign] = str(json.loads(done.stdout)["sentence"])
            except (ValueError, KeyError, TypeError):
                self.sentences[campaign] = done.stderr.strip() or "it said nothing"
            self.good &= done.returncode == 0


def _is_watched(known: OptimizationState) -> bool:
    from belay.domain.gates import Gate

    step = known.step
    open_window = step is not None and step.passed(Gate.QUALITY) and Gate.WINDOW not in step.gates
    return open_window and known.scope > 0


def _propose(world: LocalWorld) -> None:
    import yaml

    from belay_lab.demo_proposals import ACTS
    from belay_lab.shop.scenario import SCENARIOS

    for act in ACTS:
        say(f"proposed: {act.optimization}, which {act.told}")
        file = SCENARIOS / "proposals" / f"{act.optimization}.yaml"
        agent = str(yaml.safe_load(file.read_text(encoding="utf-8"))["agent"])
        # A young Airflow may be busy for longer than a request waits; proposing again changes nothing.
        for _ in range(_TRIES):
            done = _belay(world, "propose", str(file), "--as", agent, user="admin")
            if done.returncode != UNAVAILABLE:
                break
        if done.returncode:
            say(done.stderr.strip())
            say(f"What was started goes on: {command(world, 'down')} stops it.")
            raise typer.Exit(done.returncode)


def _report(world: LocalWorld, found: dict[str, Ending], recorded: _Replays) -> bool:
    """Print what happened and why; return whether it is what was told."""
    from belay.ledger.verify import verify
    from belay_lab.demo_proposals import ACTS, Ending, path, why

    state = world.belay.ledger.state()
    rows = []
    for act in ACTS:
        known = state.optimizations.get(act.optimization)
        if known is None:
            rows.append((act.optimization, "never recorded", "", found[act.optimization]))
            continue
        shown = f"{path(known)}, {known.status}"
        rows.append(
            (
                act.optimization,
                shown,
                why(state, known, lambda digest: str(world.belay.ledger.get_evidence(digest)["sentence"])),
                found[act.optimization],
            )
        )
    table("What happened", ("optimization", "scope", "why", "ended"), rows)
    for campaign, sentence in recorded.sentences.items():
        say(f"Open Bandit, campaign {campaign}: {sentence}")
    verification = verify(world.belay.ledger)
    say(str(verification))
    return (
        verification.ok
        and recorded.good
        and len(recorded.sentences) == len(_CAMPAIGNS)
        and all(ending is Ending.AS_TOLD for ending in found.values())
    )


def _where(world: LocalWorld) -> None:
    from belay.local.world import USERS

    passwords = world.airflow.passwords()
    say(f"Airflow: {world.airflow.url}   login: admin / {passwords['admin']}")
    people = ", ".join(
        f"{user} / {password}" for user, password in passwords.items() if USERS[user] == "user"
    )
    say(f"People who may answer: {people}")
    say(f"Command line: {command(world, 'status')}")
    say(f"Stop everything: {command(world, 'down')}")


def _belay(
    world: LocalWorld, *arguments: str, user: str | None = None, niceness: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the public command line in this world, as an Airflow user if one is named."""
    environment = world.login(user) if user else world.environment()
    gently = ["nice", "-n", str(niceness)] if niceness else []
    command = [*gently, sys.executable, "-m", "belay.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def command(world: LocalWorld, arguments: str) -> str:
    """Return a command line that works as it is printed, in any folder, for this world."""
    from shlex import quote

    return f"BELAY_HOME={quote(str(world.home))} {_program()} {arguments}"


def _program() -> str:
    """Return how a person here runs the command line."""
    from pathlib import Path

    path = Path(sys.argv[0]).absolute()
    return str(path) if path.name == "belay" and path.exists() else f"{sys.executable} -m belay.cli"


@contextmanager
def _spinner(text: str) -> Iterator[Status]:
    """Show what is going on, on a terminal."""
    with console(stderr=True).status(text) as spinner:
        yield spinner
