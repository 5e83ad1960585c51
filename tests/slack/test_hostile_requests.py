"""Requests that Slack did not send, or not like this: more than ten thousand, each refused, none a traceback.

The app that the plugin mounts is called as the web server calls it, byte by byte, without a socket between.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

import pytest
from slack_sdk.signature import SignatureVerifier
from tests.slack.conftest import NORA, an_idea, ask

from belay.slack.http import MAX_BYTES, create_http_app
from belay.slack.message import APPROVE
from belay.slack.modal import CALLBACK, JUDGE_CALLBACK, REASON_BLOCK, REASON_INPUT, Answer, Judging
from belay.slack.weekly import WOULD

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
FORM = "application/x-www-form-urlencoded"
FORGED, MUTATED = 9_400, 700


class Web:
    """The mounted app, as a web server calls it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def post(self, body: bytes, headers: list[tuple[bytes, bytes]], *, pieces: int = 1) -> int:
        """Send one request, and return the status of the answer; the app's exceptions come through."""
        size = max(1, -(-len(body) // pieces))
        chunks = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        events = [
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1}
            for number, chunk in enumerate(chunks)
        ]
        statuses = []

        async def receive() -> dict[str, Any]:
            return events.pop(0) if events else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/events",
            "raw_path": b"/events",
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
        }
        await self.app(scope, receive, send)
        (status,) = statuses
        return int(status)


@pytest.fixture
def web(belay, settings, woken):
    over_http = replace(settings, app_token="", signing_secret=SECRET)
    return Web(create_http_app(belay, over_http, wake=lambda request: woken.append(request.id)))


@pytest.fixture
def tracebacks(caplog):
    """The tracebacks that anything logged."""
    caplog.set_level(logging.WARNING)
    return lambda: sorted(
        {record.getMessage()[:300] + repr(record.exc_info[1]) for record in caplog.records if record.exc_info}
    )


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> dict[str, bytes]:
    stamp = str(int(time.time() if at is None else at))
    try:
        mark = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body) or ""
    except UnicodeDecodeError:  # the SDK signs text; Slack sends nothing else
        mark = "v0=" + "0" * 64
    return {
        "content-type": FORM.encode(),
        "x-slack-request-timestamp": stamp.encode(),
        "x-slack-signature": mark.encode(),
    }


def raw(headers: dict[str, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value) for name, value in headers.items()]


def a_click(request) -> dict[str, Any]:
    return a_press(APPROVE, f"{request.id}|{request.digest}")


def a_press(action: str, value: str) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": {"id": NORA},
        "team": {"id": "T1"},
        "api_app_id": "A1",
        "trigger_id": "1.2.3",
        "container": {"message_ts": "1.1", "channel_id": "C1"},
        "channel": {"id": "C1"},
        "message": {"ts": "1.1", "blocks": []},
        "actions": [{"type": "button", "action_id": action, "block_id": "b", "value": value}],
    }


def a_submission(request, reason: str = "worth it") -> dict[str, Any]:
    return a_form_sent(CALLBACK, Answer("approve", request.id, request.digest).pack(), reason)


def a_form_sent(callback: str, packed: str, reason: str) -> dict[str, Any]:
    values = {REASON_BLOCK: {REASON_INPUT: {"type": "plain_text_input", "value": reason}}}
    view = {"id": "V1", "type": "modal", "callback_id": callback, "private_metadata": packed}
    return {
        "type": "view_submission",
        "user": {"id": NORA},
        "team": {"id": "T1"},
        "api_app_id": "A1",
        "view": {**view, "state": {"values": values}},
    }


def payloads(belay) -> list[dict[str, Any]]:
    """Everything that nora may click and submit: about a request, and about a proposal of the weekly list."""
    request, idea = ask(belay, hypothesis="A date helps."), an_idea(belay)
    clicks = [a_click(request), a_press(f"{WOULD}:1", idea)]
    judging = a_form_sent(JUDGE_CALLBACK, Judging(idea, agrees=True).pack(), "reads like us")
    return [*clicks, a_submission(request), judging]


def form(payload: Any) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


# -- without the secret ------------------------------------------------------------------------------


def forgeries(bodies: list[bytes], dice: random.Random) -> Iterator[tuple[str, bytes, dict[str, bytes]]]:
    """Yield requests of somebody who saw ``bodies`` with their signatures and does not know the secret."""
    ways = (_unsigned, _other_secret, _bent_signature, _bent_body, _stale, _restamped, _re_encoded)
    for number in range(FORGED):
        way = ways[number % len(ways)]
        yield (way.__name__, *way(dice.choice(bodies), dice))


