"""flagd: a JSON file that any OpenFeature SDK evaluates in process, or that flagd itself serves.

Format: flagd's flag definitions (https://flagd.dev/reference/flag-definitions/), assignment by its
``fractional`` operation: a hash of salt and targeting key falls into buckets in the order listed. The
treatments come first under a salt of the flag's own, so a unit that is in treatment at one scope is in it
at every wider one.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from belay.clock import write_atomically
from belay.domain.proposal import CONTROL, HOLDOUT, Variant
from belay.domain.scope import FULL_SCOPE
from belay.files import Version
from belay.flags.shared_file import OvertakenError, SharedFile
from belay.flags.target import Ask, FlagsUnavailable, ServedFlag, refuse_stale

_SCHEMA = "https://flagd.dev/schema/v0/flags.json"
_FULL_BUCKETS = FULL_SCOPE
_MOST_BYTES = 64 * 1024 * 1024
_DEEPEST = 200
"""Levels of nesting that a flags file may have: evaluators and Belay read what is deeper by luck."""
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
        wanted = [_normalised(flag) for flag in flags]
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
                flag = _read_back(key, definition)
            except _ChangedByHandError as changed:
                flag = changed.remains
            if flag is not None:
                found[key] = flag
        return found

    def _ours(self, key: str, definition: Any) -> ServedFlag | None:
        """Read one definition back; None when it is not Belay's."""
        try:
            return _read_back(key, definition)
        except _ChangedByHandError as error:
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
            served = _read_back(wanted.key, definition)
            foreign = served is None and definition is not None
        except _ChangedByHandError:
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
            document = _parsed(content)
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


def _parsed(content: bytes) -> dict[str, Any]:
    """Return the flags document that ``content`` holds; ``ValueError`` where it holds none."""
    deep = f"it is nested more than {_DEEPEST} levels deep"
    try:
        document = json.loads(content.decode())
    except RecursionError:
        raise ValueError(deep) from None
    if not isinstance(document, dict) or not isinstance(document.get("flags"), dict):
        raise ValueError("it has no object of flags")  # noqa: TRY004 - of the file's content
    if _is_deeper(document, _DEEPEST):
        raise ValueError(deep)
    return document


def _is_deeper(document: Any, levels: int) -> bool:
    """Whether containers are nested more than ``levels`` deep; needs no depth of its own."""
    layer = [document]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return True


def to_definition(flag: ServedFlag) -> dict[str, Any]:
    """Return the flagd definition that serves ``flag``."""
    return _definition(flag, _targeting(flag))


def _earlier_definition(flag: ServedFlag) -> dict[str, Any]:
    """Return the definition that Belay wrote before units without a key were kept out: it is ours as well."""
    targeting = _held_out(_for_audience(_fractional(f"{flag.key}:", _rounded_split(flag)), flag), flag)
    return _definition(flag, targeting if flag.scope else {})


def _definition(flag: ServedFlag, targeting: dict[str, Any]) -> dict[str, Any]:
    variants = {CONTROL: _payload(flag.rollback)} | {v.key: _payload(v.payload) for v in flag.variants}
    if flag.holdout:
        variants[HOLDOUT] = _payload(flag.rollback)
    return {
        # Without a variant to show (nobody can tell what they were) the product's own default is served.
        "state": "ENABLED" if flag.variants else "DISABLED",
        "variants": variants,
        "defaultVariant": CONTROL,
        "targeting": targeting,
        "metadata": {
            "belay_epoch": flag.epoch,
            "belay_scope": flag.scope,
            "belay_holdout": flag.holdout,
            "belay_holdout_salt": flag.holdout_salt,
            "belay_surface": flag.surface,
            "belay_audience": json.dumps(dict(flag.audience), sort_keys=True),
            **({"belay_holdback": flag.holdback, "belay_rotation": flag.rotation} if flag.holdback else {}),
            **({"belay_ledger": flag.ledger} if flag.ledger else {}),
        },
    }


def _targeting(flag: ServedFlag) -> dict[str, Any]:
    """A key at all first, then the holdout, the audience, the split. At scope zero there is nothing to hash.

    Without a targeting key every evaluation would hash the same text, and all of them fall on one side.
    """
    if flag.scope == 0:
        return {}
    rule = _held_out(_for_audience(_fractional(f"{flag.key}:", _split(flag)), flag), flag)
    return {"if": [{"var": "targetingKey"}, rule, CONTROL]}


def _for_audience(rule: dict[str, Any], flag: ServedFlag) -> dict[str, Any]:
    for attribute, value in sorted(flag.audience.items(), reverse=True):
        rule = {"if": [{"==": [{"var": attribute}, value]}, rule, CONTROL]}
    return rule


def _held_out(rule: dict[str, Any], flag: ServedFlag) -> dict[str, Any]:
    if not flag.holdout:
        return rule
    held = _fractional(
        f"holdout:{flag.holdout_salt}:", [["held", flag.holdout], ["open", _FULL_BUCKETS - flag.holdout]]
    )
    return {"if": [{"==": [held, "held"]}, HOLDOUT, rule]}


