"""The protocol of every flag system: apply a flag under an epoch, and read back what is served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from belay.domain.proposal import Variant


@dataclass(frozen=True, slots=True)
class ServedFlag:
    """A flag as it is to be served, or as it was read back.

    Attributes
    ----------
    key : str
        The optimization's id.
    scope : int
        Share of units exposed, in basis points.
    variants : tuple[Variant, ...]
        The treatments; the units exposed are shared evenly among them.
    rollback : Any
        What everybody else receives.
    epoch : int
        Fencing token: a writer with a lower one comes too late.
    holdout : int
        Share of units that never see any optimization of the capability, in basis points. They get the
        rollback payload under the variant ``holdout``.
    holdout_salt : str
        Salt of the holdout; the capability's id, so that all its flags hold out the same units.
    audience : Mapping[str, str]
        Attributes that a unit must have to be exposed.
    surface : str
        Where in the product it shows; written along for those who read the flags.
    holdback : int
        Share of units that go without a change at full scope, in basis points, so that it can be measured.
    rotation : int
        Whose turn it is to be held back; with each turn a unit changes sides at most once.
    ledger : str
        Which ledger decided it (`Ledger.identity`); empty where that was not written along.
    intact : bool
        Whether it reads back as Belay wrote it; what a flag shows that was changed by hand is unknown.
    """

    key: str
    scope: int
    variants: tuple[Variant, ...]
    rollback: Any
    epoch: int
    holdout: int = 0
    holdout_salt: str = ""
    audience: Mapping[str, str] = field(default_factory=dict)
    surface: str = ""
    intact: bool = field(default=True, compare=False)
    holdback: int = 0
    rotation: int = 0
    ledger: str = field(default="", compare=False)

    @property
    def capability(self) -> str:
        """The capability that it belongs to."""
        return self.holdout_salt

    def is_of_another(self, ledger: str) -> bool:
        """Whether another installation of Belay wrote it, one with another ledger."""
        return bool(ledger and self.ledger) and self.ledger != ledger


class FlagsUnavailable(Exception):  # noqa: N818 - it is a state of the world, not a programming error
    """The flag system cannot be read or written; the message says where, why, and what to do."""


class StaleEpoch(Exception):  # noqa: N818 - as above
    """Something newer is served already: this writer came too late, and nothing was changed."""


Ask = Callable[[ServedFlag | None], None]
"""Is asked, with what is served now, whether a flag may be written; it says no by raising an error."""


class FlagTarget(Protocol):
    """One flag system.

    Attributes
    ----------
    name : str
        What the ledger calls it.
    remembers : bool
        Whether every process reads the same: False for a rehearsal, where nothing is shown to anybody.
    """

    name: str
    remembers: bool

    def apply(self, flag: ServedFlag, *, ask: Ask | None = None) -> None:
        """Serve ``flag``; serving the same again changes nothing.

        Parameters
        ----------
        ask
            Asked last before the write, while no other writer can write: the final check.

        Raises
        ------
        StaleEpoch
            When a higher epoch is served, or another content under the same epoch.
        FlagsUnavailable
            When it cannot be written; what was served before is still served.
        """

    def apply_all(self, flags: Iterable[ServedFlag]) -> None:
        """Serve all of ``flags``, in one write where the flag system has such a thing.

        Raises
        ------
        StaleEpoch
            When one of them comes too late; where it is one write, none is served then.
        FlagsUnavailable
            As for one.
        """

    def read(self, key: str) -> ServedFlag | None:
        """Return what is served for ``key``, or None when there is no such flag."""

    def read_all(self) -> Mapping[str, ServedFlag]:
        """Return everything that is served, by key; what was changed by hand says so (``intact``)."""


def refuse_stale(served: ServedFlag | None, wanted: ServedFlag) -> bool:
    """Return whether ``wanted`` must be written, given what is ``served``.

    Raises
    ------
    StaleEpoch
        When ``wanted`` comes too late.
    FlagsUnavailable
        When another installation of Belay serves that flag, and ``wanted`` would show something.
    """
    if served is not None and wanted.scope > 0 and served.is_of_another(wanted.ledger):
        raise FlagsUnavailable(
            f"{wanted.key} is served by another installation of Belay (ledger {served.ledger}, this one is "
            f"{wanted.ledger}): nothing was changed; give each installation flags of its own (BELAY_FLAGS), "
            "or the optimization another name"
        )
    if served is None or wanted.epoch > served.epoch:
        return True
    if wanted.epoch == served.epoch and wanted == served:
        return False
    raise StaleEpoch(
        f"{wanted.key}: epoch {served.epoch} with scope {served.scope} is served; "
        f"epoch {wanted.epoch} with scope {wanted.scope} comes too late"
    )
