"""Asking Slack: clients, and what they raise as one error that says what Slack said, and to what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aiohttp import ClientError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

_SECONDS = 10
_SERVER_ERROR, _TOO_MANY = 500, 429
_AT_ONCE = 3
_UNSAID_SECONDS = 5.0
"""How long to leave Slack alone when it refuses for too many calls and does not say how long."""
T = TypeVar("T")
AWAY = (SlackClientError, ClientError, OSError)
"""What the clients raise when Slack does not answer, or says no (TimeoutError is an OSError)."""


class SlackUnavailableError(Exception):
    """Slack cannot be reached, or says no; the message says what it said. The other channels still work.

    Attributes
    ----------
    error : str
        Slack's own word for it, such as ``missing_scope``; empty where it said none.
    unreachable : bool
        Whether asking for something else would be answered as little.
    retry_after : float or None
        Seconds for which Slack wants to be left alone; None where that is not what it said.
    """

    def __init__(
        self, message: str, *, error: str = "", unreachable: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.error = error
        self.unreachable = unreachable
        self.retry_after = retry_after


def web_client(token: str, api_url: str) -> WebClient:
    """Return a client for whoever may wait: it sleeps as long as ``Retry-After`` says, and asks again."""
    client = WebClient(token=token, base_url=api_url, timeout=_SECONDS)
    client.retry_handlers = [
        ConnectionErrorRetryHandler(max_retry_count=2),
        RateLimitErrorRetryHandler(max_retry_count=3),
    ]
    return client


def prompt_client(token: str, api_url: str) -> WebClient:
    """Return a client for whoever comes back later anyway: it never waits, and sends nothing twice."""
    client = WebClient(token=token, base_url=api_url, timeout=_SECONDS)
    client.retry_handlers = []
    return client


def asked(call: Callable[[], T]) -> T:
    """Return what Slack answers.

    Raises
    ------
    SlackUnavailableError
        When it does not answer or refuses.
    """
    for _ in range(_AT_ONCE):
        try:
            return call()
        except SlackApiError as error:
            trouble = _refused(error)
            if trouble.retry_after == 0:
                continue
            raise trouble from error
        except (SlackClientError, OSError) as error:
            raise SlackUnavailableError(f"Slack cannot be reached: {error}", unreachable=True) from error
    raise trouble


def refusal(error: SlackApiError, *, to: str = "") -> str:
    """Return what Slack says in its own word, with the scope that is missing; a gateway says a number."""
    document = error.response.data if isinstance(error.response.data, dict) else {}
    said = str(document.get("error") or f"no ({error.response.status_code})")
    sentence = f"Slack says {said}{to and f' to {to}'}"
    if needed := document.get("needed"):
        sentence += f": the token lacks the scope {needed}"
    elif told := document.get("response_metadata", {}).get("messages"):
        sentence += f": {'; '.join(map(str, told))[:300]}"
    return sentence


def _refused(error: SlackApiError) -> SlackUnavailableError:
    response = error.response
    limited = response.status_code == _TOO_MANY
    return SlackUnavailableError(
        refusal(error, to=str(response.api_url).rsplit("/", 1)[-1]),
        error=str(response.get("error") or "") if isinstance(response.data, dict) else "",
        unreachable=limited or response.status_code >= _SERVER_ERROR,
        retry_after=_pause(response.headers) if limited else None,
    )


def _pause(headers: object) -> float:
    """Return how many seconds Slack wants to be left alone."""
    found = {str(name).lower(): value for name, value in dict(headers).items()}  # type: ignore[call-overload]
    value = found.get("retry-after")
    try:
        return float(value[0] if isinstance(value, list) else str(value))
    except (TypeError, ValueError):
        return _UNSAID_SECONDS
