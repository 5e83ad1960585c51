"""People, the roles they hold, and who is accountable for which agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from belay.domain.actors import Actor, agent, human
from belay.domain.digest import sha256_of


class AirflowUser(NamedTuple):
    """Who is logged in to Airflow, as its auth manager says.

    SimpleAuthManager's ids are user names; FAB's are numbers, and its user name is the ``name``.
    """

    id: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.id


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the roster.

    Attributes
    ----------
    id : str
        Short name, used in the ledger.
    name : str
        Name for people.
    email : str
        Where the person can be reached.
    roles : frozenset[str]
        Roles the person holds.
    airflow_users : tuple[str, ...]
        User names in Airflow that are this person (or ids, where its auth manager has no names).
    slack_id : str | None
        Member id in Slack (``U…``), if known.
    active : bool
        Whether the person may answer now; somebody who left stays known by name.
    """

    id: str
    name: str
    email: str
    roles: frozenset[str]
    airflow_users: tuple[str, ...] = ()
    slack_id: str | None = None
    active: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Every name the person has (id, accounts, e-mail, Slack id), each as a short digest, in order.

        Who has one of them is the same person, whatever the roster calls them: so the ledger can compare
        people without holding their addresses.
        """
        accounts = {("account", name.casefold()) for name in (self.id, *self.airflow_users)}
        mail = {("email", self.email.casefold())} if self.email else set()
        slack = {("slack", self.slack_id.casefold())} if self.slack_id else set()
        return tuple(sorted(sha256_of([kind, name])[:16] for kind, name in accounts | mail | slack))


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who may answer, and the agents with the people who answer for them.

    Attributes
    ----------
    people : tuple[Person, ...]
        In the order of the file.
    agents : Mapping[str, str]
        Agent's name to the id of its owner.
    slack_groups : Mapping[str, str]
        Role to the Slack user group (``S…``) whose members hold it too, when they answer in Slack.
    agent_accounts : Mapping[str, tuple[str, ...]]
        Agent's name to its user names in Airflow; an agent that is not in here has its own name there.
    """

    people: tuple[Person, ...] = ()
    agents: Mapping[str, str] = field(default_factory=dict)
    slack_groups: Mapping[str, str] = field(default_factory=dict)
    agent_accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def person(self, person_id: str) -> Person | None:
        """Return the person called ``person_id``, active or not."""
        return next((person for person in self.people if person.id == person_id), None)

    def by_airflow_user(self, user: AirflowUser) -> Person | None:
        """Return the person who is ``user``; None where name and id are those of two people."""
        accounts = {user.id, user.name} - {""}
        found = [person for person in self.people if accounts & set(person.airflow_users)]
        return found[0] if len(found) == 1 else None

    def by_account(self, user: AirflowUser) -> Actor | None:
        """Return who acts under an account: a person of the roster, an agent that it belongs to, or nobody.

        This, and never what somebody writes about themselves, says who proposes.
        """
        if (person := self.by_airflow_user(user)) is not None:
            return human(person.id)
        accounts = {user.id, user.name} - {""}
        if any(accounts & {person.id, *person.airflow_users} for person in self.people):
            return None  # two people at once, or somebody whose account has another name
        found = [name for name in self.agents if accounts & set(self.accounts_of(name))]
        return agent(found[0]) if len(found) == 1 else None

    def accounts_of(self, agent_name: str) -> tuple[str, ...]:
        """Return the user names in Airflow under which an agent acts."""
        return self.agent_accounts.get(agent_name, (agent_name,))

    def accounts_in_words(self) -> str:
        """Return under which accounts which agents propose."""
        listed = (f"{name} as {' or '.join(self.accounts_of(name))}" for name in self.agents)
        return ", ".join(listed) or "none is listed, so none may propose"

    def by_slack_id(self, slack_id: str) -> Person | None:
        """Return the person whose Slack member id is ``slack_id``."""
        return next((person for person in self.people if slack_id and person.slack_id == slack_id), None)

    def holders(self, role: str) -> tuple[Person, ...]:
        """Return the active people who hold ``role``."""
        return tuple(person for person in self.people if person.active and role in person.roles)

    def agent_owner(self, agent: str) -> str | None:
        """Return the id of the person who answers for ``agent``."""
        return self.agents.get(agent)
