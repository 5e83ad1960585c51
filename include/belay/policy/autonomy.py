"""How autonomy is earned, kept and lost, from the ladder, the defaults and the capability's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from belay.domain.autonomy import AutonomyRule, Criteria, DemotionRule
from belay.domain.stages import Stage
from belay.policy.document import Document
from belay.policy.errors import PolicyError
from belay.policy.files import AutonomyFile, CapabilityFile, CriteriaFile, DemotionFile

CriteriaByStage = Mapping[Stage, Criteria]


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


def _criteria(file: CriteriaFile) -> Criteria:
    return Criteria(**{name: value for name, value in file.model_dump().items() if value is not None})