def _unsigned(body, dice):
    headers = signed(body)
    for name in dice.sample(["x-slack-signature", "x-slack-request-timestamp"], dice.randint(1, 2)):
        if dice.random() < 0.5:
            del headers[name]
        else:
            headers[name] = dice.choice(
                [b"", b" ", b"v0=", b"null", b"0", b"-1", b"1e9", b"\xff\xfe", b"nan"]
            )
    return body, headers


def _other_secret(body, dice):
    return body, signed(body, secret=dice.choice(["guess", SECRET[:-1], SECRET.upper(), "x" * 5000]))


def _bent_signature(body, dice):
    headers = signed(body)
    mark = bytearray(headers["x-slack-signature"])
    place = dice.randrange(len(mark))
    mark[place] = (mark[place] + dice.randint(1, 255)) % 256
    shapes = (bytes(mark), bytes(mark[: dice.randrange(place + 1)]), bytes(mark) + b"0")
    return body, headers | {"x-slack-signature": dice.choice(shapes)}


def _bent_body(body, dice):
    headers, bent = signed(body), bytearray(body)
    for _ in range(dice.randint(1, 8)):
        place = dice.randrange(len(bent))
        how = dice.randrange(3)
        if how == 0:
            bent[place] = (bent[place] + dice.randint(1, 255)) % 256
        elif how == 1:
            bent[place:place] = dice.randbytes(dice.randint(1, 30))
        else:
            del bent[place : place + dice.randint(1, 30)]
    return (bytes(bent) if bytes(bent) != body else body + b"&"), headers


def _stale(body, dice):
    off = dice.choice([-1, 1]) * dice.choice([302, 400, 3600, 86_400, 10**9])
    return body, signed(body, at=max(0, time.time() + off))


def _restamped(body, dice):
    """An old signature under a new timestamp."""
    headers = signed(body, at=time.time() - dice.randint(302, 10_000))
    return body, headers | {"x-slack-request-timestamp": str(int(time.time())).encode()}


def _re_encoded(body, dice):
    """The same fields in other bytes: whoever parses before checking would take it."""
    name, value = body.decode().split("=", 1)
    text = unquote_plus(value)
    spellings = [
        f"{name}={quote(text, safe='')}",
        f"{name}={quote_plus(text, safe='{}:,')}",
        f"{name}={value}&",
        f"&{name}={value}",
        f"%70ayload={value}",
        f"{name}={quote_plus(json.dumps(json.loads(text), indent=dice.randint(1, 4)))}",
        f"{name}={quote_plus(json.dumps(json.loads(text), sort_keys=True))} ",
        "".join(f"%{byte:02x}" for byte in name.encode()) + f"={value}",
    ]
    return dice.choice([s for s in spellings if s.encode() != body]).encode(), signed(body)


def test_nothing_unsigned_stale_or_altered_is_heard(web, belay, slack, tracebacks):
    bodies = [form(payload) for payload in payloads(belay)]
    head, calls = belay.ledger.head(), len(slack.state()["calls"])
    answered: Counter[tuple[str, int]] = Counter()

    async def attack() -> None:
        for turn, (way, sent, headers) in enumerate(forgeries(bodies, random.Random(4))):
            answered[way, await web.post(sent, raw(headers), pieces=1 + turn % 3)] += 1

    asyncio.run(attack())
    assert sum(answered.values()) == FORGED
    assert {status for _, status in answered} == {401}, answered
    assert belay.ledger.head() == head
    assert len(slack.state()["calls"]) == calls
    assert tracebacks() == []


def test_what_was_heard_once_is_not_heard_again(web, belay, tracebacks):
    request = ask(belay, hypothesis="A date helps.")
    body = form(a_submission(request))
    headers = raw(signed(body))

    async def replay() -> list[int]:
        first = await web.post(body, headers)
        again = [await web.post(body, headers) for _ in range(20)]
        doubled = [*headers, (b"x-slack-signature", b"v0=" + b"0" * 64)]
        in_front = [(b"x-slack-signature", b"v0=" + b"0" * 64), *headers]
        return [first, *again, await web.post(body, doubled), await web.post(body, in_front)]

    statuses = asyncio.run(replay())
    assert statuses == [200] + [401] * 22
    assert len(belay.ledger.state().requests[request.id].votes) == 1
    assert tracebacks() == []


