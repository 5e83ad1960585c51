"""At observe the week's proposals are listed once, and judged where they are listed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from tests.slack.conftest import DANA, HOSTILE, NORA, OMAR, PRIYA, STRANGER, TIMO
from tests.support.block_kit import faults

from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.gates import Estimate
from belay.execution import execute
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.oversight import people
from belay.slack import watch
from belay.slack.modal import REASON_BLOCK
from belay.slack.serve import watcher_of
from belay.slack.weekly import MOST_CLOSED, MOST_WAITING
from belay_lab.shop.scenario import SCENARIOS

NAME = "checkout-delivery-date"
WOULD, WOULD_NOT = "belay_would:1", "belay_would_not:1"


@pytest.fixture
def belay(belay):
    """The capability is at observe: what is proposed waits for a judgement."""
    file = belay.settings.policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("initial_stage: supervised", "initial_stage: observe"))
    return belay


def proposed(belay, name=NAME, **changes):
    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    return propose(belay, parse_proposal(document | {"optimization": name} | changes)).id


def judgements(belay, name=NAME):
    return belay.ledger.state().optimizations[name].results.judgements


def judged(belay, name, agrees=True, by="nora", reason="reads like us"):
    person = belay.roster().person(by)
    people.judge(belay, name, agrees=agrees, person=person, reason=reason, via="cli")


def lists(slack):
    return [m for m in slack.posted() if "would you?" in m["text"]]


def list_of(slack):
    """Wait for the one list."""
    (message,) = slack.until("the list is posted", lambda: len(found := lists(slack)) == 1 and found)
    return message


def buttons(message):
    """Return the proposals that have buttons, in the message's order."""
    rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
    assert all([e["text"]["text"] for e in row] == ["I would have", "I would not"] for row in rows)
    assert all(len({element["value"] for element in row}) == 1 for row in rows)
    return [row[0]["value"] for row in rows]


def words(message):
    """Return everything that the message shows, as one string."""

    def texts(thing):
        if isinstance(thing, dict):
            if isinstance(thing.get("text"), str):
                yield thing["text"]
            thing = list(thing.values())
        if isinstance(thing, list):
            for part in thing:
                yield from texts(part)

    return "\n".join(texts(message["blocks"]))


def asked(slack, user, action, ts):
    """Click, and wait for the modal."""
    seen = len(slack.state()["views"])
    envelope = slack.click(user, action, ts)
    slack.until("the click is acknowledged", lambda: slack.acknowledged(envelope))
    return slack.until("the modal is open", lambda: (v := slack.state()["views"])[seen:] and v)[-1]


def told(slack, user, action, ts):
    """Click, and wait for the answer that only this person sees."""
    seen = len(slack.told())
    slack.click(user, action, ts)
    return slack.until("they are told", lambda: slack.told()[seen:])[0]


# -- from the click to the ledger and back -----------------------------------------------------------


def test_the_list_keeps_the_ledgers_head_of_when_it_was_posted(slack, belay, served):
    """Outside the ledger, in the form that `belay ledger verify --since` takes; no later look moves it."""
    proposed(belay)
    number, digest = belay.ledger.head()
    message = list_of(slack)
    assert f"belay ledger verify --since {number}:{digest}" in words(message)
    judged(belay, NAME)
    later = slack.until(
        "it tells the judgement", lambda: "reads like us" in words(lists(slack)[0]) and lists(slack)[0]
    )
    assert f"--since {number}:{digest}" in words(later)


def test_a_click_and_a_reason_become_a_judgement_and_the_list_tells_it(slack, belay, served):
    name = proposed(belay)
    message = list_of(slack)
    assert faults(message) == []
    assert buttons(message) == [name]
    view = asked(slack, NORA, WOULD, message["ts"])
    assert (view["title"]["text"], view["submit"]["text"]) == ("I would have", "I would have")
    assert "Why would you have done it?" in str(view)
    assert f"{name}: “Say when the parcel will arrive”" in str(view)
    slack.submit(NORA, "reads like us")
    slack.until("the judgement counts", lambda: judgements(belay))
    (said,) = judgements(belay)
    assert (said.judge, said.agrees, said.counted) == ("nora", True, True)
    slack.until("the buttons are gone", lambda: not buttons(list_of(slack)))
    shown = words(list_of(slack))
    assert "✓ Nora Lindqvist would have done it: reads like us" in shown
    assert "No proposal waits for a judgement." in shown
    assert slack.told() == [], "who judged sees it in the list"


