"""What is wrong in a policy file: where, with which value, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""Way to a value inside a file: keys of mappings and positions in lists."""


@dataclass(frozen=True, slots=True, order=True)
class PolicyError:
    """One thing that is wrong.

    Attributes
    ----------
    file : str
        Name of the file in the policy folder.
    line : int
        Line in it, from 1.
    where : str
        Key, written as a path: ``window.minimum``.
    value : str
        The offending value as written, shortened; empty when something is missing.
    problem : str
        What is wrong with it.
    right : str
        What would be right.
    """

    file: str
    line: int
    where: str
    value: str
    problem: str
    right: str

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}: " + (f"{self.where}: " if self.where else "")
        found = f" (found {self.value})" if self.value else ""
        return f"{at}{self.problem}{found}; {self.right}"


def written(path: Path) -> str:
    """Return ``path`` as people write it: ``guardrails.revenue``, ``ramp[2]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: Any) -> str:
    """Return ``value`` as it can stand in a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def choices(known: Iterable[str]) -> str:
    """Return the known words as a list for a sentence."""
    words = sorted(known)
    head = ", ".join(words[:12])
    return head + (f", … ({len(words)} in all)" if len(words) > 12 else "") if words else "none is declared"


def did_you_mean(word: str, known: Iterable[str], what: str) -> str:
    """Return what would be right instead of ``word``: the nearest known one, or all of them."""
    words = list(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known {what}: {choices(words)}"
