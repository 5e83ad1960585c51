"""Belay wired together: the ledger, the policies, the warehouse and the flag system behind one object.

Everything is opened when first used, so that a process that only reads policies (a DAG file being
parsed) pays for nothing else.
"""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from belay.clock import data_now
from belay.domain.capability import CapabilityPolicy
from belay.domain.roster import Roster
from belay.policy.load import Policies, load_policies, load_roster
from belay.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from belay.flags.target import FlagTarget
    from belay.ledger.store import Ledger


class PolicyBrokenError(Exception):
    """A capability's policy file cannot be used; the message lists every error in it."""


class Services:
    """The parts, opened on first use. One a process; safe to share between threads."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.forgiving()
        self.patience, self.create = 30.0, True

    def in_a_hurry(self, patience: float) -> Services:
        """Return the same parts with a ledger of its own, waited for ``patience`` seconds and never made."""
        hurried = copy(self)
        hurried.__dict__.pop("ledger", None)
        hurried.patience, hurried.create = patience, False
        return hurried

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        from belay.ledger.store import Ledger

        return Ledger.open(self.settings.ledger_url, patience=self.patience, create=self.create)

    @cached_property
    def warehouse(self) -> sa.Engine:
        """The warehouse, read-only."""
        from belay.warehouse.connection import open_warehouse

        return open_warehouse(self.settings.warehouse_url)

    @cached_property
    def flags(self) -> FlagTarget:
        """The flag system that shows scopes to the product."""
        from belay.flags.factory import open_target

        return open_target(self.settings.flags)

    def policies(self) -> Policies:
        """The policy files as they are now."""
        return load_policies(self.settings.policies, expectations=self.settings.expectations)

    def policy(self, capability: str) -> CapabilityPolicy:
        """Return one capability's policy.

        Raises
        ------
        PolicyBrokenError
            When its file is missing or has errors.
        """
        settings = self.settings
        policies = load_policies(settings.policies, expectations=settings.expectations, only=capability)
        found = policies.capabilities.get(capability)
        if found is None:
            errors = [str(error) for error in policies.errors_of(capability)]
            reason = "\n".join(errors) or f"there is no {capability}.yaml in {self.settings.policies}"
            raise PolicyBrokenError(f"the policy of {capability} cannot be used:\n{reason}")
        return found

    def roster(self) -> Roster:
        """The people, and the roles that they hold."""
        return load_roster(self.settings.policies)

    def now(self) -> datetime:
        """Wall-clock time, UTC, aware: what people and the ledger go by."""
        return datetime.now(UTC)

    def data_now(self) -> datetime:
        """Data time, UTC, aware: what the warehouse goes by; the wall clock outside simulations."""
        return data_now(self.settings.home)
