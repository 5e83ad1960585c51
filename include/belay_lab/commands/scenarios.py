"""`belay scenarios`: agents of known skill through simulated quarters, against the rules in force."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from belay.cli.exits import BadInputError
from belay.cli.output import Json, print_json, progress_bar, say, table

if TYPE_CHECKING:
    from belay_lab.quarters.run import Course

_EXAMPLE = "Example: belay scenarios --seeds 20 --kind helpful --kind drifting"
_ENOUGH = 40
"""Courses of each skill in the picture."""
_SKILLS = (-0.06, -0.04, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=_EXAMPLE)(scenarios)


def scenarios(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="Courses of each kind of agent.")] = 20,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind; may be given again. By default all.")
    ] = None,
    quarters: Annotated[int, typer.Option(min=1, max=40, help="Length of a course.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 2,
    capability: Annotated[
        str, typer.Option(help="Whose ladder and autonomy rules are tried.")
    ] = "checkout_wording",
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for stage against true skill, and stage by day.")
    ] = None,
    json: Json = False,
) -> None:
    """Run agents of known skill through simulated quarters: do the rules promote the right ones?

    Exit code 1 when an expectation is not held.
    """
    from belay.settings import Settings
    from belay_lab.quarters.agents import KINDS
    from belay_lab.quarters.policy import busy_policy
    from belay_lab.quarters.survey import QUARTER, expectations, of_skill, summary, to_document

    if unknown := sorted(set(kind or ()) - set(KINDS)):
        raise BadInputError(f"no kind of agent is called {', '.join(unknown)}; there are {', '.join(KINDS)}")
    try:
        policy = busy_policy(Settings.from_env().policies, capability)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    days = quarters * QUARTER
    courses = _run([KINDS[name] for name in kind or KINDS], seeds, policy, days, workers)
    found = expectations(courses, policy)
    if pictures is not None:
        from belay.review.charts import to_png
        from belay_lab.quarters.picture import course_chart, skill_chart

        pictures.mkdir(parents=True, exist_ok=True)
        varied = _run(of_skill(_SKILLS), min(seeds, _ENOUGH), policy, days, workers)
        (pictures / "stage-by-skill.png").write_bytes(to_png(skill_chart(varied, _SKILLS)))
        (pictures / "stage-by-day.png").write_bytes(to_png(course_chart(courses)))
    if json:
        print_json(to_document(courses, found))
    else:
        _tell(summary(courses), quarters)
        for one in found:
            say(one)
    if not all(one.held for one in found):
        raise typer.Exit(1)


def _run(kinds: Sequence[Any], seeds: int, policy: Any, days: int, workers: int) -> list[Course]:
    from belay_lab.quarters.survey import survey

    courses = []
    with progress_bar() as bar:
        task = bar.add_task("quarters", total=len(kinds) * seeds)
        for course in survey(kinds, seeds, policy, days=days, workers=workers):
            courses.append(course)
            bar.advance(task)
    return courses


def _tell(rows: list[dict[str, Any]], quarters: int) -> None:
    from belay.domain.stages import Stage

    table(
        f"Highest stage in {quarters} quarters, courses",
        ["agent", *map(str, Stage), "completed each", "demotions each"],
        [
            [
                row["kind"],
                *(row["highest"][str(stage)] or "" for stage in Stage),
                f"{row['completed']:.1f}",
                f"{row['demotions']:.1f}",
            ]
            for row in rows
        ],
    )
