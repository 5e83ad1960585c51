"""Reading one YAML file as plain data that remembers the line of every key and value.

Built on the parser's events instead of PyYAML's constructors: nothing is ever instantiated, aliases
(and with them expansion bombs) are refused, nesting and size are bounded, and words such as ``no`` stay
words (YAML 1.2's core schema). All mistakes that leave the structure readable are collected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from belay.files import read_regular
from belay.policy.errors import Path, PolicyError, shown, written

MAX_BYTES = 256 * 1024
"""A policy file is written by people; anything larger is a mistake or an attack."""

MAX_DEPTH = 12
"""Levels of nesting; no policy file needs more than five."""

_MOST_DIGITS = 400
"""Digits of a whole number that are read as they are; one of more is infinite, and refused as that."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NON_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
_WORDS = (
    {"": None, "~": None, "null": None, "Null": None, "NULL": None}
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)


@dataclass(slots=True)
class Document:
    """A file's content, where each part of it stands, and what could not be read.

    Attributes
    ----------
    file : str
        Its name.
    value : Any
        Plain data; an empty mapping when the file cannot be read at all.
    lines : dict[Path, int]
        Line of each key and list item.
    errors : list[PolicyError]
        What could not be read.
    readable : bool
        Whether ``value`` holds what the file says (errors beside it concern single keys only).
    under : Document | None
        The document that fills in what this one does not say; its parts keep its name and lines.
    """

    file: str
    value: Any = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    errors: list[PolicyError] = field(default_factory=list)
    readable: bool = False
    under: Document | None = None

    def place(self, path: Path) -> tuple[str, int]:
        """Return file and line of ``path``, or of the nearest thing around it that has one."""
        for end in range(len(path), -1, -1):
            for document in (self, self.under):
                if document is not None and path[:end] in document.lines:
                    return document.file, document.lines[path[:end]]
        return self.file, 1

    def error(self, path: Path, value: Any, problem: str, right: str) -> PolicyError:
        """Return an error about ``path``; ``value`` is shown as found unless it is ``...``."""
        file, line = self.place(path)
        return PolicyError(file, line, written(path), "" if value is ... else shown(value), problem, right)


def read_document(path: FilePath) -> Document:
    """Read ``path``. Never raises: what is wrong is in ``errors``."""
    document = Document(path.name)
    try:
        raw = read_regular(path, MAX_BYTES) if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        _reject(document, 1, f"the file cannot be read: {error.strerror}", "make it readable, or remove it")
        return document
    if raw is None:
        _reject(document, 1, f"the file is larger than {MAX_BYTES // 1024} KiB", "split it")
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"byte {raw[error.start]:#04x} is not UTF-8"
        _reject(document, line, problem, "save the file as UTF-8")
        return document
    return read_text(path.name, text)


def read_text(name: str, text: str, *, max_depth: int = MAX_DEPTH) -> Document:
    """Read the text of the file called ``name``. Never raises: what is wrong is in ``errors``."""
    document = Document(name)
    try:
        _Builder(document, yaml.parse(text, Loader=_LOADER), max_depth).build()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        problem = f"this is not YAML: {error.problem or error.context}"
        right = "check indentation, quotes and brackets on this line and the one above"
        _reject(document, mark.line + 1 if mark else 1, problem, right)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        _reject(document, line, "this is not text: it holds a control character", "remove it")
    return document


def _reject(document: Document, line: int, problem: str, right: str) -> None:
    document.value = {}
    document.readable = False
    document.errors.append(PolicyError(document.file, line, "", "", problem, right))


class _UnusableError(Exception):
    """The structure cannot be read on; the error is recorded already."""


class _Builder:
    """Turns parser events into plain data."""

    def __init__(self, document: Document, events: Iterator[Any], max_depth: int) -> None:
        self.document = document
        self.events = events
        self.max_depth = max_depth

    def build(self) -> None:
        """Fill the document."""
        try:
            event = self._next()
            while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
                event = self._next()
            if isinstance(event, yaml.StreamEndEvent):
                self._stop(1, "the file is empty", "write a mapping: key: value")
            value = self._value(event, (), 0)
            if not isinstance(value, dict):
                empty = "the file is empty" if value is None else "the file is not a mapping"
                self._stop(1, empty, "write a mapping: key: value")
            rest: list[Any] = [event for event in self.events if isinstance(event, yaml.DocumentStartEvent)]
            if rest:
                line = rest[0].start_mark.line + 1
                self._stop(line, "the file holds a second document", "remove the line `---` and what follows")
        except _UnusableError:
            return
        self.document.value = value
        self.document.readable = True

    def _next(self) -> Any:
        return next(self.events)

    def _stop(self, line: int, problem: str, right: str) -> None:
        _reject(self.document, line, problem, right)
        raise _UnusableError

    def _value(self, event: Any, path: Path, depth: int) -> Any:
        line = event.start_mark.line + 1
        self.document.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            self._stop(line, "anchors and aliases (&name, *name) are not used here", "write the value out")
        if depth > self.max_depth:
            self._stop(line, f"nested more than {self.max_depth} levels deep", "flatten it")
        if event.tag is not None and event.tag != "!":
            self._stop(line, f"tags ({event.tag}) are not used here", "write the plain value")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return _scalar(event.value) if event.style in (None, "") else event.value

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                self._stop(line, "a key must be a word", "write key: value")
            key: str = event.value
            where = (*path, key)
            if key in found:
                first = self.document.lines[where]
                before = dict(self.document.lines)
                value = self._value(self._next(), where, depth + 1)
                self.document.lines = before
                self.document.errors.append(
                    PolicyError(
                        self.document.file,
                        line,
                        written(where),
                        shown(value),
                        f"the key {key!r} is given twice, first on line {first}",
                        "keep one of them",
                    )
                )
                continue
            self.document.lines[where] = line
            found[key] = self._value(self._next(), where, depth + 1)
        return found

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            found.append(self._value(event, (*path, len(found)), depth + 1))
        return found


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text) if len(text) <= _MOST_DIGITS else float(text)
    if _FLOAT.match(text):
        return float(text)
    if _NON_FINITE.match(text):
        return float(text.replace(".", "", 1))
    return text
