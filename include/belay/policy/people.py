"""`_people.yaml`: roles, people, and who answers for which agent."""

from __future__ import annotations

from typing import Any

from belay.domain.roster import Person, Roster
from belay.policy.checks import missing, validate
from belay.policy.document import Document
from belay.policy.errors import Path, did_you_mean
from belay.policy.shared import PEOPLE, Shared
from belay.policy.shared_files import PeopleFile, PersonFile


def read_people(shared: Shared, document: Document) -> None:
    """Read the roster into ``shared``; what is wrong breaks its person or agent alone."""
    value = document.value
    people = value.get("people")
    model, errors = validate(PeopleFile, document, {**value, "people": {}})
    errors += missing(model, document, optional={"agents", "slack_groups"}, reported=errors).values()
    if not isinstance(people, dict) or not people:
        right = "write people: and one person below, such as nora: {name: …, email: …, roles: […]}"
        errors.append(document.error(("people",), ..., "nobody is in the roster", right))
    shared.errors += errors
    if not isinstance(people, dict) or not model.roles:
        shared.broken[PEOPLE] = errors or document.errors
        return
    shared.roles = frozenset(model.roles)
    found = [person for name in people if (person := _one_person(shared, document, name, people[name]))]
    found = _distinct(shared, document, found)
    agents, accounts = _agents(shared, document, model, found)
    groups = {}
    for role, group in (model.slack_groups or {}).items():
        if role in shared.roles:
            groups[role] = group
        else:
            right = did_you_mean(role, shared.roles, "roles")
            shared.errors.append(document.error(("slack_groups", role), ..., "unknown role", right))
    shared.roster = Roster(tuple(found), agents, groups, accounts)


def _agents(
    shared: Shared, document: Document, model: PeopleFile, people: list[Person]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return who answers for each agent, and the accounts it acts under, which are nobody else's."""
    known = {person.id for person in people}
    taken = {name: person.id for person in people for name in (person.id, *person.airflow_users)}
    agents: dict[str, str] = {}
    accounts: dict[str, tuple[str, ...]] = {}
    for agent, said in (model.agents or {}).items():
        owner, own = said.owner or "", (agent,) if said.airflow is None else tuple(said.airflow)
        clash = next((name for name in own if name in taken), None)
        if owner not in known:
            right = did_you_mean(owner, known, "people")
            problem = f"agent {agent!r} is owned by nobody in the roster"
            shared.mark_broken(
                f"{PEOPLE}:{agent}", [document.error(("agents", agent), owner, problem, right)]
            )
        elif clash is not None:
            problem, right = (
                f"{clash!r} is {taken[clash]}'s account already",
                "give the agent its own account",
            )
            shared.mark_broken(
                f"{PEOPLE}:{agent}", [document.error(("agents", agent), clash, problem, right)]
            )
        else:
            agents[agent], accounts[agent] = owner, own
            taken |= dict.fromkeys(own, agent)
    return agents, accounts


def _one_person(shared: Shared, document: Document, name: str, value: Any) -> Person | None:
    at: Path = ("people", name)
    model, errors = validate(PeopleFile, document, {"people": {name: value}})
    found = (model.people or {}).get(name) or PersonFile()
    optional = {"airflow", "slack", "active", "roles"}
    errors += missing(found, document, at, optional=optional, reported=errors).values()
    for index, role in enumerate(found.roles or ()):
        if role not in shared.roles:
            right = did_you_mean(role, shared.roles, "roles")
            errors.append(document.error((*at, "roles", index), role, "unknown role", right))
    errors += [error for error in document.errors if f"{error.where}.".startswith(f"people.{name}.")]
    if errors:
        shared.mark_broken(f"{PEOPLE}:{name}", [error for error in errors if error not in shared.errors])
        shared.broken[f"{PEOPLE}:{name}"] = errors
        return None
    return Person(
        id=name,
        name=found.name or name,
        email=found.email or "",
        roles=frozenset(found.roles or ()),
        airflow_users=tuple(found.airflow if found.airflow is not None else [name]),
        slack_id=found.slack,
        active=found.active is not False,
    )


def _distinct(shared: Shared, document: Document, people: list[Person]) -> list[Person]:
    """Drop people who share a name, an account or an e-mail with an earlier one: an answer has one author."""
    taken: dict[tuple[str, str], str] = {}
    kept = []
    for person in people:
        accounts = [("airflow", user) for user in dict.fromkeys((*person.airflow_users, person.id))]
        accounts += [("slack", person.slack_id)] if person.slack_id else []
        accounts += [("email", person.email.casefold())] if person.email else []
        clash = next((account for account in accounts if account in taken), None)
        if clash is None:
            taken.update(dict.fromkeys(accounts, person.id))
            kept.append(person)
            continue
        key, account = clash
        what = "e-mail" if key == "email" else "account"
        problem = f"{account!r} is {taken[clash]}'s {what} already"
        error = document.error(("people", person.id, key), ..., problem, f"give each person their own {what}")
        shared.mark_broken(f"{PEOPLE}:{person.id}", [error])
    return kept
