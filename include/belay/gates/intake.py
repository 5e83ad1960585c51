"""Intake: a proposal as it arrives (untrusted) becomes a proposal as the domain knows it."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from belay.domain.actors import Actor, ActorKind, agent
from belay.domain.figures import share_of
from belay.domain.proposal import CONTROL, HOLDOUT, Prediction, Proposal, Variant

_NAME = r"^[a-z][a-z0-9-]{1,62}$"


class BadProposalError(ValueError):
    """A proposal cannot be read; the message lists every field that is wrong, and what would be right."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Variant(_Strict):
    key: str = Field(pattern=_NAME, description="Name of the treatment in the flag.")
    payload: Any = Field(description="What the product receives.")


def _effect(value: Any) -> Any:
    """Relative effects are shares; percent is a text that says so, and above 100 % it has to be."""
    share = share_of(value)
    if share is None and isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        raise PydanticCustomError(
            "share_above_one",
            "this would be {percent} %: write {meant} for {value} %, or '{percent} %' where that is meant",
            {"percent": f"{value * 100:g}", "meant": f"{value / 100:g}", "value": f"{value:g}"},
        )
    return value if share is None else share


_Effect = Annotated[float, BeforeValidator(_effect), Field(ge=-1, le=10)]


class _Prediction(_Strict):
    effect: _Effect = Field(description="Relative effect on the primary metric: 0.03 or '3 %' is +3 %.")
    low: _Effect = Field(description="Lower end of the agent's 90 % interval.")
    high: _Effect = Field(description="Upper end of the agent's 90 % interval.")


class ProposalDocument(_Strict):
    """One optimization, as an agent or a person puts it forward."""

    optimization: str = Field(pattern=_NAME, description="Its name, and its flag's key.")
    capability: str = Field(min_length=1, max_length=63, description="The kind of decision it is.")
    title: str = Field(min_length=3, max_length=150, description="What changes, in one line.")
    hypothesis: str = Field(min_length=3, max_length=10_000, description="Why it should help, and whom.")
    variants: list[_Variant] = Field(min_length=1, max_length=20)
    rollback: Any = Field(default=None, description="What the product shows without it.")
    agent: str = Field(
        default="",
        max_length=63,
        description="The agent that proposes it; its account has to be the agent's.",
    )
    agent_owner: str = Field(
        default="", max_length=63, description="The person who answers for the agent; _people.yaml knows it."
    )
    prediction: _Prediction | None = None
    tags: list[str] = Field(
        default=[], max_length=20, description="brand, pricing, compliance raise the oversight."
    )
    reversible: bool = True
    measurable: bool = True
    audience: dict[str, str] = Field(
        default={}, description="Attributes that a unit must have to be exposed."
    )


def parse_proposal(document: Any, *, by: Actor | None = None) -> Proposal:
    """Return the proposal that ``document`` holds.

    Parameters
    ----------
    document
        Parsed JSON or YAML.
    by
        Who proposes it. Where nobody is named it is the agent that the document names: for documents that
        came through no door.

    Raises
    ------
    BadProposalError
        When a field is missing, unknown, of the wrong type or out of range, or it is nested too deep.
    """
    if not isinstance(document, dict):
        what = "it is empty" if document is None else f"it is {_short(document)}"
        raise BadProposalError(
            f"the proposal cannot be used: {what}, and a mapping is needed, such as optimization: my-change"
        )
    if odd := list(oddities(document)):
        raise BadProposalError("the proposal cannot be used:\n" + "\n".join(f"  {line}" for line in odd))
    try:
        read = ProposalDocument.model_validate(document)
    except ValidationError as error:
        raise BadProposalError("the proposal cannot be used:\n" + _in_words(error)) from error
    keys = [variant.key for variant in read.variants]
    if {CONTROL, HOLDOUT} & set(keys) or len(set(keys)) != len(keys):
        taken = f"none is {CONTROL!r} or {HOLDOUT!r}"
        raise BadProposalError(f"variants need keys of their own, and {taken}: {', '.join(keys)}")
    prediction = read.prediction
    if prediction and not prediction.low <= prediction.effect <= prediction.high:
        raise BadProposalError("prediction: low ≤ effect ≤ high must hold")
    proposer = by or agent(read.agent)
    owner = read.agent_owner or (proposer.id if proposer.kind is ActorKind.HUMAN else "")
    if not proposer.id or not owner:
        raise BadProposalError("the proposal cannot be used:\n  agent, agent_owner: Field required")
    return Proposal(
        optimization=read.optimization,
        capability=read.capability,
        title=read.title,
        hypothesis=read.hypothesis,
        variants=tuple(Variant(variant.key, variant.payload) for variant in read.variants),
        rollback=read.rollback,
        proposed_by=proposer,
        agent_owner=owner,
        prediction=Prediction(prediction.effect, prediction.low, prediction.high) if prediction else None,
        tags=tuple(sorted(set(read.tags))),
        reversible=read.reversible,
        measurable=read.measurable,
        audience=read.audience,
    )


