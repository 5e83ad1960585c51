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
from belay.files import read_regular

FOLDER = "outbox"
_MOST_BYTES = 16 * 1024 * 1024


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
    file : str
        Name of the file that it was read from: what is written again or deleted, whatever the content says.
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
    file: str = field(default="", compare=False)

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
    del document["file"]
    write_atomically(_file(home, note), json.dumps(document, indent=2) + "\n")


def drop(home: Path, note: Note) -> None:
    """Forget a stop that is complete."""
    _file(home, note).unlink(missing_ok=True)


def waiting(home: Path) -> list[Note]:
    """Return the stops that wait for completion, oldest first.

    A file that cannot be read stands for a stop of everything: nothing widens until somebody has looked.
    """
    notes = [_read(path) for path in (home / FOLDER).glob("*.json")]
    return sorted((note for note in notes if note is not None), key=lambda note: note.pulled_at)


def covering(home: Path, capability: str, surface: str) -> Note | None:
    """Return a waiting stop that covers ``capability`` on ``surface``, if there is one."""
    return next((note for note in waiting(home) if covers(note.target, capability, surface)), None)


def _file(home: Path, note: Note) -> Path:
    """Return a note's file: the one that it was read from, or the one that a new one is written to.

    A path never follows from what a file says: whoever can write a note could name any file.
    """
    return home / FOLDER / (note.file or f"{note.stop}.json")


def _read(path: Path) -> Note | None:
    try:
        return _note(json.loads(read_regular(path, _MOST_BYTES)), path.name)
    except FileNotFoundError:
        return None  # completed by somebody else in this moment
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        problem = f"{path} cannot be read ({error}): look at it, then delete it, or run `belay stop` again"
        at = datetime.fromtimestamp(0).astimezone()
        said = "its note cannot be read"
        return Note(path.stem, "all", said, "unknown", "unknown", at, problem=problem, file=path.name)


def _note(document: dict[str, Any], file: str) -> Note:
    """Return the note that a file holds; ``ValueError`` and its like where it holds none."""
    pulled_at = datetime.fromisoformat(document["pulled_at"])
    told = {name: document[name] for name in ("stop", "target", "reason", "person", "via", "problem")}
    done = {name: document[name] for name in ("flags", "ledger")}
    taken_down, epochs = tuple(document["taken_down"]), dict(document["epochs"])
    texts = all(isinstance(text, str) for text in (*told.values(), *taken_down, *epochs))
    numbers = all(type(epoch) is int for epoch in epochs.values())
    flags = all(isinstance(flag, bool) for flag in done.values())
    if not texts or not numbers or not flags or pulled_at.tzinfo is None:
        raise ValueError("it does not hold what a stop's note holds")
    return Note(**told, **done, pulled_at=pulled_at, taken_down=taken_down, epochs=epochs, file=file)
