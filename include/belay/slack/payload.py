"""What Slack sends, as far as Belay hears it: our buttons, our modals, our command, and what they carry.

Shapes from https://docs.slack.dev/reference/interaction-payloads; whatever else a payload carries is let be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from belay.slack.weekly import JUDGING

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 50

Id = Annotated[str, Field(min_length=1, max_length=64)]


class _Named(BaseModel):
    id: Id


class _Action(BaseModel):
    action_id: (
        Literal["belay_approve", "belay_reject", "belay_veto", "belay_open"]
        | Annotated[str, Field(pattern=JUDGING, max_length=255)]
    )
    value: Annotated[str, Field(max_length=2000)] = ""


class Click(BaseModel):
    """Somebody pressed a button."""

    type: Literal["block_actions"]
    user: _Named
    channel: _Named | None = None
    trigger_id: str
    actions: Annotated[list[_Action], Field(min_length=1)]


class _Choice(BaseModel):
    value: Annotated[str, Field(max_length=150)]


class _Input(BaseModel):
    value: str | None = None
    selected_option: _Choice | None = None


class _State(BaseModel):
    values: dict[str, dict[str, _Input]] = {}


class _View(BaseModel):
    type: Literal["modal"]
    callback_id: Literal["belay_reason", "belay_judgement"]
    private_metadata: Annotated[str, Field(max_length=3000)] = ""
    state: _State = _State()


class Submission(BaseModel):
    """Somebody submitted the modal that asks for a reason."""

    type: Literal["view_submission"]
    user: _Named
    view: _View


class Command(BaseModel):
    """Somebody typed a slash command; or Slack looks whether anybody answers (``ssl_check``)."""

    command: Literal["/belay"]
    user_id: Id
    text: str = ""
    response_url: Annotated[str, Field(pattern="^https?://[^/ ]+/")] | None = None


_INTERACTION: TypeAdapter[Click | Submission] = TypeAdapter(
    Annotated[Click | Submission, Field(discriminator="type")]
)


def readable(body: bytes, content_type: str) -> bool:
    """Return whether ``body`` is a form of Slack's that the listeners can take apart."""
    if content_type.split(";", maxsplit=1)[0].strip().lower() != _FORM:
        return False
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=_MOST_FIELDS)
        _read({name: values[0] for name, values in fields.items()})
    except (ValidationError, ValueError, RecursionError):
        return False
    return all(len(values) == 1 for values in fields.values())


def _read(fields: Mapping[str, str]) -> Click | Submission | Command:
    if "payload" in fields:
        return _INTERACTION.validate_python(json.loads(fields["payload"]))
    return Command.model_validate(fields)
