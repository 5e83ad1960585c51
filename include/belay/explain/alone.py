"""Entries that are a decision, or a fact, by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.evolve import Recorded
from belay.domain.scope import percent
from belay.explain.chronicle import Chronicle, day, when
from belay.explain.step import in_force, proposal, stage
from belay.explain.telling import Claim, Matter, matter
from belay.ledger.narrate import narrate


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


def lone(book: Chronicle, entry: Recorded) -> Matter:
    """Tell an entry that belongs to nothing larger."""
    event = entry.event
    optimization = getattr(event, "optimization", "") or getattr(event, "subject", "")
    capability = getattr(event, "capability", "") or book.capability_of(optimization)
    target = getattr(event, "target", "")
    if target.startswith("capability:"):
        capability = target.partition(":")[2]
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
    """Yield what the ledger itself knows to be different; the digest covers the rest."""
    (old_entry, old), (entry, new) = before, after
    changed = [
        f"{field.name.replace('_', ' ')} "
        f"(was {_plain(getattr(old, field.name))}, is {_plain(getattr(new, field.name))})"
        for field in fields(new)
        if field.name not in {"reason", "digest"} and getattr(old, field.name) != getattr(new, field.name)
    ]
    told = "; ".join(changed) or "figures that only the file shows; the two digests differ"
    yield book.claim(
        f"It follows {old.digest[:12]} of {day(old_entry.at)}. What changed: {told}", old_entry, entry
    )


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nobody"
    return str(value) if isinstance(value, str | int | float | bool) else "another table"


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
    """Yield what was taken down in the same breath, or ended."""
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
