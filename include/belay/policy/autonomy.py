"""How autonomy is earned, kept and lost, from the ladder, the defaults and the capability's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from belay.domain.autonomy import AutonomyRule, Criteria, DemotionRule
from belay.domain.stages import Stage
from belay.policy.document import Document
from belay.policy.errors import PolicyError
from belay.policy.files import AutonomyFile, CapabilityFile, CriteriaFile, DemotionFile

if TYPE_CHECKING:
    from belay.policy.rules import Checked

CriteriaByStage = Mapping[Stage, Criteria]

_MORE_IS_STRICTER = frozenset({"days", "completed", "judged", "agreement", "data_quality"})
"""Criteria that ask for at least something; the others ask for at most something."""


def read_criteria(
    files: Mapping[Stage, CriteriaFile] | None, document: Document
) -> tuple[CriteriaByStage | None, list[PolicyError]]:
    """Return the ladder's criteria, stage by stage, and what is wrong with them; None when it has none."""
    if files is None:
        return None, []
    errors = []
    for stage in Stage:
        if stage.above is None and stage in files:
            problem, right = f"nothing is above {stage}", "remove it; keeping it takes what bounded asks"
            errors.append(document.error(("promotion", stage), ..., problem, right))
        elif stage.above is not None and stage not in files:
            problem = f"it does not say what {stage} must show before {stage.above}"
            right = f"write {stage}: and at least one criterion"
            errors.append(document.error(("promotion",), ..., problem, right))
        elif stage.above is not None and files[stage] == CriteriaFile():
            problem = f"{stage} is left without showing anything"
            errors.append(document.error(("promotion", stage), ..., problem, "write at least one criterion"))
    return {stage: _criteria(file) for stage, file in files.items()}, errors


def autonomy_rule(file: CapabilityFile, ladder: CriteriaByStage | None) -> AutonomyRule:
    """Return the rule of a file in which nothing is wrong."""
    written, built_in = file.autonomy or AutonomyFile(), AutonomyRule()
    criteria = dict(built_in.criteria if ladder is None else ladder)
    for stage, own in (file.promotion or {}).items():
        said = {name: value for name, value in own.model_dump().items() if value is not None}
        criteria[stage] = replace(criteria.get(stage, Criteria()), **said)
    demotion = written.demotion or DemotionFile()
    given = {
        "leases": written.leases,
        "renew_before_seconds": written.renew_before,
        "half_life_seconds": written.half_life,
        "confidence": written.confidence,
        "max_expired": written.max_expired,
        "roles": tuple(written.roles) if written.roles else None,
        "quorum": written.quorum or (len(written.roles) if written.roles else None),
        "holdout": written.holdout,
    }
    loses = {
        "harm_rate": demotion.harm_rate,
        "within_seconds": demotion.within,
        "again_seconds": demotion.again,
    }
    return replace(
        built_in,
        criteria=criteria,
        demotion=replace(
            DemotionRule(), **{name: value for name, value in loses.items() if value is not None}
        ),
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
    )


def lease_errors(c: Checked) -> Iterator[PolicyError]:
    """A lease of the lowest stage lapses into nothing, and one shorter than its renewal is always due."""
    autonomy = c.file.autonomy
    if autonomy is None:
        return
    for stage, seconds in (autonomy.leases or {}).items():
        path = ("autonomy", "leases", stage)
        if stage.below is None:
            yield c.document.error(path, ..., f"{stage} cannot lapse: nothing is below it", "remove it")
        elif autonomy.renew_before is not None and autonomy.renew_before >= seconds:
            problem = "it is due for renewal from its first day"
            right = "make it longer than autonomy.renew_before"
            yield c.document.error(path, ..., problem, right)


def criteria_errors(c: Checked) -> Iterator[PolicyError]:
    """A capability may ask for more than the ladder, never for less."""
    ladder = AutonomyRule().criteria if c.shared.criteria is None else c.shared.criteria
    for stage, own in (c.file.promotion or {}).items():
        if stage.above is None:
            path = ("promotion", stage)
            yield c.document.error(path, ..., f"nothing is above {stage}", "remove it")
            continue
        least = asdict(ladder.get(stage, Criteria()))
        for name, value in own.model_dump().items():
            if value is None or least[name] is None:
                continue
            more = name in _MORE_IS_STRICTER
            if value < least[name] if more else value > least[name]:
                problem = f"{name} is looser than _ladder.yaml, which asks for {least[name]:g}"
                right = f"write {least[name]:g} or {'more' if more else 'less'}"
                yield c.document.error(("promotion", stage, name), value, problem, right)


def _criteria(file: CriteriaFile) -> Criteria:
    return Criteria(**{name: value for name, value in file.model_dump().items() if value is not None})
