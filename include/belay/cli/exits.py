"""Exit codes, and which error means which: scripts can rely on them."""

from __future__ import annotations

from collections.abc import Iterator

from belay.domain.vocabulary import Rule

OK = 0
"""It worked, and the answer is yes."""

NO = 1
"""The answer is no: the rules refused it, or the ledger does not verify."""

USAGE = 2
"""Bad input: an unknown option, a file that cannot be used, a person who is not in the roster."""

UNAVAILABLE = 3
"""A part is not there or does not answer: ledger, warehouse, flags, Airflow."""

BROKEN = 4
"""Belay itself failed: a defect worth reporting."""

IN_WORDS = (
    "Exit codes: 0 it worked · 1 the answer is no (refused, or not verified) · 2 bad input · "
    "3 a part does not answer · 4 a defect of Belay's"
)


class BadInputError(Exception):
    """What was given cannot be used; the message says what would be right."""


class UnavailableError(Exception):
    """A part is not there; the message says which, where, and what to do."""


# By name, so that looking an error up imports nothing: `belay --help` stays fast.
_MEANING = {
    "belay.cli.exits.BadInputError": USAGE,
    "belay.cli.exits.UnavailableError": UNAVAILABLE,
    "belay.environment.BadSettingError": USAGE,
    "belay.flags.target.FlagsUnavailable": UNAVAILABLE,
    "belay.flags.target.StaleEpoch": NO,
    "belay.gates.intake.BadProposalError": USAGE,
    "belay.execution.RefusedError": NO,
    "belay.analysis.reading.BlindError": UNAVAILABLE,
    "belay.ledger.errors.LedgerError": UNAVAILABLE,
    "belay.warehouse.errors.WarehouseUnavailableError": UNAVAILABLE,
    "belay.local.airflow.AirflowNotRunningError": UNAVAILABLE,
    "belay.local.background.StillRunningError": UNAVAILABLE,
    "belay.local.world.StorefrontNotRunningError": UNAVAILABLE,
    "belay.orchestration.client.AirflowRefusedError": NO,
    "belay.orchestration.client.AirflowUnavailableError": UNAVAILABLE,
    "belay.orchestration.client.NotAskedError": UNAVAILABLE,
    "belay.services.PolicyBrokenError": USAGE,
    "builtins.OSError": UNAVAILABLE,
    "sqlalchemy.exc.SQLAlchemyError": UNAVAILABLE,
}


_BAD_INPUT = frozenset(
    {
        Rule.NO_SUCH_REQUEST,
        Rule.PLAIN_DATA,
        Rule.REASON,
        Rule.UNKNOWN_CAPABILITY,
        Rule.UNKNOWN_DELEGATION,
        Rule.UNKNOWN_OPTIMIZATION,
        Rule.UNKNOWN_PERSON,
        Rule.UNKNOWN_TARGET,
    }
)
"""Rules that refuse not the act but what was typed: a name that nothing has, a reason that is none."""


def exit_code(error: BaseException) -> int:
    """Return the exit code of ``error``; ``BROKEN`` for one that nobody expected."""
    refusal = getattr(error, "refusal", None)
    if getattr(refusal, "rule", None) in _BAD_INPUT:
        return USAGE
    return next((_MEANING[name] for name in _names(type(error)) if name in _MEANING), BROKEN)


def _names(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        yield f"{base.__module__}.{base.__qualname__}"
