"""The ledger's last verified head, kept outside the ledger, so that a shorter or another past is seen.

Whoever can write the ledger can cut its end and write a new head, and what is left is consistent in itself.
So the guard keeps the head that it verified last in two places that the ledger's database is not: a file in
Belay's home, and the flag file's own metadata. Anybody may keep it in more (``belay ledger verify --since``).
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from belay.clock import write_atomically
from belay.files import read_regular
from belay.flags.target import FlagsUnavailable

if TYPE_CHECKING:
    from belay.ledger.faults import Verification
    from belay.services import Services

FILE = "anchor.json"
_FLAGS_EVERY = timedelta(hours=1)
"""The flag file is written for it this seldom: whoever evaluates flags reads the file again each time."""
_RENEW = "run `belay ledger verify --renew`"
_FORM = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


class Anchor(NamedTuple):
    """The head of a ledger as it was verified: ``text`` is what `belay ledger verify --since` takes."""

    ledger: str
    seq: int
    hash: str
    at: datetime

    @property
    def text(self) -> str:
        """Number and hash, as people and commands pass them on."""
        return f"{self.seq}:{self.hash}"

    def to_document(self) -> dict[str, str]:
        """Return it as plain JSON."""
        return {"ledger": self.ledger, "anchor": self.text, "at": self.at.isoformat()}


@runtime_checkable
class Keeps(Protocol):
    """A flag system that can keep a small note beside its flags."""

    def note(self) -> object:
        """Return the note, as it was kept; None where there is none."""

    def keep_note(self, note: dict[str, str]) -> None:
        """Keep ``note`` in place of the one before."""


class WrongAnchorError(Exception):
    """What was kept is no anchor, or of another ledger; the message says where and what to do."""


def read(belay: Services) -> dict[int, str]:
    """Return the anchors that were kept of this ledger: hashes by the numbers of their entries.

    Raises
    ------
    WrongAnchorError
        When the one in Belay's home is of another ledger, or cannot be read, or two places differ: somebody
        has to look.
    """
    found: dict[int, str] = {}
    for anchor in _kept(belay, belay.ledger.identity):
        if found.setdefault(anchor.seq, anchor.hash) != anchor.hash:
            raise WrongAnchorError(
                f"{belay.settings.home / FILE} and the note in {belay.flags.name} say different things of "
                f"entry {anchor.seq}: one of them was changed; compare both with a copy of the ledger, then "
                f"{_RENEW}"
            )
    return found


def _kept(belay: Services, identity: str) -> list[Anchor]:
    path = belay.settings.home / FILE
    found = []
    own = _of_file(path)
    if own is not None:
        if own.ledger != identity:
            raise WrongAnchorError(
                f"this ledger ({identity or 'empty'}) is not the one that was verified at "
                f"{own.at:%Y-%m-%d %H:%M} UTC ({own.ledger}, {own.seq} entries; {path}): put that one back, "
                f"or where this one is right, {_RENEW}"
            )
        found.append(own)
    try:
        noted = belay.flags.note() if isinstance(belay.flags, Keeps) else None
    except FlagsUnavailable:
        noted = None  # that the flags cannot be read is said elsewhere
    other = _anchor(noted)
    return [*found, other] if other is not None and other.ledger == identity else found


def keep(belay: Services, verified: Verification, *, renew: bool = False) -> None:
    """Keep the head that was verified, where it is news; with ``renew`` whatever was kept before.

    Raises
    ------
    OSError, FlagsUnavailable
        When it cannot be kept; what was kept before stays.
    """
    anchor = Anchor(belay.ledger.identity, verified.entries, verified.head, belay.now())
    path = belay.settings.home / FILE
    before = None if renew else _of_file(path)
    if anchor.seq and (before is None or before.text != anchor.text):
        write_atomically(path, json.dumps(anchor.to_document()) + "\n")
    if anchor.seq and isinstance(belay.flags, Keeps):
        noted = None if renew else _anchor(belay.flags.note())
        if noted is None or noted.ledger != anchor.ledger or anchor.at - noted.at >= _FLAGS_EVERY:
            belay.flags.keep_note(anchor.to_document())


def _of_file(path: Path) -> Anchor | None:
    try:
        found = _anchor(json.loads(read_regular(path, 10_000)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        found = None
    if found is None:
        raise WrongAnchorError(f"{path} holds no anchor any more: put it back, or {_RENEW}")
    return found


def _anchor(document: object) -> Anchor | None:
    if not isinstance(document, dict):
        return None
    match = _FORM.fullmatch(str(document.get("anchor", "")))
    try:
        at = datetime.fromisoformat(str(document.get("at", "")))
    except ValueError:
        return None
    if match is None or at.tzinfo is None:
        return None
    return Anchor(str(document.get("ledger", "")), int(match[1]), match[2], at)
