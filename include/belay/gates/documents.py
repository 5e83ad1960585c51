"""Proposals as files and bodies: JSON is read as JSON, YAML within the limits of policy files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from belay.gates.intake import BadProposalError
from belay.policy.document import read_text

MAX_BYTES = 1_000_000
"""A proposal is one small document."""

MAX_DEPTH = 40
"""Levels of nesting that are read at all; how many a payload may have is said field by field (`oddities`)."""

_TOO_LONG = 10**30
"""Stands for a whole number of more digits than are read: it is refused like every one beyond 2^53."""


def read_proposal(file: Path) -> Any:
    """Return what a JSON or YAML file holds; what begins with a brace is JSON if it can be read so.

    Raises
    ------
    BadProposalError
        When it is neither, or larger or deeper than a proposal can be; with the line.
    OSError
        When the file cannot be read.
    """
    if not file.is_file():
        raise BadProposalError(f"{file} is not a file: give the proposal, YAML or JSON")
    with file.open("rb") as opened:
        raw = opened.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise BadProposalError(f"{file} is larger than 1 MB: a proposal is one small document")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadProposalError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if file.suffix.lower() == ".json":
        return parse_json(text, str(file))
    if text.lstrip().startswith("{"):
        try:
            return parse_json(text, str(file))
        except BadProposalError:
            pass  # a mapping of YAML may begin like this too
    document = read_text(str(file), text, max_depth=MAX_DEPTH)
    if document.errors:
        raise BadProposalError("\n".join(str(error) for error in document.errors))
    return document.value


def parse_json(text: str | bytes, what: str = "the body") -> Any:
    """Return what JSON holds.

    Raises
    ------
    BadProposalError
        When it is no JSON, names a key twice, or is nested too deep to be read.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise BadProposalError(
            f"{what}:{error.lineno}: this is not JSON: {error.msg} at character {error.colno}"
        ) from error
    except UnicodeDecodeError as error:
        raise BadProposalError(f"{what} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except RecursionError:
        raise BadProposalError(f"{what}: nested too deep to be read: flatten it") from None


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= len(str(_TOO_LONG)) else _TOO_LONG


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadProposalError(f"the key {twice[:80]!r} is given twice: keep one of them")
    return found