def test_it_would_not_have_been_done(slack, belay, served):
    name = proposed(belay)
    assert "Why would you not have done it?" in str(asked(slack, PRIYA, WOULD_NOT, list_of(slack)["ts"]))
    slack.submit(PRIYA, "we never promise a day")
    slack.until("the judgement counts", lambda: judgements(belay, name))
    assert [(said.judge, said.agrees) for said in judgements(belay)] == [("priya", False)]
    slack.until(
        "the list tells it",
        lambda: "✗ Priya Raman would not have done it: we never promise a day" in words(list_of(slack)),
    )


def test_a_second_click_says_that_it_was_judged(slack, belay, served):
    name = proposed(belay)
    before = list_of(slack)
    for person in (NORA, PRIYA):
        asked(slack, person, WOULD, before["ts"])
    late = slack.a_click(NORA, WOULD, before["ts"])
    envelope = slack.submit(NORA, "reads like us", view=0, copies=2)
    slack.until("both copies are acknowledged", lambda: len(slack.acknowledgements(envelope)) == 2)
    slack.until("it is recorded", lambda: judgements(belay, name))
    assert [answer["body"] for answer in slack.acknowledgements(envelope)] == ["{}", "{}"]
    assert slack.told() == []
    slack.send("interactive", late)
    slack.until("the late click is told", lambda: f"{name} was judged already." in slack.told())
    assert len(judgements(belay)) == 1
    # Whoever had the form open is heard as well: the record goes by what most said.
    slack.submit(PRIYA, "not for me", view=1)
    slack.until("both are recorded", lambda: len(judgements(belay)) == 2)
    slack.until("both are shown", lambda: "Priya Raman" in words(list_of(slack)))


def test_who_is_not_asked_is_told_why_and_nobody_else_sees_it(slack, belay, served):
    proposed(belay)
    ts = list_of(slack)["ts"]
    assert told(slack, STRANGER, WOULD, ts).startswith("You are nobody of the roster")
    not_theirs = "This is not yours to judge; it takes cx_owner (Nora Lindqvist, Priya Raman)."
    assert told(slack, TIMO, WOULD, ts) == not_theirs
    assert told(slack, OMAR, WOULD_NOT, ts) == not_theirs
    file = belay.settings.policies / "_people.yaml"
    roster = yaml.safe_load(file.read_text())
    roster["people"]["dana"]["roles"] = ["cx_owner"]
    roster["people"]["priya"]["active"] = False
    file.write_text(yaml.safe_dump(roster))
    answer = told(slack, DANA, WOULD, ts)
    own_work = "Your judgement would not count: you proposed this, or you are accountable for its agent."
    assert answer == f"{own_work} To put it on record all the same: /belay judge {NAME} yes|no reason"
    assert told(slack, PRIYA, WOULD, ts).startswith("You are not active in the roster")
    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    own = propose(belay, parse_proposal(document | {"optimization": "noras-own"}, by=human("nora"))).id
    slack.until("it is listed too", lambda: buttons(list_of(slack)) == [NAME, own])
    assert told(slack, NORA, "belay_would:2", ts).startswith(own_work)
    assert slack.state()["views"] == []
    assert judgements(belay) == ()
    # The owner puts it on record: the list shows it, and goes on asking.
    slack.command(DANA, f"judge {NAME} yes it is our own")
    slack.until("it is recorded", lambda: judgements(belay))
    slack.until("the list tells it", lambda: "Dana Novak would have" in words(list_of(slack)))
    assert "does not count" in words(list_of(slack))
    assert buttons(list_of(slack)) == [NAME, own]


