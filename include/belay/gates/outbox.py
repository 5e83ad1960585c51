"""The outbox: stops whose flags or whose ledger entry is still missing, each a small file that outlives us.

A stop is written down here first, then the flags are taken down, then the ledger is told. Whichever of the
two could not be reached is completed later, by `belay reconcile` or by the next stop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from belay.clock import write_atomically
from belay.domain.rules.containment import covers

FOLDER = "outbox"


@dataclass(frozen=True, slots=True)
class Note:
    """One stop as it stands.

    Attributes
    ----------
    stop : str
        Its name; the ledger records it once.
    target, reason, person, via, pulled_at
        What was stopped, why, by whom, through which channel and when.
    taken_down : tuple[str, ...]
        The optimizations that the flags showed to somebody, and do not any more.
    epochs : Mapping[str, int]
        The flags it found, and the epochs under which they are at zero.
    flags : bool
        Whether the flags show it.
    ledger : bool
        Whether the ledger knows it.
    problem : str
        What the missing part said.
    """

    stop: str
    target: str
    reason: str
    person: str
    via: str
    pulled_at: datetime
    taken_down: tuple[str, ...] = ()
    epochs: Mapping[str, int] = field(default_factory=dict)
    flags: bool = False
    ledger: bool = False
    problem: str = ""

    @property
    def missing(self) -> str:
        """What is still to be done, in words."""
        parts = [name for name, done in (("flags", self.flags), ("ledger", self.ledger)) if not done]
        return " and ".join(parts) or "nothing"


def put(home: Path, note: Note) -> None:
    """Write a stop down, durably; again where it stands further.

    Raises
    ------
    OSError
        When the home cannot be written.
    """
    document = {**asdict(note), "pulled_at": note.pulled_at.isoformat()}
    write_atomically(_file(home, note.stop), json.dumps(document, indent=2) + "\n")


def drop(home: Path, note: Note) -> None:
    """Forget a stop that is complete."""
    _file(home, note.stop).unlink(missing_ok=True)


def waiting(home: Path) -> list[Note]:
    """Return the stops that wait for completion, oldest first.

    A file that cannot be read stands for a stop of everything: nothing widens until somebody has looked.
    """
    notes = [_read(path) for path in (home / FOLDER).glob("*.json")]
    return sorted((note for note in notes if note is not None), key=lambda note: note.pulled_at)


def covering(home: Path, capability: str, surface: str) -> Note | None:
    """Return a waiting stop that covers ``capability`` on ``surface``, if there is one."""
    return next((note for note in waiting(home) if covers(note.target, capability, surface)), None)


def _file(home: Path, stop: str) -> Path:
    return home / FOLDER / f"{stop}.json"


def _read(path: Path) -> Note | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        pulled_at = datetime.fromisoformat(document["pulled_at"])
        taken_down = tuple(document["taken_down"])
        return Note(**{**document, "pulled_at": pulled_at, "taken_down": taken_down})
    except FileNotFoundError:
        return None  # completed by somebody else in this moment
    except (OSError, ValueError, TypeError, KeyError) as error:
        problem = f"{path} cannot be read ({error}): look at it, then delete it, or run `belay stop` again"
        at = datetime.fromtimestamp(0).astimezone()
        return Note(path.stem, "all", "its note cannot be read", "unknown", "unknown", at, problem=problem)
