"""The Bolt app: clicks open a modal, a reason becomes a vote, veto or judgement, commands act at once.

It answers over HTTP or Socket Mode, whichever it is served by. Each listener acknowledges first and works
after. Who somebody is, Slack says (signed); what they may do, the roster says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from slack_bolt.async_app import AsyncApp
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from belay.domain.request_state import RequestState
from belay.domain.roster import Person
from belay.slack.answers import Answers
from belay.slack.commands import Commands
from belay.slack.groups import Groups
from belay.slack.judgements import Judgements
from belay.slack.message import APPROVE, OPEN, REJECT, VETO
from belay.slack.modal import CALLBACK, JUDGE_CALLBACK
from belay.slack.repeats import Repeats
from belay.slack.weekly import JUDGING

if TYPE_CHECKING:
    from belay.slack.watch import Watcher

Wake = Callable[[RequestState], object]


@dataclass(frozen=True)
class Desk:
    """What the listeners work with.

    Attributes
    ----------
    watcher : Watcher
        Brings messages up to date after an answer; knows the ledger.
    wake : Wake
        Tells whoever waits for a request (a run in Airflow) to look at the ledger. It may fail: what
        waits looks again by itself.
    """

    watcher: Watcher
    wake: Wake

    @cached_property
    def repeats(self) -> Repeats:
        """What was heard already."""
        return Repeats(self.watcher.channel.store)

    @cached_property
    def groups(self) -> Groups:
        """The user groups that stand for roles."""
        return Groups(self.watcher.channel)

    def person(self, slack_id: str) -> Person | None:
        """Return who ``slack_id`` is, with the roles held now; None for somebody outside the roster."""
        return self.groups.person(self.watcher.belay.roster(), slack_id)


def create_app(desk: Desk, *, token: str, signing_secret: str, api_url: str) -> AsyncApp:
    """Return the app with its listeners."""
    client = AsyncWebClient(token=token, base_url=api_url, timeout=10)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    app = AsyncApp(
        signing_secret=signing_secret, client=client, request_verification_enabled=bool(signing_secret)
    )
    answers, judgements, commands = Answers(desk), Judgements(desk), Commands(desk)
    for action in (APPROVE, REJECT, VETO):
        app.action(action)(answers.clicked)
    app.action(OPEN)(answers.opened)
    app.view(CALLBACK)(answers.reasoned)
    app.action(re.compile(JUDGING))(judgements.clicked)
    app.view(JUDGE_CALLBACK)(judgements.reasoned)
    app.command("/belay")(commands.commanded)
    return app
