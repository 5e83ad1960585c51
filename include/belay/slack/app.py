"""The Bolt app: clicks open a modal, a reason becomes a vote, veto or judgement, commands act at once.

It answers over HTTP or Socket Mode, whichever it is served by. Each listener acknowledges first and works
after. Who somebody is, Slack says (signed); what they may do, the roster says.
"""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from belay.slack.answers import Answers
from belay.slack.commands import Commands
from belay.slack.desk import Desk
from belay.slack.judgements import Judgements
from belay.slack.message import APPROVE, OPEN, REJECT, VETO
from belay.slack.modal import CALLBACK, JUDGE_CALLBACK
from belay.slack.weekly import JUDGING


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