def _split(flag: ServedFlag) -> list[list[Any]]:
    """Return the buckets. Each treatment keeps a fixed range of the hash and is filled from its start, with
    control between: that is what keeps widening monotone when there is more than one treatment.

    Weights are whole numbers, and exact: each range counts in ten-thousandths of itself, so that any scope
    is a share of it, unless basis points of all units are fine enough.
    """
    buckets: list[list[Any]] = []
    for variant, room in _ranges(flag):
        whole, filled = room * FULL_SCOPE, room * flag.scope
        if flag.holdback and filled == whole:
            buckets += _held_back(variant, whole, room * flag.holdback, flag.rotation)
        else:
            buckets += [[variant, filled], [CONTROL, whole - filled]]
    if all(weight % FULL_SCOPE == 0 for _, weight in buckets):
        buckets = [[name, weight // FULL_SCOPE] for name, weight in buckets]
    return [bucket for bucket in buckets if bucket[1]]


def _rounded_split(flag: ServedFlag) -> list[list[Any]]:
    """Return the buckets as they were when shares were rounded down to basis points of all units."""
    buckets: list[list[Any]] = []
    for variant, room in _ranges(flag):
        filled = room * flag.scope // FULL_SCOPE
        if flag.holdback and filled == room:
            held = max(room * flag.holdback // FULL_SCOPE, 1)
            buckets += _held_back(variant, room, held, flag.rotation)
        else:
            buckets += [[variant, filled], [CONTROL, room - filled]]
    return [bucket for bucket in buckets if bucket[1]]


def _ranges(flag: ServedFlag) -> Iterator[tuple[str, int]]:
    """Yield each treatment and its range of the hash, in basis points; the last takes what is left over."""
    width, last = divmod(_FULL_BUCKETS, len(flag.variants))
    for index, variant in enumerate(flag.variants):
        yield variant.key, width + (last if index == len(flag.variants) - 1 else 0)


def _held_back(variant: str, room: int, held: int, rotation: int) -> list[list[Any]]:
    """Return a treatment's whole range without those whose turn it is to be held back.

    The first turn takes the end of the range: units that no earlier scope had reached. Each next turn moves
    down by its own width, so a unit changes sides at most once a turn.
    """
    after = rotation % (room // held) * held
    return [[variant, room - after - held], [CONTROL, held], [variant, after]]


def _fractional(salt: str, buckets: list[list[Any]]) -> dict[str, Any]:
    return {"fractional": [{"cat": [salt, {"var": "targetingKey"}]}, *buckets]}


def _payload(payload: Any) -> Any:
    """flagd variants of one flag share one type: objects. Anything else is wrapped as ``{"value": …}``."""
    plain = json.loads(json.dumps(payload))
    return plain if isinstance(plain, dict) else {"value": plain}


class _ChangedByHandError(ValueError):
    """A definition that Belay wrote is not any more what it wrote; ``remains`` is what can be read of it."""

    def __init__(self, key: str, remains: ServedFlag | None) -> None:
        super().__init__(key)
        self.remains = remains and replace(remains, intact=False)


def _read_back(key: str, definition: Any) -> ServedFlag | None:
    """Read a definition back; one that Belay did not write is none of its business: None."""
    metadata = definition.get("metadata") if isinstance(definition, dict) else None
    if not isinstance(metadata, dict) or "belay_epoch" not in metadata:
        return None
    flag = None
    try:
        flag = _from_definition(key, definition, metadata)
        intact = definition in (to_definition(flag), _earlier_definition(flag))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise _ChangedByHandError(key, flag or _least(key, definition, metadata)) from error
    if not intact:
        raise _ChangedByHandError(key, flag)
    return flag


def _least(key: str, definition: dict[str, Any], metadata: dict[str, Any]) -> ServedFlag:
    """Return what has to be assumed of a flag that cannot be read any more: shown to everybody."""
    variants = definition.get("variants")
    rollback = variants.get(CONTROL) if isinstance(variants, dict) else None
    epoch = metadata["belay_epoch"]
    return ServedFlag(
        key=key,
        scope=FULL_SCOPE,
        variants=(),
        rollback=rollback,
        epoch=epoch if isinstance(epoch, int) else 0,
        holdout_salt=str(metadata.get("belay_holdout_salt", "")),
        surface=str(metadata.get("belay_surface", "")),
        ledger=str(metadata.get("belay_ledger", "")),
    )


def _from_definition(key: str, definition: dict[str, Any], metadata: dict[str, Any]) -> ServedFlag:
    variants = definition["variants"]
    return ServedFlag(
        key=key,
        scope=int(metadata["belay_scope"]),
        variants=tuple(
            Variant(name, payload)
            for name, payload in sorted(variants.items())
            if name not in {CONTROL, HOLDOUT}
        ),
        rollback=variants[CONTROL],
        epoch=int(metadata["belay_epoch"]),
        holdout=int(metadata["belay_holdout"]),
        holdout_salt=str(metadata["belay_holdout_salt"]),
        audience=json.loads(metadata["belay_audience"]),
        surface=str(metadata.get("belay_surface", "")),
        ledger=str(metadata.get("belay_ledger", "")),
        holdback=int(metadata.get("belay_holdback", 0)),
        rotation=int(metadata.get("belay_rotation", 0)),
    )


def _normalised(flag: ServedFlag) -> ServedFlag:
    """Return ``flag`` as it will read back: variants in the order of their keys, payloads as objects."""
    variants = sorted((Variant(v.key, _payload(v.payload)) for v in flag.variants), key=lambda v: v.key)
    rotation = flag.rotation if flag.holdback else 0
    return replace(flag, variants=tuple(variants), rollback=_payload(flag.rollback), rotation=rotation)