def proposal_schema() -> dict[str, Any]:
    """Return the JSON Schema of a proposal document (for forms and editors)."""
    return ProposalDocument.model_json_schema()


_DEEPEST = 20
"""Levels of nesting that a flag's payload can sensibly have."""

_MOST_EXACT = 2**53 - 1
"""Whole numbers beyond this are not the same number in every program that reads them."""

_NO_TEXT = "this holds what is no character (a zero byte, or half of one): leave it out"

_MOST_ODD = 10
"""Lines about what is odd; a document can be odd in a million places."""


def oddities(document: Any) -> Iterator[str]:
    """Yield, field by field, what no JSON document of a proposal can hold. Ends, however deep it is."""
    waiting: list[tuple[str, Any, int]] = [("", document, 0)]
    found = 0
    while waiting and found < _MOST_ODD:
        where, value, depth = waiting.pop()
        if depth > _DEEPEST:
            problem = f"nested more than {_DEEPEST} levels deep: flatten it"
            waiting = []
        elif isinstance(value, dict):
            odd = next((key for key in value if not isinstance(key, str)), None)
            problem = f"the key {_short(odd)} is no text: put it in quotes" if odd is not None else ""
            waiting += [(f"{where}.{key}".lstrip("."), inner, depth + 1) for key, inner in value.items()]
        elif isinstance(value, list):
            problem = ""
            waiting += [(f"{where}.{index}", inner, depth + 1) for index, inner in enumerate(value)]
        else:
            problem = _odd_value(value)
        if problem:
            found += 1
            yield f"{_short_path(where)}: {problem}"


def _odd_value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return _NO_TEXT if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value) else ""
    if isinstance(value, int):
        fits = -_MOST_EXACT <= value <= _MOST_EXACT
        return "" if fits else "a whole number beyond 2^53 is not the same everywhere: write it as text"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "a finite number is needed; write a longer one as text"
    return f"a {type(value).__name__} cannot be told in JSON: write it as text"


def _short_path(where: str) -> str:
    return (where if len(where) <= 120 else f"{where[:60]}…") or "the document"


def _in_words(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"]) or "the document"
        # What is missing was not found: pydantic would show the whole document instead.
        found = "" if problem["type"] == "missing" else f" (found {_short(problem['input'])})"
        lines.append(f"  {where}: {_said(problem)}{found}")
    return "\n".join(lines)


def _said(problem: Any) -> str:
    """Say what would be right, where Pydantic speaks of patterns."""
    if problem["type"] == "string_pattern_mismatch":
        return "a name is 2 to 63 lower-case letters, digits and -, and starts with a letter"
    if problem["type"] in {"model_type", "model_attributes_type"} and problem["loc"] == ("prediction",):
        return "write effect, low and high, such as {effect: 0.08, low: 0.02, high: 0.14}"
    if problem["type"] in {"float_type", "float_parsing"}:
        return "a number is needed, such as 0.08 or '8 %'"
    return str(problem["msg"])


def _short_repr() -> reprlib.Repr:
    made = reprlib.Repr()
    made.maxstring = made.maxother = made.maxlong = 100
    return made


_repr = _short_repr()


def _short(value: Any) -> str:
    text = _repr.repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
