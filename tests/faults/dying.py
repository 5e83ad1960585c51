"""Real processes that act on Belay and are killed, by SIGKILL, at a chosen one of the points that matter.

The points are the moments before and after everything that lasts: an append to the ledger, a piece of
evidence, the flag file, a note in the outbox. A process of its own runs each act; imports are shared.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

TIMES = int(os.environ.get("BELAY_FAULTS", "1"))
"""How often each fault is injected."""

_CONTEXT = multiprocessing.get_context("forkserver")
_LIGHT = ["belay.gates.review", "belay.actuation.reconcile", "belay.oversight.stop", "belay.policy.load"]
_HEAVY = [
    "great_expectations",
    "duckdb_engine",
    "scipy.stats",
    "belay.quality.run",
    "belay.measurement.power",
]
_CONTEXT.set_forkserver_preload(_LIGHT)


def preload_everything() -> None:
    """Import what the measuring gates need once, too; to be called before the first process."""
    _CONTEXT.set_forkserver_preload([*_LIGHT, *_HEAVY])


@dataclass(frozen=True)
class End:
    """How an act ended: killed, or with an answer or an error in words."""

    killed: bool
    answer: str = ""
    error: str = ""


@dataclass(frozen=True)
class Trouble:
    """What is wrong while an act runs."""

    die_at: int = 0
    ahead: float = 0.0
    patience: float = 30.0
    no_room: bool = False


WELL = Trouble()


def run(environment: dict[str, str], act: str, *arguments: Any, trouble: Trouble = WELL) -> End:
    """Run one of ``ACTS`` in a process of its own, and return how it ended."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_act, args=(theirs, environment, act, arguments, trouble))
    process.start()
    theirs.close()
    try:
        answer, error = ours.recv()
    except EOFError:
        answer = error = ""
    process.join()
    killed = process.exitcode == -signal.SIGKILL
    assert killed or process.exitcode == 0, f"{act} ended with {process.exitcode}"
    return End(killed, answer, error)


def _act(
    pipe: Any, environment: dict[str, str], act: str, arguments: tuple[Any, ...], trouble: Trouble
) -> None:
    from belay.services import Services
    from belay.settings import Settings

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    _set_up(trouble)
    belay = Services(Settings.from_env(environment))
    belay.now = lambda: datetime.now(UTC) + timedelta(seconds=trouble.ahead)  # type: ignore[method-assign]
    if trouble.no_room:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        pipe.send((str(ACTS[act](belay, *arguments)), ""))
    except Exception as error:  # noqa: BLE001 - it is the answer
        pipe.send(("", f"{type(error).__name__}: {error}"))


def _set_up(trouble: Trouble) -> None:
    """Put a fuse before and after everything that lasts."""
    from belay.actuation import outbox, take_down
    from belay.flags import flagd
    from belay.ledger.store import Ledger
    from belay.ledger.writing import Batch

    burnt = 0

    def burn() -> None:
        nonlocal burnt
        burnt += 1
        if burnt == trouble.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def fused(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def between(*arguments: Any, **named: Any) -> Any:
            burn()
            result = function(*arguments, **named)
            burn()
            return result

        return between

    wrote = False

    def writing(function: Callable[..., Any]) -> Callable[..., Any]:
        """Before the entries, after them but before they last, and after they do."""

        def write(batch: Any, connection: Any) -> None:
            nonlocal wrote
            burn()
            function(batch, connection)
            burn()
            wrote = True

        return write

    def serving(function: Callable[..., Any]) -> Callable[..., Any]:
        def serve(ledger: Any, asks: Any) -> Any:
            nonlocal wrote
            wrote = False
            answer = function(ledger, asks)
            if wrote:
                burn()
            return answer

        return serve

    Batch.write = writing(Batch.write)  # type: ignore[method-assign]
    Ledger._serve = serving(Ledger._serve)  # type: ignore[method-assign]
    Ledger.put_evidence = fused(Ledger.put_evidence)  # type: ignore[method-assign]
    flagd.write_atomically = fused(flagd.write_atomically)
    outbox.write_atomically = fused(outbox.write_atomically)
    real = Ledger.open
    patience = trouble.patience
    Ledger.open = classmethod(lambda _, url, **named: real(url, **{**named, "patience": patience}))  # type: ignore[assignment]
    take_down.PATIENCE = patience


def _gate(name: str) -> Callable[..., Any]:
    def judge(belay: Any, *arguments: Any) -> str:
        from importlib import import_module

        module, function = name.rsplit(".", 1)
        said = getattr(import_module(module), function)(belay, *arguments)
        outcome = getattr(said, "outcome", said)
        return str(getattr(outcome, "verdict", None) or getattr(said, "sentence", None) or said)

    return judge


def _propose(belay: Any, document: dict[str, Any]) -> str:
    from belay.gates.admit import propose
    from belay.gates.intake import parse_proposal

    return propose(belay, parse_proposal(document)).id


def _vote(belay: Any, optimization: str) -> str:
    from belay.domain.events import Choice
    from belay.oversight import people

    (request,) = [r for r in belay.ledger.state().open_requests() if r.optimization == optimization]
    nora = belay.roster().person("nora")
    return people.vote(belay, request.id, Choice.APPROVE, person=nora, reason="good", via="test").status


def _stop(belay: Any, target: str) -> str:
    from belay.oversight.stop import stop

    stopped = stop(belay, target, person=belay.roster().person("nora"), reason="wrong prices", via="test")
    return stopped.sentence


def _veto(belay: Any, target: str) -> str:
    from belay.oversight import people

    nora = belay.roster().person("nora")
    return str(people.veto(belay, target, person=nora, reason="wrong prices", via="test"))


def _freeze(belay: Any, target: str) -> str:
    from belay.oversight import people

    people.freeze(belay, target, person=belay.roster().person("nora"), reason="sale")
    return "frozen"


def _reconcile(belay: Any) -> str:
    from belay.actuation.reconcile import reconcile

    return "; ".join(reconcile(belay).left)


ACTS: dict[str, Callable[..., Any]] = {
    "propose": _propose,
    "admit": _gate("belay.gates.admit.admit"),
    "quality": _gate("belay.gates.quality.quality"),
    "window": _gate("belay.gates.window.window_look"),
    "review": _gate("belay.gates.review.review"),
    "approval": _gate("belay.gates.approval.approval"),
    "vote": _vote,
    "widen": _gate("belay.gates.widen.widen"),
    "settle": _gate("belay.actuation.flag_writer.settle_scope"),
    "stop": _stop,
    "veto": _veto,
    "freeze": _freeze,
    "reconcile": _reconcile,
}
"""What a process can be told to do."""


LASTING = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "flags", "outbox", "clock.json")
"""What of a home the gates change: everything but the lake."""


class Snapshot:
    """A home as it was, put back as often as wanted."""

    def __init__(self, home: Path, kept: Path) -> None:
        self.home, self.kept = home, kept
        _copy(home, kept)

    def restore(self) -> None:
        _copy(self.kept, self.home)


def _copy(source: Path, target: Path) -> None:
    import shutil

    target.mkdir(parents=True, exist_ok=True)
    for name in LASTING:
        old = target / name
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
        new = source / name
        if new.is_dir():
            shutil.copytree(new, old)
        elif new.exists():
            shutil.copy2(new, old)
