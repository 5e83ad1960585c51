"""Entries that are a decision, or a fact, by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability import CapabilityPolicy
from belay.domain.changes import policy_changes
from belay.domain.recorded import Recorded
from belay.domain.scope import percent
from belay.explain.chronicle import Chronicle, day, when
from belay.explain.claims import Claim, Matter, matter
from belay.explain.step import in_force, proposal, stage
from belay.ledger.errors import LedgerError
from belay.ledger.narrate import narrate
from belay.ledger.policies import policy_of


def policy(book: Chronicle, entry: Recorded, event: e.PolicyAdopted) -> Matter:
    """Tell a policy that came into force, and what it changed."""
    before = book.policy(event.capability, entry.seq - 1)
    return matter(
        f"Policy {event.digest[:12]} of “{event.title}” came into force",
        what=[
            book.claim(f"It is in force since {when(entry.at)}", entry),
            *([] if before is None else _changes(book, before, (entry, event))),
        ],
        proposed=[book.claim(f"{book.who(entry.by)} adopted it: {event.reason}", entry)],
        rule=[
            book.claim(
                f"Its decisions are “{str(event.decision_class).replace('_', ' ')}”, and it never "
                f"passes “{event.ceiling}”, whatever its record",
                entry,
            ),
            book.claim(
                f"Roles that approve: {_roles(event.approval_roles)}; roles that may veto: "
                f"{_roles(event.veto_roles)}",
                entry,
            ),
        ],
        owner=book.owners(event.capability, entry.seq),
    )


def single_entry(book: Chronicle, entry: Recorded) -> Matter:
    """Tell an entry that belongs to nothing larger."""
    event = entry.event
    optimization = getattr(event, "optimization", "") or getattr(event, "subject", "")
    capability = getattr(event, "capability", "") or book.capability_of(optimization)
    target = getattr(event, "target", "")
    if target.startswith("capability:"):
        capability = target.partition(":")[2]
    elif asked := next(book.find(e.OversightRequested, request=target), None):
        capability, optimization = asked[1].capability, asked[1].optimization
    elif not capability:
        capability = book.capability_of(target)
        optimization = target if capability else optimization
    actor = book.who(entry.by)
    return matter(
        f"Entry {entry.seq}: {entry.event.kind.replace('.', ', ')}",
        what=[book.claim(f"{actor} {narrate(event)} (on {when(entry.at)})", entry), *_followed(book, entry)],
        proposed=proposal(book, optimization) if isinstance(event, e.Proposed) else (),
        rule=[
            book.claim(_authority(entry), entry),
            *in_force(book, capability, entry.seq),
            *stage(book, capability, entry.seq),
        ],
        owner=book.owners(capability, entry.seq, optimization),
    )


def _changes(
    book: Chronicle, before: tuple[Recorded, e.PolicyAdopted], after: tuple[Recorded, e.PolicyAdopted]
) -> Iterator[Claim]:
    """Yield what is different, from the two policies as they were kept when they came into force."""
    (old_entry, old), (entry, new) = before, after
    was, now = _kept(book, old), _kept(book, new)
    if old.digest == new.digest:
        told = "Nothing changed: its text was kept"
    elif was is None or now is None:
        told = "What changed cannot be told: the text of one of them is not at hand"
    else:
        changes = policy_changes(was, now) or ("the order of its parts, and nothing else",)
        told = f"What changed: {'; '.join(changes)}"
    yield book.claim(f"It follows {old.digest[:12]} of {day(old_entry.at)}. {told}", old_entry, entry)


def _kept(book: Chronicle, event: e.PolicyAdopted) -> CapabilityPolicy | None:
    """Return a policy as it was kept; None where it was not, or where this Belay does not understand it."""
    try:
        return policy_of(book.document(event.document)) if event.document else None
    except (LedgerError, ValueError):
        return None


def _roles(roles: tuple[str, ...]) -> str:
    return ", ".join(roles) or "none named"


def _authority(entry: Recorded) -> str:
    """Return by what right an actor did what it did."""
    event, kind = entry.event, entry.by.kind
    if isinstance(event, e.CommandRefused):
        return f"Rule {event.rule} says no, and such attempts are kept"
    if isinstance(event, e.Unfrozen):
        return "Only people lift a freeze"
    if isinstance(event, e.Frozen | e.ServedWider | e.KillSwitchPulled | e.Vetoed):
        return "Stopping needs no approval"
    if isinstance(event, e.DelegationGiven | e.DelegationEnded):
        return "A person may lend only roles of their own, for a period, and stays named"
    if isinstance(event, e.Proposed):
        return "Anybody may propose; a proposal alone changes nothing"
    if isinstance(event, e.ProposalJudged):
        return "People say what they would have done before anybody saw it; it counts in the record"
    if kind is ActorKind.SERVICE:
        return "Belay writes down what it measured or saw; that alone widens nothing"
    return f"It was done by {entry.by}, who is named here so that they can be asked"


def _followed(book: Chronicle, entry: Recorded) -> Iterator[Claim]:
    """Yield what was taken down in the same transaction, or ended."""
    for one in book.breath(entry):
        if one.seq > entry.seq and isinstance(
            one.event, e.NarrowingIntended | e.OptimizationEnded | e.StageDemoted | e.Frozen
        ):
            about = getattr(one.event, "optimization", "")
            subject = f"{book.title_of(about)}: Belay" if about else "With it Belay"
            if isinstance(one.event, e.NarrowingIntended):
                moves = f"from {percent(one.event.from_scope)} to {percent(one.event.to_scope)} of units"
                yield book.claim(f"With it {book.title_of(about)} was taken down {moves}", one)
            else:
                yield book.claim(f"{subject} {narrate(one.event)}", one)
