"""All policy files of a folder, as they are now. A broken file never takes the others down."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from belay.domain.capability import CapabilityPolicy
from belay.domain.roster import Roster
from belay.policy.calendars import CALENDARS, read_calendars
from belay.policy.catalogue import read_catalogue
from belay.policy.checks import known_keys, validate
from belay.policy.document import Document, read_document
from belay.policy.errors import PolicyError
from belay.policy.files import DefaultsFile
from belay.policy.ladder import read_ladder
from belay.policy.people import read_people
from belay.policy.resolve import read_capability
from belay.policy.shared import DEFAULTS, LADDER, METRICS, PEOPLE, SHARED, Shared


@dataclass(frozen=True, slots=True)
class Policies:
    """What the policy files say.

    Attributes
    ----------
    capabilities : Mapping[str, CapabilityPolicy]
        The usable ones, by id.
    errors : tuple[PolicyError, ...]
        Everything that is wrong, by file and line, each thing once.
    roster : Roster
        The people.
    broken : Mapping[str, tuple[PolicyError, ...]]
        Capability to why it cannot be used; errors of shared files stand here when it needs them.
    """

    capabilities: Mapping[str, CapabilityPolicy]
    errors: tuple[PolicyError, ...]
    roster: Roster
    broken: Mapping[str, tuple[PolicyError, ...]] = field(default_factory=dict)

    def errors_of(self, capability: str) -> tuple[PolicyError, ...]:
        """Return why ``capability`` cannot be used; empty when it can, or when there is no such file."""
        return self.broken.get(capability, ())


def load_policies(
    folder: FilePath, *, expectations: FilePath | None = None, only: str | None = None
) -> Policies:
    """Read every policy file of ``folder``. Never raises: what is wrong is in ``errors``.

    Parameters
    ----------
    folder
        One YAML file a capability; names with a leading ``_`` are shared files.
    expectations
        Folder of suites, to check that the suites exist. By default ``expectations/`` two levels above
        ``folder``, as in the checkout; when there is none, suites are not checked here (the quality gate
        holds on a suite that does not exist).
    only
        Read this capability's file and the shared ones, and no other: what asks for one policy does not
        pay for a thousand.
    """
    folder = FilePath(folder)
    if not folder.is_dir():
        right = "set BELAY_POLICIES to the folder that holds the capability files"
        missing = PolicyError(str(folder), 1, "", "", "the folder of policies does not exist", right)
        return Policies({}, (missing,), Roster())
    shared = read_shared(folder)
    suites = _suites(expectations or folder.resolve().parents[1] / "expectations")
    capabilities, broken = {}, {}
    errors = [*shared.errors, *_stray(folder)]
    for path in sorted(folder.glob("*.yaml")):
        if path.name.startswith("_") or only not in (None, path.stem):
            continue
        policy, wrong = read_capability(path, shared, suites)
        if policy is None:
            broken[path.stem] = tuple(wrong)
            errors += wrong
        else:
            capabilities[path.stem] = policy
    return Policies(capabilities, tuple(sorted(set(errors))), shared.roster, broken)


def load_roster(folder: FilePath) -> Roster:
    """Return the people of ``folder``, without reading any capability; nobody when it does not exist."""
    return read_shared(folder).roster if folder.is_dir() else Roster()


def check_policies(folder: FilePath, *, expectations: FilePath | None = None) -> list[PolicyError]:
    """Return everything that is wrong in ``folder``, by file and line; empty when all is well."""
    return list(load_policies(folder, expectations=expectations).errors)


def _suites(folder: FilePath) -> Collection[str] | None:
    return {path.stem for path in folder.glob("*.yaml")} if folder.is_dir() else None


def _stray(folder: FilePath) -> list[PolicyError]:
    """Return errors for files that would be silently ignored."""
    errors = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yml":
            right = f"rename it to {path.stem}.yaml"
            errors.append(PolicyError(path.name, 1, "", "", "files that end in .yml are not read", right))
        elif path.name.startswith("_") and path.suffix == ".yaml" and path.name not in SHARED:
            right = f"shared files are {', '.join(SHARED)}; a capability's name starts with a letter"
            errors.append(PolicyError(path.name, 1, "", "", "there is no such shared file", right))
    return errors


def read_shared(folder: FilePath) -> Shared:
    """Read the shared files of ``folder``. Never raises: what is wrong is in ``errors``."""
    shared = Shared()
    for name, read in (
        (LADDER, read_ladder),
        (METRICS, read_catalogue),
        (PEOPLE, read_people),
        (DEFAULTS, _defaults),
    ):
        document = _document(folder, name)
        if document.readable:
            shared.errors += document.errors
            read(shared, document)
        else:
            shared.mark_broken(name, document.errors)
    if (folder / CALENDARS).exists():
        _calendars(shared, read_document(folder / CALENDARS))
    return shared


def _document(folder: FilePath, name: str) -> Document:
    if (folder / name).exists():
        return read_document(folder / name)
    document = Document(name)
    right = f"create {name} beside the capabilities; every capability needs it"
    document.errors.append(PolicyError(name, 1, "", "", "the file is missing", right))
    return document


def _calendars(shared: Shared, document: Document) -> None:
    if not document.readable:
        shared.mark_broken(CALENDARS, document.errors)
        return
    shared.errors += document.errors
    shared.calendars, broken = read_calendars(document)
    for name, errors in broken.items():
        shared.mark_broken(f"{CALENDARS}:{name}" if name else CALENDARS, errors)


def _defaults(shared: Shared, document: Document) -> None:
    _, errors = validate(DefaultsFile, document, document.value)
    shared.errors += errors
    document.value = known_keys(DefaultsFile, document.value)
    shared.defaults = document
