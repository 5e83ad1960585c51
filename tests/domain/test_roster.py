"""Who is who: accounts of people, whichever auth manager names them."""

from __future__ import annotations

import pytest

from belay.domain.roster import AirflowUser, Person, Roster

ROSTER = Roster(
    (
        Person("nora", "Nora", "nora@shop.example", frozenset(), ("nora",)),
        Person("omar", "Omar", "omar@shop.example", frozenset(), ("7",)),
    )
)


@pytest.mark.parametrize(
    ("user", "person"),
    [
        (AirflowUser("nora", "nora"), "nora"),  # SimpleAuthManager: the id is the user name
        (AirflowUser("3", "nora"), "nora"),  # FAB: the id is a number
        (AirflowUser("7", "o.haddad"), "omar"),  # the roster names the id
        (AirflowUser("7", "nora"), None),  # an account that could be two people is nobody's
        (AirflowUser("3", "mallory"), None),
        (AirflowUser("", ""), None),
    ],
)
def test_an_account_is_one_persons(user: AirflowUser, person: str | None) -> None:
    found = ROSTER.by_airflow_user(user)
    assert (found.id if found else None) == person