def test_a_modal_gives_nobody_a_right(slack, belay, served):
    """What the form carries only says what is judged; who judges, and whether they may, it does not."""
    name, other = proposed(belay), proposed(belay, "checkout-other", title="Another one")
    asked(slack, NORA, WOULD, list_of(slack)["ts"])

    def refused(payload):
        envelope = slack.send("interactive", payload)
        answer = json.loads(slack.until("it is answered", lambda: slack.acknowledged(envelope))["body"])
        assert answer["response_action"] == "errors"
        return answer["errors"][REASON_BLOCK]

    assert "timo may not judge this" in refused(slack.a_submission(TIMO, "let me"))
    for packed in (
        "",
        "[]",
        "{}",
        '{"optimization": 3, "agrees": true}',
        '{"optimization": "x", "agrees": "yes"}',
    ):
        forged = slack.a_submission(NORA, "let me")
        forged["view"]["private_metadata"] = packed
        assert refused(forged) == "Not recorded: the modal does not say what it judges"
    assert refused(slack.a_submission(NORA, "  ")).startswith("Not recorded: a judgement needs a reason")
    assert slack.told() == [], "a refusal stands in the form, and nowhere else"
    assert judgements(belay, name) == judgements(belay, other) == ()


def test_the_slash_command_stays(slack, belay, served):
    name = proposed(belay)
    list_of(slack)
    slack.command(TIMO, f"judge {name} yes why not")
    slack.command(NORA, f"judge {name} perhaps")
    slack.command(NORA, f"judge {name} yes I would have done that")
    slack.until("the judgement counts", lambda: judgements(belay))
    assert [(said.judge, said.agrees, said.counted) for said in judgements(belay)] == [("nora", True, True)]
    slack.until("the list tells it", lambda: "I would have done that" in words(list_of(slack)))


# -- the list ----------------------------------------------------------------------------------------


def test_the_list_is_posted_once_whoever_watches(slack, belay, settings):
    assert watcher_of(belay, settings).tick() == [], "nothing waits"
    name, head = proposed(belay), belay.ledger.head()
    watcher = watcher_of(belay, settings)
    (week,) = watcher.tick()
    assert watcher.tick() == []
    assert watcher_of(belay, settings).tick() == [week], "another one finds it, and brings it up to date"
    assert list_of(slack)["metadata"]["event_payload"] == {
        "name": week,
        "listed": name,
        "head": "{}:{}".format(*head),
    }
    judged(belay, name)
    assert watcher.tick() == [week]
    assert buttons(list_of(slack)) == []


def test_a_long_list_shows_the_oldest_and_says_how_to_see_the_rest(slack, belay, settings):
    names = [proposed(belay, f"idea-{number:02}", title=f"Idea {number}") for number in range(25)]
    watcher = watcher_of(belay, settings)
    watcher.tick()
    message = list_of(slack)
    assert faults(message) == []
    assert buttons(message) == names[:MOST_WAITING]
    assert "25 proposals wait for a judgement." in words(message)
    assert f"{25 - MOST_WAITING} more: belay autonomy digest --json lists all of them." in words(message)
    # What is judged keeps its place; those after it move up.
    judged(belay, names[3])
    watcher.tick()
    message = list_of(slack)
    assert buttons(message) == [*names[:3], *names[4 : MOST_WAITING + 1]]
    shown = words(message)
    assert shown.index("Idea 2\n") < shown.index("Idea 3\n") < shown.index("Idea 4\n")
    for name in names[:3] + names[4:12]:
        judged(belay, name, agrees=False, reason="no" * 800)
        watcher.tick()
    message = list_of(slack)
    assert faults(message) == []
    assert buttons(message) == names[12:22]
    assert words(message).count("would not have done it") == MOST_CLOSED
    assert "3 more" in words(message)


def test_what_cannot_be_judged_any_more_has_no_buttons(slack, belay, settings):
    watcher = watcher_of(belay, settings)
    vetoed, waits = proposed(belay, "idea-vetoed"), proposed(belay, "idea-waiting")
    watcher.tick()
    before = list_of(slack)
    assert buttons(before) == [vetoed, waits]
    people.veto(
        belay, vetoed, person=belay.roster().person("nora"), reason="it <!channel> misleads", via="cli"
    )
    watcher.tick()
    assert buttons(list_of(slack)) == [waits]
    assert "Nobody is asked any more: it has ended: veto by nora: it <!channel> misleads" in words(
        list_of(slack)
    )


