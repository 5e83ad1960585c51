"""What the rules of a capability file look at, and what they find."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from belay.policy.document import Document
from belay.policy.errors import PolicyError
from belay.policy.files import CapabilityFile
from belay.policy.shared import Shared


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rules look at."""

    file: CapabilityFile
    document: Document
    shared: Shared
    suites: Collection[str] | None


Found = Iterator[PolicyError]
