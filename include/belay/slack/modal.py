"""The modal that asks for a reason. What it carries only finds the request; it never grants a right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from slack_sdk.models.blocks import (
    InputBlock,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    RadioButtonsElement,
    SectionBlock,
)
from slack_sdk.models.views import View

from belay.slack.text import harmless

CALLBACK, JUDGE_CALLBACK = "belay_reason", "belay_judgement"
REASON_BLOCK, REASON_INPUT = "belay_reason_block", "belay_reason_input"

QUICK_BLOCK, QUICK_INPUT = "belay_quick_block", "belay_quick_reason"

OWN_WORDS = "own_words"
"""The choice that says nothing by itself: the reason is what is written."""

_ASKS = {
    "approve": ("Approve", "Why is it right?"),
    "reject": ("Reject", "Why not?"),
    "veto": ("Veto", "What harm do you see?"),
}
_QUICK = {
    "approve": (
        "The figures are clear",
        "The risk is small and easy to undo",
        "I looked at it in the product",
    ),
    "reject": (
        "The figures are not clear enough",
        "It does not fit our product or our words",
        "It is the wrong time for it",
    ),
    "veto": (
        "It harms customers",
        "It is wrong or misleading",
        "It breaks a rule or a law",
    ),
    "would": (
        "It would help customers",
        "It would help the business, and harm nobody",
        "It is a small risk worth trying",
    ),
    "would_not": (
        "It would not help customers",
        "It does not fit our product or our words",
        "The risk is larger than the gain",
    ),
}
"""Reasons that one press gives; what is written is added to them."""


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


def reason_modal(answer: Answer, question: str, then: str = "") -> dict[str, Any]:
    """Return the view that asks for the reason of ``answer``.

    Parameters
    ----------
    question
        What is answered, in a line.
    then
        What follows from this answer, as a phrase; see `belay.present.consequences`.
    """
    verb, ask = _ASKS[answer.verb]
    said = f"{question}\n{verb}: {then}." if then else question
    return _modal(CALLBACK, answer.pack(), verb, said, ask=ask, quick=answer.verb)


def judging_modal(judging: Judging, title: str) -> dict[str, Any]:
    """Return the view that asks why somebody would have done what AI proposed, or would not."""
    verb = "I would have" if judging.agrees else "I would not"
    ask = "Why would you have done it?" if judging.agrees else "Why would you not have done it?"
    quick, question = "would" if judging.agrees else "would_not", f"{judging.optimization}: “{title}”"
    return _modal(JUDGE_CALLBACK, judging.pack(), verb, question, ask=ask, quick=quick)


def reason_in(view: Mapping[str, Any]) -> str:
    """Return the reason that a submitted view carries: what was chosen, and what was written.

    Empty without one: who chose to use words of their own and wrote none gave no reason. What was chosen is
    looked up by its number, so that a forged view can only give a reason that we offer.
    """
    values = view.get("state", {}).get("values", {})
    written = str(values.get(REASON_BLOCK, {}).get(REASON_INPUT, {}).get("value") or "").strip()
    chosen = (values.get(QUICK_BLOCK, {}).get(QUICK_INPUT, {}).get("selected_option") or {}).get("value")
    verb, _, number = str(chosen or "").partition(":")
    offered = _QUICK.get(verb, ())
    quick = dict(zip(map(str, range(len(offered))), offered, strict=True)).get(number, "")
    return ". ".join(part for part in (quick, written) if part)


def _modal(callback: str, packed: str, verb: str, question: str, *, ask: str, quick: str) -> dict[str, Any]:
    options = [
        Option(value=f"{quick}:{number}", text=PlainTextObject(text=reason))
        for number, reason in enumerate(_QUICK[quick])
    ]
    options.append(Option(value=OWN_WORDS, text=PlainTextObject(text="Something else: I write it below")))
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
                block_id=QUICK_BLOCK,
                label=PlainTextObject(text=ask),
                element=RadioButtonsElement(action_id=QUICK_INPUT, options=options),
            ),
            InputBlock(
                block_id=REASON_BLOCK,
                label=PlainTextObject(text="In your own words"),
                optional=True,
                element=PlainTextInputElement(action_id=REASON_INPUT, multiline=True, max_length=2000),
            ),
        ],
    ).to_dict()
