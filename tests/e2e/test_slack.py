"""The whole loop through Slack: posted, clicked, reasoned, counted, widened, told; and killed in between.

Nora answers over Socket Mode and Omar over HTTP to the route that the plugin mounts: one quorum.
"""

from __future__ import annotations

import pytest
from tests.support.asked import Asked, Desk
from tests.support.block_kit import faults
from tests.support.world import SECRET, slack_id

from belay.domain.events import VoteCast, WideningIntended
from belay.domain.request_state import RequestStatus
from belay.domain.run import Run
from belay.domain.state import Status
from belay.ledger.verify import verify
from belay.slack.message import APPROVE

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

NAME, CAPABILITY = "checkout-in-slack", "checkout_hints"
RUN = Run.of_step(CAPABILITY, NAME, 1)
PROPOSAL = {
    "optimization": NAME,
    "title": "A calmer hint",
    "hypothesis": "<!channel> Less haste, fewer errors.",
    "variants": [{"key": "treatment", "payload": {"label": "take your time"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
    "tags": ["brand"],
}
NORA, OMAR, TIMO = map(slack_id, ("nora", "omar", "timo"))


@pytest.fixture(scope="module")
def loop(world, slack):
    """Ask in Slack, answer over both transports, and kill what carries the answer before it is acted upon."""
    seen, desk, ask = {}, Desk(world), Asked(world, slack, NAME)
    desk.start()
    try:
        body = {"dag_run_id": RUN.run_id, "logical_date": None, "conf": PROPOSAL}
        world.trigger(RUN.dag, body)
        world.until("it is asked", ask.request)
        seen["asked"] = world.until("it is posted", ask.message)
        world.until("the task waits", lambda: world.client().waits(RUN))
        world.until("the socket is connected", lambda: slack.state()["connected"])
        slack.click(TIMO, APPROVE, seen["asked"]["ts"])
        seen["told"] = world.until("timo is told", slack.told)
        seen["over a socket"] = ask.approve(NORA, "calm is good")
        seen["tally"] = world.until("the tally", lambda: ask.shows("calm is good"))
        seen["served after one"] = world.served(NAME)

        slack.set(events_url=f"{world.airflow.url}/belay-slack/events", secret=SECRET)
        desk.kill()
        killed = {part: world.pid_of(part) for part in ("api-server", "scheduler")}
        world.kill("scheduler")
        seen["over http"] = ask.approve(OMAR, "no legal risk")
        world.until("the vote is recorded", lambda: len(ask.request().votes) == 2)
        world.kill("api-server")
        desk.start()
        world.until("1 % is served", lambda: world.served(NAME) == 100)
        seen["again"] = {part: pid != world.pid_of(part) for part, pid in killed.items()}
        seen["outcome"] = world.until("the outcome", lambda: ask.shows("Approved by"))
        world.until("the thread has it", lambda: len(slack.thread(seen["asked"]["ts"])) == 4)
        seen["request"] = ask.request()
        seen["messages"] = ask.messages()
        yield seen
    finally:
        slack.set(events_url="")
        desk.stop()


def buttons(message):
    blocks = [block for block in message["blocks"] if block["type"] == "actions"]
    return [element["action_id"] for block in blocks for element in block["elements"]]


def test_it_is_asked_within_slacks_limits(loop):
    assert faults(loop["asked"]) == []
    assert buttons(loop["asked"]) == ["belay_approve", "belay_reject", "belay_veto", "belay_open"]
    assert "may it go from 0 % to 1 %?" in loop["asked"]["text"]
    assert "0 of 2 approvals" in str(loop["asked"])


def test_who_may_not_answer_is_told_who_may(loop):
    assert "Nora Lindqvist" in loop["told"][0]


def test_every_click_and_every_reason_is_acknowledged(loop):
    assert [answer["status"] for answer in loop["over a socket"] + loop["over http"]] == [200] * 4


def test_one_vote_of_two_widens_nothing_and_shows_in_the_message(loop):
    assert loop["served after one"] == 0
    assert buttons(loop["tally"])
    assert "1 of 2 approvals" in str(loop["tally"])


def test_what_was_killed_between_click_and_resume_lost_and_doubled_nothing(loop, world):
    assert loop["again"] == {"api-server": True, "scheduler": True}
    events = [entry.event for entry in world.belay.ledger.history(optimization=NAME)]
    votes = [(e.voter, e.via, e.reason) for e in events if isinstance(e, VoteCast)]
    assert votes == [("nora", "slack", "calm is good"), ("omar", "slack", "no legal risk")]
    assert [(e.from_scope, e.to_scope) for e in events if isinstance(e, WideningIntended)] == [(0, 100)]
    assert loop["request"].status is RequestStatus.GRANTED
    assert verify(world.belay.ledger).ok


def test_the_message_tells_the_outcome_once(loop, slack):
    assert len(loop["messages"]) == 1
    assert not buttons(loop["outcome"])
    thread = slack.thread(loop["asked"]["ts"])
    assert f"digest {loop['request'].digest[:12]}" in thread[0]
    assert thread[1].startswith("*Nora Lindqvist* approved")
    assert thread[2].startswith("*Omar Haddad* approved")


def test_a_veto_by_command_takes_it_down(loop, world, slack):
    slack.set(events_url=f"{world.airflow.url}/belay-slack/events", secret=SECRET)
    world.until("the web server is back", world.airflow.healthy)
    told = len(slack.told())
    slack.command(OMAR, f"veto {NAME} customers complain")
    world.until("omar is told", lambda: slack.told()[told:])
    assert world.served(NAME) == 0
    assert world.optimization(NAME).status is Status.VETOED
