"""Guards who somebody is: by every name of theirs, as of today, whatever a document, a file or a run says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from belay.actuation.guard_presence import missing_guard
from belay.domain import commands as c
from belay.domain.actors import agent, human
from belay.domain.events import Choice
from belay.domain.gates import Gate, Verdict
from belay.domain.identity import KnownPerson, same_people
from belay.domain.reasons import is_reason
from belay.domain.request_state import RequestStatus
from belay.domain.roster import AirflowUser, Person, Roster
from belay.domain.stages import DecisionClass
from belay.execution import RefusedError, execute
from belay.gates.admit import admit, propose
from belay.gates.intake import parse_proposal
from belay.gates.proposing import proposer, take_proposal
from belay.ledger.watch import Beat, Watch
from belay.oversight import people
from belay.oversight.active_policy import adopt_policy
from belay.oversight.alarms import alarms
from belay.policy.load import load_policies
from belay.services import Services
from belay.settings import Settings
from belay_lab.shop.scenario import SCENARIOS

CAPABILITIES = Path(__file__).parents[2] / "include" / "capabilities"
NAME = "checkout-delivery-date"
DOCUMENT = yaml.safe_load((SCENARIOS / "proposals" / f"{NAME}.yaml").read_text()) | {"tags": ["brand"]}
BLANK = [
    "",
    " ",
    "\n\t",
    "\u200b",
    "\u2060\ufeff",
    "\u3164",
    "\u2800",
    "\ufe0f",
    "\u00ad",
    "\u202e \u202c",
]


@pytest.fixture
def belay(tmp_path: Path) -> Iterator[Services]:
    folder = tmp_path / "capabilities"
    folder.mkdir()
    for file in CAPABILITIES.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text())
    opened = Services(Settings.from_env({"BELAY_HOME": str(tmp_path), "BELAY_POLICIES": str(folder)}))
    yield opened
    opened.ledger.close()


def edit(belay: Services, name: str, old: str, new: str) -> None:
    file = belay.settings.policies / f"{name}.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def asked(belay: Services, quorum: int = 1) -> str:
    """Return an open request that takes ``quorum`` holders of cx_owner."""
    edit(belay, "checkout_wording", "owner: carla", f"approval: {{quorum: {quorum}}}\nowner: carla")
    propose(belay, parse_proposal(DOCUMENT))
    policy = belay.policy("checkout_wording")
    execute(belay, c.StartStep(NAME, f"{NAME}__step1", policy), by="admit")
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        execute(belay, c.JudgeGate(NAME, 1, gate, Verdict.PASS, "no harm", None), by=str(gate))
    execute(belay, c.RequestOversight(NAME, 1, policy), by="approval")
    (request,) = belay.ledger.state().open_requests()
    return request.id


def say(belay: Services, request: str, who: str) -> RequestStatus:
    person = belay.roster().person(who)
    assert person is not None
    return people.vote(belay, request, Choice.APPROVE, person=person, reason="fine", via="test").status


def refused(rule: str):
    return pytest.raises(RefusedError, match=f"rule: {rule}")


# -- one person, whatever they are called ----------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n  nora: ", "\n  nora_l: "),
        (
            "nora:  {name: Nora Lindqvist, email: nora@shop.example",
            "nl: {name: N, airflow: [nora], email: n@x.example",
        ),
    ],
    ids=["another id, the same e-mail", "another id and e-mail, the same account"],
)
def test_a_voter_who_is_renamed_has_one_voice(belay: Services, before: str, after: str) -> None:
    request = asked(belay, quorum=2)
    assert say(belay, request, "nora") is RequestStatus.OPEN
    edit(belay, "_people", before, after)
    with refused("voted-already"):
        say(belay, request, after.strip().split(":")[0])
    assert say(belay, request, "priya") is RequestStatus.GRANTED


def test_who_answers_for_the_agent_by_now_does_not_count(belay: Services) -> None:
    request = asked(belay)
    edit(belay, "_people", "copywriter: {owner: dana", "copywriter: {owner: nora")
    assert say(belay, request, "nora") is RequestStatus.OPEN
    (vote,) = belay.ledger.state().requests[request].votes
    assert not vote.counted
    assert say(belay, request, "priya") is RequestStatus.GRANTED


def test_a_vote_does_not_count_any_more_once_its_voter_answers_for_the_agent(belay: Services) -> None:
    request = asked(belay, quorum=2)
    say(belay, request, "nora")
    edit(belay, "_people", "copywriter: {owner: dana", "copywriter: {owner: nora")
    assert say(belay, request, "priya") is RequestStatus.OPEN


def test_a_proposer_who_is_renamed_stays_the_proposer(belay: Services) -> None:
    take_proposal(belay, DOCUMENT | {"optimization": "noras-own"}, human("nora"))
    edit(belay, "_people", "\n  nora: ", "\n  nora_l: ")
    person = belay.roster().person("nora_l")
    assert person is not None
    assert not people.judge(belay, "noras-own", agrees=True, person=person, reason="mine", via="test")


def test_a_delegate_who_does_not_count_leaves_the_giver_their_voice(belay: Services) -> None:
    request = asked(belay)
    nora = belay.roster().person("nora")
    assert nora is not None
    people.delegate(belay, person=nora, to="dana", until_text="3d", reason="on leave", via="test")
    assert say(belay, request, "dana") is RequestStatus.OPEN, "dana answers for the agent"
    assert say(belay, request, "nora") is RequestStatus.GRANTED


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sets(st.sampled_from("1234"), max_size=2)), max_size=6)
)
def test_same_people_is_an_equivalence(known: list[tuple[str, set[str]]]) -> None:
    who = {name: KnownPerson(name, tuple(sorted(names))) for name, names in known}
    for one in who:
        same = same_people(who, {one})
        assert one in same
        assert all(same_people(who, {other}) == same for other in same)
    assert same_people(who, {""}) == frozenset()


def test_two_people_with_one_e_mail_or_account_are_refused(belay: Services) -> None:
    edit(belay, "_people", "email: omar@shop.example", "email: Nora@shop.example")
    policies = load_policies(belay.settings.policies)
    assert "'nora@shop.example' is nora's e-mail already" in str(policies.errors[0])
    assert policies.roster.person("omar") is None


def test_an_agents_account_is_nobody_elses(belay: Services) -> None:
    edit(belay, "_people", "airflow: [ranker]", "airflow: [nora]")
    policies = load_policies(belay.settings.policies)
    assert "'nora' is nora's account already" in str(policies.errors[0])
    assert "ranker" not in policies.roster.agents


# -- who proposes -----------------------------------------------------------------------------------


def test_the_account_says_who_proposes(belay: Services) -> None:
    roster = belay.roster()
    assert proposer(roster, AirflowUser("nora")) == human("nora")
    assert proposer(roster, AirflowUser("copywriter")) == agent("copywriter")
    for nobody in ("admin", "", "dana@shop.example"):
        with refused("nobody"):
            proposer(roster, AirflowUser(nobody))


def test_without_an_agents_section_no_agent_may_propose(belay: Services) -> None:
    file = belay.settings.policies / "_people.yaml"
    file.write_text(file.read_text().split("# Each AI agent")[0])
    with refused("nobody"):
        proposer(belay.roster(), AirflowUser("copywriter"))
    with refused("agent-owner"):
        propose(belay, parse_proposal(DOCUMENT))
    take_proposal(belay, {k: v for k, v in DOCUMENT.items() if not k.startswith("agent")}, human("nora"))
    assert belay.ledger.state().optimizations[NAME].proposal.agent_owner == "nora"


def test_an_agent_that_is_named_by_somebody_else_is_not_believed(belay: Services) -> None:
    with refused("agent"):
        take_proposal(belay, DOCUMENT, agent("ranker"))
    with refused("agent-owner"):
        take_proposal(belay, DOCUMENT | {"agent_owner": "carla"}, human("nora"))
    take_proposal(belay, DOCUMENT, human("nora"))
    assert belay.ledger.state().optimizations[NAME].proposal.proposed_by == human("nora")


def test_a_dag_takes_its_own_capabilitys_changes_only_and_says_who_started_it(belay: Services) -> None:
    propose(belay, parse_proposal(DOCUMENT))
    with refused("other-capability"):
        admit(belay, NAME, "run-1", capability="search_ranking", asked_by="mallory")
    assert belay.ledger.state().optimizations[NAME].step is None
    admit(belay, NAME, "run-1", capability="checkout_wording", asked_by="timo")
    told = [entry.event for entry in belay.ledger.history() if entry.event.kind == "step.started"]
    assert [event.asked_by for event in told] == ["timo"]


def test_a_second_run_voids_no_open_question(belay: Services) -> None:
    request = asked(belay)
    with refused("question-open"):
        admit(belay, NAME, "another-run", capability="checkout_wording", asked_by="timo")
    assert belay.ledger.state().requests[request].status is RequestStatus.OPEN
    assert say(belay, request, "nora") is RequestStatus.GRANTED


# -- identity by name -------------------------------------------------------------------------------


def rename(belay: Services, old: str, new: str, *changes: tuple[str, str]) -> None:
    file = belay.settings.policies / f"{old}.yaml"
    text = file.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    file.unlink()
    (belay.settings.policies / f"{new}.yaml").write_text(text)


@pytest.mark.parametrize("moved", [False, True], ids=["same surface", "another surface"])
def test_a_file_that_is_renamed_comes_into_force_by_a_person_alone(belay: Services, *, moved: bool) -> None:
    adopt_policy(belay, belay.policy("brand_voice"), human("bruno"), "it begins")
    changes = [("human_only", "reversible"), *([("surface: home", "surface: elsewhere")] if moved else [])]
    rename(belay, "brand_voice", "brand_tone", *changes)
    document = DOCUMENT | {"capability": "brand_tone"}
    with refused("people-adopt"):
        propose(belay, parse_proposal(document))
    assert "brand_tone" not in belay.ledger.state().capabilities
    adopt_policy(belay, belay.policy("brand_tone"), human("bruno"), "it is another decision")
    propose(belay, parse_proposal(document))
    assert belay.ledger.state().capabilities["brand_tone"].decision_class is DecisionClass.REVERSIBLE


def test_what_is_live_without_a_file_is_named(belay: Services) -> None:
    from tests.support.live import make_live

    make_live(belay, 1)
    assert not [alarm for alarm in alarms(belay) if alarm.what.startswith("file:")]
    (name,) = belay.ledger.state().capabilities
    (belay.settings.policies / f"{name}.yaml").unlink(missing_ok=True)
    told = [alarm.sentence for alarm in alarms(belay) if alarm.what == f"file:{name}"]
    assert told
    assert f"belay veto capability:{name}" in told[0]


# -- freezes and reasons ----------------------------------------------------------------------------


def test_lifting_a_freeze_takes_the_rights_of_the_kill_switch_and_no_own_change(belay: Services) -> None:
    propose(belay, parse_proposal(DOCUMENT | {"agent": "ranker", "agent_owner": "timo"}))
    person = {who.id: who for who in belay.roster().people}
    people.freeze(belay, "all", person=person["priya"], reason="look")
    with refused("role"):
        people.unfreeze(belay, "all", person=person["priya"], reason="looked")
    with refused("own-freeze"):  # ops, and answers for the agent
        people.unfreeze(belay, "all", person=person["timo"], reason="looked")
    people.unfreeze(belay, "all", person=person["omar"], reason="looked")
    assert not belay.ledger.state().freezes


@pytest.mark.parametrize("blank", BLANK, ids=ascii)
def test_what_nobody_can_read_is_no_reason_for_any_act(belay: Services, blank: str) -> None:
    assert not is_reason(blank)
    request = asked(belay)
    state, nora = belay.ledger.state(), human("nora")
    seen = state.requests[request]
    roles = frozenset({"cx_owner", "veto", "ops"})
    now = belay.now()
    acts = [
        c.AdoptPolicy(belay.policy("brand_voice"), blank),
        c.CastVote(request, Choice.APPROVE, blank, roles, seen.digest, "test"),
        c.Delegate("priya", roles, now + timedelta(days=1), blank, "test"),
        c.EndDelegation("none", blank),
        c.Freeze("all", blank),
        c.JudgeProposal(NAME, agrees=True, reason=blank, roles=roles, via="test"),
        c.RollBack(NAME, "person", blank),
        c.Stop("stop-1", "all", blank, "test", now),
        c.Unfreeze("all", blank, roles),
        c.Veto(NAME, blank, roles, "test"),
    ]
    for command in acts:
        outcome = belay.ledger.execute(command, by=nora, at=now)
        assert outcome.refusal is not None, command
        assert outcome.refusal.rule == "reason", command
    assert belay.ledger.state() == state


@pytest.mark.parametrize("text", ["no", "7", "…", "👍", "理由", "a\u200bb", "\ufffd"])
def test_what_people_can_read_is_a_reason(text: str) -> None:
    assert is_reason(text)


def test_every_command_with_a_reason_of_a_person_asks_for_one() -> None:
    """A new act cannot be forgotten: the check is one, before every rule."""
    from dataclasses import fields

    from belay.domain import decide

    acts = {kind for kind in decide._RULES if "reason" in {field.name for field in fields(kind)}}
    services_only = decide._NOT_FOR_AGENTS - {c.AdoptPolicy}
    people_act = acts - services_only - {c.Promote, c.Demote, c.TurnBack}
    assert people_act == set(decide._ACTS), "say in decide._ACTS what the act is called"


# -- limits and heartbeats --------------------------------------------------------------------------


def test_an_agents_proposals_of_a_day_are_limited_and_the_refusal_says_until_when(belay: Services) -> None:
    edit(belay, "checkout_wording", "owner: carla", "limits: {proposals_per_day: 2}\nowner: carla")
    for number in (1, 2):
        propose(belay, parse_proposal(DOCUMENT | {"optimization": f"idea-{number}"}))
    propose(belay, parse_proposal(DOCUMENT | {"optimization": "idea-2"}))  # the same again is no new one
    with refused("proposals-per-day") as caught:
        propose(belay, parse_proposal(DOCUMENT | {"optimization": "idea-3"}))
    first = belay.ledger.state().optimizations["idea-1"].proposed_at
    assert caught.value.refusal.until == first + timedelta(days=1)
    take_proposal(belay, DOCUMENT | {"optimization": "idea-4"}, human("priya"))


LIMITS = "limits: {proposal_bytes: 2000, proposal_depth: 5}"


def test_size_and_depth_are_limited_by_policy(belay: Services) -> None:
    edit(
        belay,
        "checkout_wording",
        "owner: carla",
        "limits: {proposal_bytes: 2000, proposal_depth: 5}\nowner: carla",
    )
    large = [{"key": "treatment", "payload": "x" * 3000}]
    with refused("proposal-bytes"):
        propose(belay, parse_proposal(DOCUMENT | {"variants": large}))
    deep = [{"key": "treatment", "payload": [[[["x"]]]]}]
    with refused("proposal-depth"):
        propose(belay, parse_proposal(DOCUMENT | {"variants": deep}))
    assert not belay.ledger.state().optimizations


def test_a_limit_that_nobody_wrote_makes_no_other_policy(belay: Services) -> None:
    before = belay.policy("checkout_wording").digest
    edit(belay, "checkout_wording", "owner: carla", "limits: {proposals_per_day: 50}\nowner: carla")
    assert belay.policy("checkout_wording").digest == before
    edit(belay, "checkout_wording", "proposals_per_day: 50", "proposals_per_day: 49")
    assert belay.policy("checkout_wording").digest != before


def test_any_recent_heartbeat_counts_whatever_a_clock_ahead_says(belay: Services) -> None:
    propose(belay, parse_proposal(DOCUMENT))
    watch, now = Watch(belay.ledger.engine), belay.now()
    ahead = now + timedelta(hours=3)
    watch.beat(Beat("cli@ahead", ahead, ahead))
    assert "one of two clocks is wrong" in str(missing_guard(belay))
    watch.beat(Beat("airflow", now, now))
    assert missing_guard(belay) is None
    watch.beat(Beat("airflow", now - timedelta(hours=2), now))
    assert "has not looked for 2 hours" in str(missing_guard(belay))


def test_before_the_first_heartbeat_a_guard_has_five_intervals(belay: Services, monkeypatch) -> None:
    propose(belay, parse_proposal(DOCUMENT))
    assert missing_guard(belay) is None
    begun, every = belay.now(), belay.settings.guard_every
    monkeypatch.setattr(Services, "now", lambda _: begun + 4 * every)
    assert missing_guard(belay) is None
    monkeypatch.setattr(Services, "now", lambda _: begun + 6 * every)
    assert "no guard has ever looked" in str(missing_guard(belay))


def test_a_reconcile_that_stopped_is_an_alarm(belay: Services, monkeypatch) -> None:
    from belay.actuation.reconcile import reconcile

    propose(belay, parse_proposal(DOCUMENT))
    reconcile(belay)  # by hand: nobody misses the next one
    begun = belay.now()
    monkeypatch.setattr(Services, "now", lambda _: begun + timedelta(minutes=4))
    assert not alarms(belay)
    reconcile(belay, name="airflow", every=60)
    monkeypatch.setattr(Services, "now", lambda _: begun + timedelta(minutes=30))
    assert {alarm.what for alarm in alarms(belay)} == {"guard", "reconcile"}


def test_a_name_is_compared_without_keeping_addresses() -> None:
    nora = Person("nora", "Nora", "Nora@Shop.example", frozenset(), ("n.l",), "U1")
    same = Person("x", "X", "nora@shop.EXAMPLE", frozenset())
    assert set(nora.names) & set(same.names)
    assert not any("shop" in name or "nora" in name for name in nora.names)
    assert Roster((nora, same)).by_account(AirflowUser("n.l")) == human("nora")
