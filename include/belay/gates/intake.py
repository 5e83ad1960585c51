"""Intake: a proposal as it arrives (untrusted) becomes a proposal as the domain knows it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from belay.domain.actors import Actor, agent, human
from belay.domain.proposal import CONTROL, HOLDOUT, Prediction, Proposal, Variant

_NAME = r"^[a-z][a-z0-9-]{1,62}$"


class BadProposalError(ValueError):
    """A proposal cannot be read; the message lists every field that is wrong, and what would be right."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Variant(_Strict):
    key: str = Field(pattern=_NAME, description="Name of the treatment in the flag.")
    payload: Any = Field(description="What the product receives.")


class _Prediction(_Strict):
    effect: float = Field(ge=-1, le=10, description="Relative effect on the primary metric: 0.03 is +3 %.")
    low: float = Field(ge=-1, le=10, description="Lower end of the agent's 90 % interval.")
    high: float = Field(ge=-1, le=10, description="Upper end of the agent's 90 % interval.")


class ProposalDocument(_Strict):
    """One optimization, as an agent or a person puts it forward."""

    optimization: str = Field(pattern=_NAME, description="Its name, and its flag's key.")
    capability: str = Field(min_length=1, max_length=63, description="The kind of decision it is.")
    title: str = Field(min_length=3, max_length=150, description="What changes, in one line.")
    hypothesis: str = Field(min_length=3, max_length=10_000, description="Why it should help, and whom.")
    variants: list[_Variant] = Field(min_length=1, max_length=20)
    rollback: Any = Field(default=None, description="What the product shows without it.")
    agent: str = Field(min_length=1, max_length=63, description="The agent that proposes it.")
    agent_owner: str = Field(min_length=1, max_length=63, description="The person who answers for the agent.")
    prediction: _Prediction | None = None
    tags: list[str] = Field(
        default=[], max_length=20, description="brand, pricing, compliance raise the oversight."
    )
    reversible: bool = True
    measurable: bool = True
    audience: dict[str, str] = Field(
        default={}, description="Attributes that a unit must have to be exposed."
    )


def parse_proposal(document: Any, *, by_person: str | None = None) -> Proposal:
    """Return the proposal that ``document`` holds.

    Parameters
    ----------
    document
        Parsed JSON or YAML.
    by_person
        The person who proposes it; by default it is its agent.

    Raises
    ------
    BadProposalError
        When a field is missing, unknown, of the wrong type or out of range.
    """
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
    proposer: Actor = human(by_person) if by_person else agent(read.agent)
    return Proposal(
        optimization=read.optimization,
        capability=read.capability,
        title=read.title,
        hypothesis=read.hypothesis,
        variants=tuple(Variant(variant.key, variant.payload) for variant in read.variants),
        rollback=read.rollback,
        proposed_by=proposer,
        agent_owner=read.agent_owner,
        prediction=Prediction(prediction.effect, prediction.low, prediction.high) if prediction else None,
        tags=tuple(sorted(set(read.tags))),
        reversible=read.reversible,
        measurable=read.measurable,
        audience=read.audience,
    )


def proposal_schema() -> dict[str, Any]:
    """Return the JSON Schema of a proposal document (for forms and editors)."""
    return ProposalDocument.model_json_schema()


def _in_words(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"]) or "the document"
        # What is missing was not found: pydantic would show the whole document instead.
        found = "" if problem["type"] == "missing" else f" (found {_short(problem['input'])})"
        lines.append(f"  {where}: {problem['msg']}{found}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
