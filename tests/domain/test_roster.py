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


def test_a_person_is_found_by_the_id_and_a_role_by_its_active_holders() -> None:
    nora = Person("nora", "Nora", "", frozenset({"lead"}), slack_id="U1")
    omar = Person("omar", "Omar", "", frozenset({"lead"}), active=False)
    roster = Roster((nora, omar), agents={"bot": "nora"})
    assert (roster.person("nora"), roster.person("omar"), roster.person("zoe")) == (nora, omar, None)
    assert (roster.holders("lead"), roster.holders("risk")) == ((nora,), ())
    assert (roster.by_slack_id("U1"), roster.by_slack_id("U2"), roster.by_slack_id("")) == (nora, None, None)
    assert (roster.agent_owner("bot"), roster.agent_owner("cat")) == ("nora", None)


def test_a_name_is_an_account_a_mail_or_slack_and_as_long_as_the_ledger_keeps_it() -> None:
    bare = Person("nora", "Nora", "", frozenset())
    full = Person("nora", "Nora", "Nora@shop.example", frozenset(), ("N.Berg",), "U1")
    assert (len(bare.names), len(full.names)) == (1, 4)
    assert set(bare.names) < set(full.names)
    assert {len(name) for name in full.names} == {16}
