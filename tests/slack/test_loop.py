"""The whole loop through a Slack-compatible server: posted, clicked, reasoned, counted, shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from tests.slack.conftest import DANA, NORA, OMAR, PRIYA, STRANGER, TIMO, ask

from belay.domain import commands as c
from belay.domain.actors import human, service
from belay.domain.events import Choice
from belay.domain.request_state import RequestStatus
from belay.domain.state import Status
from belay.oversight import people
from belay.slack.message import APPROVE, REJECT, VETO
from belay.slack.serve import watcher_of


def actions(message):
    blocks = [block for block in message["blocks"] if block["type"] == "actions"]
    return [element["action_id"] for block in blocks for element in block["elements"]]


def request_of(belay, name):
    return belay.ledger.state().requests[name]


def message_of(slack):
    """Wait for the one message of a request, beside news; of two posted at once, one is taken back."""

    def asked():
        posted = slack.posted()
        return [m for m in posted if not m["metadata"]["event_payload"]["name"].startswith("news-")]

    (message,) = slack.until("the request is posted", lambda: len(p := asked()) == 1 and p)
    return message


def test_a_click_and_a_reason_become_a_vote_and_the_message_tells_the_outcome(
    slack, belay, request_id, served, woken
):
    message = message_of(slack)
    assert actions(message) == [APPROVE, REJECT, VETO, "belay_open"]
    envelope = slack.click(NORA, APPROVE, message["ts"])
    slack.until("the click is acknowledged", lambda: slack.acknowledged(envelope))
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(NORA, "worth it")
    slack.until("it is granted", lambda: request_of(belay, request_id).status is RequestStatus.GRANTED)
    votes = request_of(belay, request_id).votes
    assert [(v.voter, v.via, v.reason) for v in votes] == [("nora", "slack", "worth it")]
    slack.until("the message tells it", lambda: "Approved" in message_of(slack)["text"])
    assert not actions(message_of(slack))
    lines = slack.until("the thread has it", lambda: len(t := slack.thread(message["ts"])) == 3 and t)
    assert lines[0].startswith("*The agent's reason:*")
    assert f"digest {request_of(belay, request_id).digest[:12]}" in lines[0]
    assert lines[1].startswith("*Nora Lindqvist* approved via slack: worth it")
    assert lines[2] == "*Approved.* Approved by Nora Lindqvist."
    slack.until("its run is woken", lambda: woken == [request_id])


def test_who_has_no_right_is_told_who_has_it(slack, belay, request_id, served):
    ts = message_of(slack)["ts"]
    slack.click(TIMO, APPROVE, ts)
    (told,) = slack.until("timo is told", slack.told)
    assert told == "This is not yours to answer; it takes cx_owner (Nora Lindqvist, Priya Raman)."
    slack.click(STRANGER, VETO, ts)
    assert "it takes veto" in slack.until("the stranger is told", lambda: slack.told()[1:])[0]
    assert slack.state()["views"] == []
    assert request_of(belay, request_id).votes == ()


def test_whose_answer_would_not_count_is_told_before_the_form_opens(slack, belay, request_id, served):
    """Accountable for the agent, or too late: nobody writes a reason that is thrown away."""
    file = belay.settings.policies / "_people.yaml"
    roster = yaml.safe_load(file.read_text())
    roster["people"]["dana"]["roles"] = ["cx_owner"]
    file.write_text(yaml.safe_dump(roster))
    ts = message_of(slack)["ts"]
    slack.click(DANA, APPROVE, ts)
    (told,) = slack.until("dana is told", slack.told)
    assert told.startswith("Not counted: your answer would not count: you proposed this")
    ahead = request_of(belay, request_id).expires_at
    belay.now = lambda: ahead
    slack.click(NORA, APPROVE, ts)
    assert "expired" in slack.until("nora is told", lambda: slack.told()[1:])[0]
    assert slack.state()["views"] == []


def test_one_press_is_a_reason(slack, belay, request_id, served):
    slack.click(NORA, APPROVE, message_of(slack)["ts"])
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(NORA, "", quick=0)
    slack.until("it is granted", lambda: request_of(belay, request_id).status is RequestStatus.GRANTED)
    assert request_of(belay, request_id).votes[0].reason == "The figures are clear"


def test_an_envelope_sent_twice_and_two_servers_are_one_vote(slack, belay, request_id, serving):
    serving()
    serving()
    slack.until("both are connected", lambda: slack.state()["connected"] == 2)
    ts = message_of(slack)["ts"]
    slack.click(NORA, APPROVE, ts, copies=2)
    slack.until("both copies are heard", lambda: slack.count("views.open") == 2)
    assert len(slack.state()["views"]) == 1, "a trigger opens one modal"
    envelope = slack.submit(NORA, "worth it", copies=2)
    slack.until("it is granted", lambda: request_of(belay, request_id).status is RequestStatus.GRANTED)
    slack.until("both copies are acknowledged", lambda: len(slack.acknowledgements(envelope)) == 2)
    assert len(request_of(belay, request_id).votes) == 1
    assert slack.told() == [], "what counted is not answered as a refusal"
    assert [answer["body"] for answer in slack.acknowledgements(envelope)] == ["{}", "{}"]
    slack.until("one message is left", lambda: len(slack.posted()) == 1)


def test_a_lent_voice_is_heard_and_named(slack, belay, request_id, served):
    slack.command(NORA, f"delegate <@{TIMO}|timo> until 3d on leave")
    assert "timo answers for you as cx_owner and veto until" in slack.until("told", slack.told)[0]
    ts = message_of(slack)["ts"]
    slack.click(TIMO, APPROVE, ts)
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(TIMO, "as agreed")
    slack.until("it is granted", lambda: request_of(belay, request_id).status is RequestStatus.GRANTED)
    lines = slack.until("the thread has it", lambda: slack.thread(ts)[1:])
    assert lines[0].startswith("*Timo Salo* for Nora Lindqvist approved")


def test_a_member_of_the_roles_group_may_answer(slack, belay, request_id, served):
    people_file = belay.settings.policies / "_people.yaml"
    people_file.write_text(people_file.read_text() + "slack_groups: {cx_owner: S0CX}\n")
    slack.set(groups={"S0CX": [TIMO, STRANGER]})
    ts = message_of(slack)["ts"]
    slack.click(STRANGER, APPROVE, ts)
    slack.until("the stranger is told", slack.told)
    slack.click(TIMO, APPROVE, ts)
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(TIMO, "as a member")
    slack.until("it is granted", lambda: request_of(belay, request_id).status is RequestStatus.GRANTED)
    assert request_of(belay, request_id).votes[0].roles == ("cx_owner",)


def test_a_veto_by_command_takes_it_down_and_wakes_its_run(slack, belay, request_id, served, woken):
    slack.command(PRIYA, "veto checkout-delivery-date no reason of hers")
    assert "holds no veto" in slack.until("priya is told", slack.told)[0]
    slack.command(NORA, "veto checkout-delivery-date it misleads")

    def vetoed():
        known = belay.ledger.state().optimizations["checkout-delivery-date"]
        return known.status is Status.VETOED and known

    assert "it misleads" in slack.until("it is vetoed", vetoed).reason
    assert "taken down" in slack.until("nora is told", lambda: slack.told()[1:])[0]
    slack.until("the message says it", lambda: "Vetoed" in message_of(slack)["text"])
    assert woken == [request_id]


def test_commands_that_mean_nothing_are_answered_with_the_usage(slack, belay, request_id, served):
    for said in ("dance", "", "help"):
        envelope = slack.command(NORA, said)
        answer = slack.until("acknowledged", lambda e=envelope: slack.acknowledged(e))
        assert "/belay veto OPTIMIZATION reason" in answer["body"]
    slack.command(NORA, "veto checkout-delivery-date")
    assert "say /belay veto OPTIMIZATION reason" in slack.until("told", slack.told)[0]
    slack.command(STRANGER, "status")
    assert "nobody of the roster" in slack.until("told", lambda: slack.told()[1:])[0]
    slack.command(NORA, "status")
    status = slack.until("told", lambda: slack.told()[2:])[0]
    assert status.startswith("0 live, 1 waiting for people")
    assert "checkout-delivery-date waits for cx_owner" in status


def test_a_roll_back_by_the_guard_takes_the_question_away(slack, belay, request_id, served):
    ts = message_of(slack)["ts"]
    harm = c.RollBack("checkout-delivery-date", "guard", "Conversion fell by 20 %")
    belay.ledger.execute(harm, by=service("guard"), at=belay.now())
    slack.until("the message says it", lambda: "Not asked any more" in message_of(slack)["text"])
    assert not actions(message_of(slack))
    assert "Conversion fell by 20 %" in str(message_of(slack))
    slack.until("the thread has it", lambda: "Not asked any more" in str(slack.thread(ts)))
    assert request_of(belay, request_id).status is RequestStatus.VOID
    assert belay.ledger.state().optimizations["checkout-delivery-date"].status is Status.ROLLED_BACK


def test_the_kill_switch_by_command(slack, belay, request_id, served):
    slack.command(NORA, "stop capability:checkout_wording the numbers are odd")
    told = slack.until("told", slack.told)[0].replace("\u200b", "")
    assert told == "capability:checkout_wording is stopped: nothing was live; frozen until a person lifts it."
    assert "capability:checkout_wording" in belay.ledger.state().freezes
    slack.until("the message says it", lambda: "Not asked any more" in message_of(slack)["text"])


def test_silence_is_reminded_and_escalated_in_the_thread(slack, belay, settings):
    request, watcher = ask(belay), watcher_of(belay, settings)
    watcher.tick()
    for part in (0.5, 0.75):
        at = request.asked_at + part * (request.expires_at - request.asked_at)
        belay.ledger.execute(c.SettleRequest(request.id), by=service("approval"), at=at)
        watcher.tick()
    _details, reminded, escalated = slack.thread(message_of(slack)["ts"])
    assert reminded.replace("\u200b", "").startswith("⏰ Reminder: 0 of 1 approvals; needs a cx_owner.")
    assert f"<@{NORA}> <@{PRIYA}>" in reminded
    assert "director may answer now" in escalated.replace("\u200b", "")
    after = request.expires_at + timedelta(seconds=1)
    belay.ledger.execute(c.SettleRequest(request.id), by=service("approval"), at=after)
    watcher.tick()
    assert "Expired, nobody decided" in message_of(slack)["text"]


def test_a_restarted_watcher_repeats_nothing(slack, belay, settings, request_id):
    watcher = watcher_of(belay, settings)
    watcher.tick()
    nora = belay.roster().person("nora")
    people.vote(belay, request_id, Choice.APPROVE, person=nora, reason="fine", via="cli")
    watcher.tick()
    before = slack.state()["messages"]
    calls = slack.state()["counts"]
    again = watcher_of(belay, settings)
    assert again.tick() == []
    assert slack.state()["counts"] == calls, "it knows where everything is without asking Slack"
    assert {ts: m["text"] for ts, m in slack.state()["messages"].items()} == {
        ts: m["text"] for ts, m in before.items()
    }


def test_slack_away_for_the_whole_wait_loses_nothing(slack, belay, request_id, settings):
    watcher = watcher_of(belay, settings)
    watcher.tick()
    slack.set(down=True)
    nora = belay.roster().person("nora")
    people.vote(belay, request_id, Choice.APPROVE, person=nora, reason="fine", via="cli")
    assert watcher.tick() == []
    assert watcher.away
    assert request_of(belay, request_id).status is RequestStatus.GRANTED
    slack.set(down=False, rate_limited=1)
    assert watcher.tick() == [request_id]
    assert "Approved" in message_of(slack)["text"]
    assert watcher.tick() == []


def test_slack_away_at_the_start_delays_asking(slack, belay, request_id, serving):
    slack.set(down=True)
    serving()
    slack.until("it tried", lambda: len(slack.state()["calls"]) > 1)
    assert slack.posted() == []
    slack.set(down=False)
    message_of(slack)


def test_a_vote_on_what_was_shown_before_does_not_count(slack, belay, request_id, served):
    ts = message_of(slack)["ts"]
    slack.click(NORA, APPROVE, ts)
    slack.until("the modal is open", lambda: slack.state()["views"])
    policy = replace(belay.policy("checkout_wording"), digest="another")
    belay.ledger.execute(c.AdoptPolicy(policy, "changed"), by=human("carla"), at=belay.now())
    envelope = slack.submit(NORA, "worth it")
    answer = slack.until("nora is told in the form", lambda: slack.acknowledged(envelope))
    assert "Not counted: request" in answer["body"]
    assert "is void: the policy changed" in answer["body"]
    assert slack.told() == []
    assert request_of(belay, request_id).votes == ()
    slack.until("the message says it", lambda: "Not asked any more" in message_of(slack)["text"])


def test_two_people_in_the_same_moment(slack, belay, request_id, served):
    ts = message_of(slack)["ts"]
    for person in (NORA, PRIYA):
        slack.click(person, REJECT if person == PRIYA else APPROVE, ts)
    slack.until("both modals", lambda: len(slack.state()["views"]) == 2)
    envelopes = [slack.submit(NORA, "yes", view=0), slack.submit(PRIYA, "no", view=1)]
    slack.until("it is decided", lambda: request_of(belay, request_id).status is not RequestStatus.OPEN)
    slack.until("both are answered", lambda: all(map(slack.acknowledged, envelopes)))
    told = [slack.acknowledged(envelope)["body"] for envelope in envelopes]
    assert sum("Not counted" in body for body in told) == 1, "the other one is told in the form"
    assert len(request_of(belay, request_id).votes) == 1


@pytest.mark.parametrize("who", [OMAR])
def test_a_veto_holder_without_a_vote_gets_the_veto_modal(slack, belay, request_id, served, who):
    ts = message_of(slack)["ts"]
    slack.click(who, VETO, ts)
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(who, "not like this")
    slack.until(
        "it is vetoed",
        lambda: belay.ledger.state().optimizations["checkout-delivery-date"].status is Status.VETOED,
    )
