"""flagd: a JSON file that any OpenFeature SDK evaluates in process, or that flagd itself serves.

This is the file and who writes it when; what a flag looks like in it: `belay.flags.flagd_format`.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from belay.clock import write_atomically
from belay.files import Version
from belay.flags.flagd_format import ChangedByHandError, normalised, parsed, read_back, to_definition
from belay.flags.shared_file import OvertakenError, SharedFile
from belay.flags.target import Ask, FlagsUnavailable, ServedFlag, refuse_stale

_SCHEMA = "https://flagd.dev/schema/v0/flags.json"
_MOST_BYTES = 64 * 1024 * 1024
_PATIENCE = 20.0
"""Wall-clock seconds to wait for other writers, who take milliseconds."""
_HASTE = 0.3
"""Seconds that a write which only takes away waits for them before it goes without the lock."""
_ROUNDS = 10
_NOTE = "belay_anchor"
_LONGEST_NOTE = 1000


class FlagdFile:
    """Flags in one flagd file. Writers take turns, also across processes; readers never see half a write."""

    remembers = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"flagd:{path.name}"

    def apply(self, flag: ServedFlag, *, ask: Ask | None = None) -> None:
        """Write ``flag`` into the file, unless the file shows it already."""
        self._write([flag], ask)

    def apply_all(self, flags: Iterable[ServedFlag]) -> None:
        """Write all of ``flags`` at once: readers see all of them or none."""
        self._write(flags, None)

    def _write(self, flags: Iterable[ServedFlag], ask: Ask | None) -> None:
        wanted = [normalised(flag) for flag in flags]
        for _ in range(_ROUNDS):
            file = SharedFile(self.path)  # a link may lead elsewhere by now
            try:
                with self._locked(file, wanted) as alone:
                    self._write_once(file, wanted, ask, alone=alone)
                if file.path == SharedFile(self.path).path:
                    return
            except OvertakenError:
                continue
        raise self._unavailable("written", TimeoutError("somebody else writes it all the time"))

    def _write_once(self, file: SharedFile, flags: list[ServedFlag], ask: Ask | None, *, alone: bool) -> None:
        (document, version), changed, widens = self._load_version(file), False, False
        for wanted in flags:
            served = self._served(document, wanted)
            if not refuse_stale(served, wanted):
                continue
            if ask is not None:
                ask(served)
            document["flags"][wanted.key] = to_definition(wanted)
            changed, widens = True, widens or wanted.scope > 0
        if changed:
            self._save(file, document, version, widens=widens)
        if not alone:
            file.void_others()
            self._still_so(flags)

    def _still_so(self, flags: list[ServedFlag]) -> None:
        """Make sure that what was written without the lock was the last word."""
        shown = self.read_all()
        if any(shown.get(flag.key) != flag or not shown[flag.key].intact for flag in flags):
            raise OvertakenError

    def _save(
        self, file: SharedFile, document: dict[str, Any], version: Version | None, *, widens: bool
    ) -> None:
        try:
            text = json.dumps(document, indent=2, sort_keys=True) + "\n"
            file.replace(text, version, write=write_atomically)
        except OSError as error:
            # On a full disk, or in a folder that is not ours, the file itself may still be overwritten.
            compact = json.dumps(document, sort_keys=True, separators=(",", ":"))
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            if widens or not file.overwrite(compact, room_only=full):
                raise self._unavailable("written", error) from error

    def note(self) -> object:
        """Return the note that Belay keeps in the file's own metadata, which no flag depends on."""
        metadata = self._load().get("metadata")
        found = metadata.get(_NOTE) if isinstance(metadata, dict) else None
        return json.loads(found) if isinstance(found, str) and len(found) < _LONGEST_NOTE else None

    def keep_note(self, note: dict[str, str]) -> None:
        """Keep ``note`` there; where there is no file of flags yet, there is nothing to keep it in."""
        file = SharedFile(self.path)
        try:
            with self._locked(file, []) as alone:
                document, version = self._load_version(file)
                metadata = document.get("metadata")
                if alone and version is not None and isinstance(metadata, dict | None):
                    document["metadata"] = {**(metadata or {}), _NOTE: json.dumps(note, sort_keys=True)}
                    self._save(file, document, version, widens=True)
        except OvertakenError as error:
            raise self._unavailable("written", TimeoutError("somebody else wrote it just now")) from error

    def read(self, key: str) -> ServedFlag | None:
        """Return what the file serves for ``key``."""
        return self._ours(key, self._load()["flags"].get(key))

    def read_all(self) -> Mapping[str, ServedFlag]:
        """Return every flag of the file that Belay wrote.

        One that was changed by hand comes as what it still says of itself, and as not ``intact``.
        """
        found = {}
        for key, definition in self._load()["flags"].items():
            try:
                flag = read_back(key, definition)
            except ChangedByHandError as changed:
                flag = changed.remains
            if flag is not None:
                found[key] = flag
        return found

    def _ours(self, key: str, definition: Any) -> ServedFlag | None:
        """Read one definition back; None when it is not Belay's."""
        try:
            return read_back(key, definition)
        except ChangedByHandError as error:
            raise FlagsUnavailable(
                f"flag {key} in {self.path} was changed by hand: it is not what Belay wrote; "
                "roll the optimization back, which writes it anew"
            ) from error

    def _served(self, document: dict[str, Any], wanted: ServedFlag) -> ServedFlag | None:
        """Return what a write of ``wanted`` has to be compared with.

        A definition under its key that Belay did not write, or that was changed by hand, is in the way of
        showing anything to anybody; it is never in the way of taking an optimization down.
        """
        definition = document["flags"].get(wanted.key)
        try:
            served = read_back(wanted.key, definition)
            foreign = served is None and definition is not None
        except ChangedByHandError:
            served, foreign = None, True
        if foreign and wanted.scope > 0:
            raise FlagsUnavailable(
                f"flag {wanted.key} in {self.path} is not what Belay wrote: nothing was changed; remove it "
                "from the file, or give the optimization another name"
            )
        return served

    def _load(self) -> dict[str, Any]:
        return self._load_version(SharedFile(self.path))[0]

    def _load_version(self, file: SharedFile) -> tuple[dict[str, Any], Version | None]:
        """Return the document that evaluators read, and which version of the file that was."""
        try:
            content, version = file.read(_MOST_BYTES)
            if content is None:
                return {"$schema": _SCHEMA, "flags": {}}, None
            document = parsed(content)
        except (OSError, ValueError) as error:
            raise self._unavailable("read", error) from error
        return document, version

    @contextmanager
    def _locked(self, file: SharedFile, wanted: list[ServedFlag]) -> Iterator[bool]:
        """Hold the writers' lock, and say so; whoever only takes away goes without it after a moment."""
        with ExitStack() as stack:
            try:
                if self.path.is_symlink() and not file.path.parent.is_dir():
                    raise FileNotFoundError(f"it is a link to {file.path}, whose folder does not exist")
                alone = stack.enter_context(file.turn(_HASTE))
                if not alone and not self._narrows(wanted):
                    alone = stack.enter_context(file.turn(_PATIENCE))
                    if not alone:
                        raise TimeoutError(f"another writer holds {file.path}.lock")
            except OSError as error:
                raise self._unavailable("locked", error) from error
            yield alone

    def _narrows(self, wanted: list[ServedFlag]) -> bool:
        """Whether every one of ``wanted`` only takes away from what is served now."""
        if all(flag.scope == 0 for flag in wanted):
            return True
        served = self.read_all()
        return all(
            flag.scope == 0 or (flag.key in served and flag.scope < served[flag.key].scope) for flag in wanted
        )

    def _unavailable(self, verb: str, error: Exception) -> FlagsUnavailable:
        return FlagsUnavailable(
            f"the flags at {self.path} cannot be {verb} ({error}): what was served is still served; "
            "check the folder's rights, its free space and the file's content"
        )
