"""The modal that asks for a reason. What it carries only finds the request; it never grants a right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from slack_sdk.models.blocks import (
    InputBlock,
    PlainTextInputElement,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.views import View

from belay.slack.text import harmless

CALLBACK, JUDGE_CALLBACK = "belay_reason", "belay_judgement"
REASON_BLOCK, REASON_INPUT = "belay_reason_block", "belay_reason_input"

_ASKS = {
    "approve": ("Approve", "Why is it right to widen this?"),
    "reject": ("Reject", "What speaks against it?"),
    "veto": ("Veto", "What harm do you see?"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a click wanted to say: its verb, the request, and the digest of what was shown."""

    verb: str
    request: str
    digest: str

    def pack(self) -> str:
        """Return it as ``private_metadata``."""
        return json.dumps(asdict(self))

    @classmethod
    def unpack(cls, packed: str) -> Answer:
        """Read ``private_metadata`` back.

        Raises
        ------
        ValueError
            When it is not what ``pack`` wrote.
        """
        try:
            fields = json.loads(packed)
            answer = cls(str(fields["verb"]), str(fields["request"]), str(fields["digest"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("the modal does not say what it answers") from error
        if answer.verb not in _ASKS:
            raise ValueError(f"there is no answer {answer.verb!r}")
        return answer


@dataclass(frozen=True, slots=True)
class Judging:
    """What a click in the weekly list wanted to say: about which proposal, and whether it agrees."""

    optimization: str
    agrees: bool

    def pack(self) -> str:
        """Return it as ``private_metadata``."""
        return json.dumps(asdict(self))

    @classmethod
    def unpack(cls, packed: str) -> Judging:
        """Read ``private_metadata`` back.

        Raises
        ------
        ValueError
            When it is not what ``pack`` wrote.
        """
        try:
            fields = json.loads(packed)
            optimization, agrees = fields["optimization"], fields["agrees"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("the modal does not say what it judges") from error
        if not isinstance(optimization, str) or not isinstance(agrees, bool):
            raise ValueError("the modal does not say what it judges")  # noqa: TRY004 - it is what was typed
        return cls(optimization, agrees)


def reason_modal(answer: Answer, question: str) -> dict[str, Any]:
    """Return the view that asks for the reason of ``answer``."""
    verb, ask = _ASKS[answer.verb]
    return _modal(CALLBACK, answer.pack(), verb, question, ask)


def judging_modal(judging: Judging, title: str) -> dict[str, Any]:
    """Return the view that asks why somebody would have done what AI proposed, or would not."""
    verb = "I would have" if judging.agrees else "I would not"
    ask = "Why would you have done it?" if judging.agrees else "Why would you not have done it?"
    return _modal(JUDGE_CALLBACK, judging.pack(), verb, f"{judging.optimization}: “{title}”", ask)


def reason_in(view: Mapping[str, Any]) -> str:
    """Return the reason that a submitted view carries; empty without one."""
    values = view.get("state", {}).get("values", {})
    return str(values.get(REASON_BLOCK, {}).get(REASON_INPUT, {}).get("value") or "")


def _modal(callback: str, packed: str, verb: str, question: str, ask: str) -> dict[str, Any]:
    return View(
        type="modal",
        callback_id=callback,
        private_metadata=packed,
        title=PlainTextObject(text=verb),
        submit=PlainTextObject(text=verb),
        close=PlainTextObject(text="Cancel"),
        blocks=[
            SectionBlock(text=PlainTextObject(text=harmless(question, 2900))),
            InputBlock(
                block_id=REASON_BLOCK,
                label=PlainTextObject(text=ask),
                element=PlainTextInputElement(
                    action_id=REASON_INPUT, multiline=True, min_length=3, max_length=2000
                ),
            ),
        ],
    ).to_dict()