def test_a_new_week_takes_the_buttons_of_the_old_list(slack, belay, settings):
    monday = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
    belay.now = lambda: monday
    first, second = proposed(belay, "idea-one"), proposed(belay, "idea-two")
    watcher = watcher_of(belay, settings)
    assert watcher.tick() == ["digest-2026-W47"]
    judged(belay, first)
    belay.now = lambda: monday + timedelta(days=7)
    no_guard, *shown = watcher.tick()
    assert no_guard == "alarm-2026-11-23", "no guard has looked in all that week"
    assert shown == ["digest-2026-W48", "digest-2026-W47"]
    old, new = lists(slack)
    assert (buttons(old), buttons(new)) == ([], [second])
    assert "This list is over: what still waits is in the newest one." in words(old)
    assert "Nora Lindqvist would have done it" in words(old)
    # It is over: what happens from now on is shown in the new one alone.
    judged(belay, second, by="priya")
    assert watcher.tick() == ["digest-2026-W48"]
    assert "Priya Raman" not in words(lists(slack)[0])
    # A week in which nothing waits posts nothing, and leaves nothing to click.
    belay.now = lambda: monday + timedelta(days=14)
    no_guard, *shown = watcher_of(belay, settings).tick()
    assert (no_guard, shown) == ("alarm-2026-11-30", ["digest-2026-W48"]), "it is told while it lasts"
    assert len(lists(slack)) == 2
    assert watcher_of(belay, settings).tick() == []


@pytest.mark.parametrize(
    "said",
    [
        HOSTILE,
        "]}]" * 3000,
        "\u202e\u2066\u200f\u0007" * 2000,
        "👩‍👩‍👧‍👦" * 1500,
        "<@U000000000> <!here>" * 400,
    ],
)
def test_neither_the_agents_words_nor_peoples_are_interpreted(slack, belay, settings, said):
    for number in range(MOST_WAITING + MOST_CLOSED):
        proposed(belay, f"idea-{number:02}", title=said[:150] or "x", hypothesis=said[:10_000])
    watcher = watcher_of(belay, settings)
    for number in range(MOST_CLOSED):
        watcher.tick()
        # Words without a visible letter are no reason: one word is.
        judged(belay, f"idea-{number:02}", reason=f"no {said}"[:2000])
    watcher.tick()
    message = list_of(slack)
    assert faults(message) == []
    assert len(buttons(message)) == MOST_WAITING
    kinds = {block["type"] for block in message["blocks"]}
    assert kinds == {"header", "context", "divider", "rich_text", "actions"}, "none of them parses anything"
    assert "mrkdwn" not in str(message["blocks"])
    assert "<" not in message["text"], "the fallback is parsed, so it is escaped"
    assert not {"\u202e", "\u2066", "\u200f", "\u0000"} & set(words(message))
    assert len(words(message)) < 12_000


def test_slack_away_loses_no_list(slack, belay, settings):
    name, watcher = proposed(belay), watcher_of(belay, settings)
    slack.set(down=True)
    assert watcher.tick() == []
    assert watcher.away
    slack.set(down=False)
    (week,) = watcher.tick()
    slack.set(down=True)
    judged(belay, name)
    assert watcher.tick() == []
    slack.set(down=False)
    assert watcher.tick() == [week]
    assert buttons(list_of(slack)) == []


def test_what_data_say_is_read_once_before_the_list_is_posted(slack, belay, settings, monkeypatch):
    name, read = proposed(belay), []

    def measure(services, policy):
        read.append(policy.id)
        execute(services, c.RecordShadow(name, Estimate(0.03, 0.01, 0.05), "would help", None), by="shadow")
        return []

    monkeypatch.setattr(watch, "measure_shadows", measure)
    watcher = watcher_of(belay, settings)
    assert watcher.tick()
    assert watcher.tick() == []
    assert "Data say +3.0 % (+1.0 % to +5.0 %)." in words(list_of(slack))
    assert read == ["checkout_wording"]
