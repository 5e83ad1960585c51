"""Stage against true skill, and stage by day of every kind: what the rules made of what agents are."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, quantiles
from typing import Any

from belay.domain.stages import Stage
from belay.review.charts import BLUE, GREEN, GREY, INK, ORANGE, PINK, SOFT
from belay_lab.quarters.run import Course

_COLOURS = (GREEN, GREY, ORANGE, PINK, BLUE, "#e69f00", INK)
_EVERY = 7
_RANK = "['observe', 'suggest', 'supervised', 'bounded', 'autonomous'][datum.value]"


def skill_chart(courses: Sequence[Course], skills: Sequence[float], width: int = 620) -> Any:
    """Return the highest stage reached against true skill: the mean, and where nine of ten courses lie."""
    import altair as alt

    rows = []
    for skill, name in zip(skills, dict.fromkeys(course.kind for course in courses), strict=True):
        ranks = [course.highest.rank for course in courses if course.kind == name]
        cuts = quantiles(ranks, n=20, method="inclusive") if len(ranks) > 1 else ranks * 19
        rows.append({"skill": 100 * skill, "mean": mean(ranks), "low": cuts[0], "high": cuts[-1]})
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("skill:Q", title="true effect of a change on the primary metric, % on average")
    )
    band = base.mark_area(color=BLUE, opacity=0.15).encode(y=_stages("low:Q"), y2="high:Q")
    line = base.mark_line(color=BLUE, point={"color": BLUE, "size": 45}).encode(y=_stages("mean:Q"))
    return _styled((band + line).properties(width=width, height=260))


def course_chart(courses: Sequence[Course], width: int = 620) -> Any:
    """Return the mean stage of every kind of agent, by day."""
    import altair as alt

    names = list(dict.fromkeys(course.kind for course in courses))
    rows = [
        {"kind": name, "day": day, "stage": mean(own.stages[day].rank for own in courses if own.kind == name)}
        for name in names
        for day in range(0, len(courses[0].stages), _EVERY)
    ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("day:Q", title="day"),
            y=_stages("stage:Q"),
            color=alt.Color(
                "kind:N", title=None, scale=alt.Scale(domain=names, range=list(_COLOURS[: len(names)]))
            ),
        )
    )
    return _styled(chart.properties(width=width, height=260))


def _stages(field: str) -> Any:
    import altair as alt

    return alt.Y(
        field,
        title=None,
        scale=alt.Scale(domain=[0, len(Stage) - 1]),
        axis=alt.Axis(values=list(range(len(Stage))), labelExpr=_RANK),
    )


def _styled(chart: Any) -> Any:
    return chart.configure_axis(labelColor=SOFT, titleColor=SOFT, grid=True, gridOpacity=0.4).configure_view(
        stroke=None
    )