def test_what_is_too_large_is_not_read_to_its_end(web, belay, tracebacks):
    request = ask(belay, hypothesis="A date helps.")
    head = belay.ledger.head()
    body = form(a_submission(request, reason="x" * (MAX_BYTES + 1)))
    asked = []

    async def endless() -> int:
        """A body without an end: it is left at the limit."""
        statuses = []

        async def receive() -> dict[str, Any]:
            asked.append(1)
            assert len(asked) < 100
            return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            statuses.append(message.get("status"))

        scope = {"type": "http", "method": "POST", "path": "/events", "root_path": "", "query_string": b""}
        await web.app(scope | {"headers": raw(signed(b""))}, receive, send)
        return statuses[0]

    assert asyncio.run(web.post(body, raw(signed(body)))) == 413
    assert asyncio.run(endless()) == 413
    assert len(asked) <= MAX_BYTES // 65_536 + 1
    assert belay.ledger.head() == head
    assert tracebacks() == []


# -- with the secret: nobody but Slack, and Slack may change what it sends -----------------------------

DEEP = "as deep as it goes"
KEYS = ("type", "user", "actions", "view", "state", "channel", "id")
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, "", " ", "x" * 3000, [], {}, [[]], [None], {"id": None}, {"id": []},
    "\u202e\u0000", "<!channel>", "belay_veto", "é" * 50, {"values": 3}, [{"action_id": 1}], "|", "||",
    "belay_would:1", "belay_judgement", "\ud800",
)  # fmt: skip


def mutated(thing: Any, dice: random.Random) -> Any:
    """Return a copy of a payload, bent in one to four places."""
    bent = copy.deepcopy(thing)
    for _ in range(dice.randint(1, 4)):
        places = list(_places(bent))
        if not places:
            return dice.choice(ODD)
        holder, key = dice.choice(places)
        how = dice.randrange(5)
        if how == 0:
            del holder[key]
        elif how == 1:
            holder[key] = DEEP
        elif how == 2 and isinstance(holder, dict):
            holder[dice.choice(KEYS)] = dice.choice(ODD)
        elif how == 3:
            other, where = dice.choice(places)
            holder[key] = copy.deepcopy(other[where])
        else:
            holder[key] = copy.deepcopy(dice.choice(ODD))
    return bent


def spelled(thing: Any, dice: random.Random) -> bytes:
    """Return a payload as Slack's form field; ``DEEP`` becomes a nest that no encoder would write."""
    depth = dice.choice([3, 60, 500, 900, 980, 20_000])
    return urlencode({"payload": json.dumps(thing).replace(f'"{DEEP}"', "[" * depth + "]" * depth)}).encode()


def _places(thing: Any) -> Iterator[tuple[Any, Any]]:
    pairs = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    for key, value in list(pairs):
        yield thing, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def a_body(known: list[dict[str, Any]], dice: random.Random) -> bytes:
    whole = form(dice.choice(known))
    kind = dice.randrange(12)
    if kind == 0:
        fields = {
            "command": "/belay",
            "text": "status",
            "user_id": NORA,
            "trigger_id": "1",
            "channel_id": "C1",
        }
        kept = {name: value for name, value in fields.items() if dice.random() < 0.7}
        bent = dice.choice(["text", "user_id", "command", "response_url"])
        return urlencode(kept | {bent: dice.choice(["", "\u202e", "<@U1>"])}).encode()
    if kind == 1:
        said = dice.choice(["", "[", "3", "null", "[" * 5000, '"x"', "{}"])
        odd = [whole[: dice.randrange(len(whole))], b"payload=" + quote_plus(said).encode()]
        return dice.choice([*odd, whole + b"&" + whole, b"&".join([b"a=1"] * 100)])
    if kind == 2:
        return _bent_body(whole, dice)[0]
    # A whole submission would be heard, and bent in what nobody reads it still is.
    return spelled(mutated(dice.choice(known), dice), dice)


def test_what_is_signed_and_makes_no_sense_is_refused_or_ignored(web, belay, tracebacks):
    known, dice = payloads(belay), random.Random(7)
    answered: Counter[int] = Counter()

    async def send() -> None:
        for number in range(MUTATED):
            body = a_body(known, dice)
            headers = signed(body)
            if number % 50 == 0:
                headers["content-type"] = dice.choice([b"application/json", b"text/plain", b"", b"\xff"])
            answered[await web.post(body, raw(headers))] += 1
        settled = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*settled)

    asyncio.run(send())
    assert sum(answered.values()) == MUTATED
    assert set(answered) <= {200, 400, 401, 404, 413}, answered
    assert tracebacks() == []
    state = belay.ledger.state()
    votes = [vote for request in state.requests.values() for vote in request.votes]
    said = [judgement for known in state.optimizations.values() for judgement in known.results.judgements]
    assert [vote.voter for vote in votes] in ([], ["nora"])
    assert [judgement.judge for judgement in said] in ([], ["nora"])


def test_the_many_are_at_least_ten_thousand():
    assert FORGED + MUTATED >= 10_000
