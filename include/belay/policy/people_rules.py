"""What must hold about the people that a capability file names: owner, roles, agents, calendar, quorum."""

from __future__ import annotations

from belay.domain.quorum import quorum_of
from belay.policy.calendars import CALENDARS
from belay.policy.checked import Checked, Found
from belay.policy.errors import Path, choices, did_you_mean
from belay.policy.shared import PEOPLE


def owner_errors(c: Checked) -> Found:
    """Somebody active is accountable."""
    if c.file.owner is not None:
        yield from _person(c, ("owner",), c.file.owner)


def _person(c: Checked, path: Path, name: str) -> Found:
    if whole := c.shared.whole(PEOPLE):
        yield from whole
    elif broken := c.shared.one(PEOPLE, name):
        yield from broken
    elif (person := c.shared.roster.person(name)) is None:
        known = [person.id for person in c.shared.roster.people if person.active]
        yield c.document.error(
            path, name, f"nobody called {name!r} is in {PEOPLE}", did_you_mean(name, known, "people")
        )
    elif not person.active:
        known = [person.id for person in c.shared.roster.people if person.active]
        right = f"name an active person: {choices(known)}"
        yield c.document.error(
            path, name, f"{name!r} is not active in {PEOPLE}, so nobody is accountable", right
        )


def roles_errors(c: Checked) -> Found:
    """Every role that is named exists and somebody active holds it."""
    approval, autonomy = c.file.approval, c.file.autonomy
    named = {}
    if approval is not None:
        keys = ("roles", "veto_roles", "escalate_to")
        named = {("approval", key): getattr(approval, key) for key in keys}
    if autonomy is not None:
        named["autonomy", "roles"] = autonomy.roles
    for (section, key), roles in named.items():
        for index, role in enumerate(roles or []):
            yield from _role(c, (section, key, index), role, (roles or [])[:index])


def _role(c: Checked, path: Path, role: str, before: list[str]) -> Found:
    if whole := c.shared.whole(PEOPLE):
        yield from whole
    elif role not in c.shared.roles:
        right = did_you_mean(role, c.shared.roles, "roles")
        yield c.document.error(path, role, f"role {role!r} is not in {PEOPLE}", right)
    elif role in before:
        yield c.document.error(path, role, f"role {role!r} is given twice", "remove one")
    elif not c.shared.roster.holders(role):
        right = f"give the role to somebody in {PEOPLE}"
        yield c.document.error(path, role, f"nobody active holds the role {role!r}", right)


def escalation_errors(c: Checked) -> Found:
    """Silence escalates to somebody."""
    approval = c.file.approval
    if approval is None or approval.escalate_after is None:
        return
    if approval.escalate_after < 1 and not approval.escalate_to:
        right = "write escalate_to: and the roles that may answer then, or escalate_after: 1 for never"
        problem = "silence would escalate to nobody"
        yield c.document.error(("approval", "escalate_after"), approval.escalate_after, problem, right)


def calendar_errors(c: Checked) -> Found:
    """The calendar is one of _calendar.yaml."""
    name = c.file.calendar
    if name is None or name in c.shared.calendars:
        return
    if broken := c.shared.one(CALENDARS, name) or c.shared.whole(CALENDARS):
        yield from broken
    else:
        right = did_you_mean(name, c.shared.calendars, "calendars")
        yield c.document.error(("calendar",), name, f"calendar {name!r} is not in {CALENDARS}", right)


def agents_errors(c: Checked) -> Found:
    """Somebody answers for every agent that may propose."""
    for index, name in enumerate(c.file.agents or []):
        path: Path = ("agents", index)
        if whole := c.shared.whole(PEOPLE):
            yield from whole
        elif broken := c.shared.one(PEOPLE, name):
            yield from broken
        elif name not in c.shared.roster.agents:
            right = did_you_mean(name, c.shared.roster.agents, "agents")
            yield c.document.error(path, name, f"nobody answers for agent {name!r} in {PEOPLE}", right)


def quorum_errors(c: Checked) -> Found:
    """Votes of the agent's owner never count, and the capability's owner never completes a quorum alone."""
    approval, autonomy = c.file.approval, c.file.autonomy
    if approval is not None and approval.roles and approval.quorum:
        yield from _reachable(c, "approval", approval.roles, approval.quorum)
    if autonomy is not None and autonomy.roles and autonomy.quorum:
        yield from _reachable(c, "autonomy", autonomy.roles, autonomy.quorum)


def _reachable(c: Checked, section: str, roles: list[str], quorum: int) -> Found:
    roster = c.shared.roster
    if not all(roster.holders(role) for role in roles):
        return
    allowed = c.file.agents or list(roster.agents)
    out_of_the_way: dict[str, str] = {"": ""} | {
        owner: f" without {owner}, who owns the agent {agent}"
        for agent in allowed
        if (owner := roster.agents.get(agent))
    }
    for owner, why in out_of_the_way.items():
        free = quorum_of(roster, roles, quorum, owner=c.file.owner or "", without={owner})
        if free.vacant and owner:
            problem = f"nobody else holds {', '.join(free.vacant)}"
        elif free.people and free.short:
            problem = f"{quorum} are needed, {len(free.people)} could answer"
        elif free.owner_alone:
            problem = f"only the owner {c.file.owner} could answer, and never alone"
        else:
            continue
        right = f"give {' or '.join(free.vacant or roles)} to another person in {PEOPLE}"
        if free.short and not free.vacant:
            right += f", or write quorum: {max(len(free.people), 1)}"
        problem = f"the quorum cannot be reached{why}: {problem}"
        yield c.document.error((section, "quorum"), quorum, problem, right)
        return
