"""`_ladder.yaml`: the oversight of each step at each stage, and what a stage must show for the next."""

from __future__ import annotations

from belay.domain.oversight import LEAST_OVERSIGHT, Oversight, OversightTable, StepKind
from belay.domain.stages import Stage
from belay.policy.autonomy import read_criteria
from belay.policy.checks import missing, validate
from belay.policy.document import Document
from belay.policy.errors import PolicyError
from belay.policy.fields import OversightCells
from belay.policy.shared import LADDER, Shared
from belay.policy.shared_files import LadderFile


def read_ladder(shared: Shared, document: Document) -> None:
    """Read oversight, criteria and blindness into ``shared``; a mistake breaks the whole ladder."""
    model, errors = validate(LadderFile, document, document.value)
    errors += missing(model, document, optional={"promotion", "blindness"}, reported=errors).values()
    criteria, wrong = read_criteria(model.promotion, document)
    errors += wrong if not errors else []
    table = {stage: dict(row) for stage, row in (model.oversight or {}).items()}
    if not errors:
        errors += [
            document.error(
                ("oversight", stage),
                ...,
                f"no oversight is given for {stage}, {kind}",
                f"write {kind}: {LEAST_OVERSIGHT[stage][kind]} (or more)",
            )
            for stage in Stage
            for kind in StepKind
            if kind not in table.get(stage, {})
        ]
    errors += looser(table, LEAST_OVERSIGHT, document, "the least that Belay allows")
    if errors or document.errors:
        shared.mark_broken(LADDER, errors)
        shared.broken[LADDER] += document.errors
    else:
        shared.table, shared.criteria = table, criteria
        shared.blindness = dict(model.blindness or {})


def looser(
    table: OversightCells | None, least: OversightTable, document: Document, what: str
) -> list[PolicyError]:
    """Return an error for each cell of ``table`` that asks for less oversight than ``least``."""
    return [
        document.error(
            ("oversight", stage, kind),
            str(oversight),
            f"{oversight} is looser than {what} for {stage}, {kind}",
            f"write {least[stage][kind]}" + ("" if least[stage][kind] is Oversight.FORBIDDEN else " or more"),
        )
        for stage, row in (table or {}).items()
        for kind, oversight in row.items()
        if oversight.rank < least[stage][kind].rank
    ]
