"""Checks that compare the rows with what should be there: how new, how many, in which split."""

from __future__ import annotations

import math
import statistics
from datetime import timedelta
from typing import Any

from belay.cells.plan import SRM_ALPHA
from belay.domain.figures import moment
from belay.measurement.srm import srm_test
from belay.quality.report import Finding, Statistic
from belay.quality.scope import DAY, Rows
from belay.quality.session import Session, plain
from belay.warehouse.forms import naive

_FEWEST_DAYS = 2
"""Days before the last one that a usual volume needs."""

_SPLIT = (
    "Who was not logged: a redirect, a crash or a slow page in one variant, robots filtered after the "
    "assignment, or a cache that serves one variant to everybody."
)


def check_freshness(session: Session, rows: Rows, newest: Any) -> None:
    """Is there anything of the last ``max_age`` before the end of the period?"""
    rule, scope = session.suite.freshness, session.scope
    if rule is None or not session.applies("freshness", rule.when, rule.severity):
        return
    age = min(rule.max_age, session.max_age) if session.max_age else rule.max_age
    query = rows.between(scope.until - age, scope.until)
    result = session.count_between("freshness", query, {"min_value": 1}, rule.severity)
    last = naive(newest)
    told = f"the newest event is of {moment(last)}" if last else "there is no event"
    numbers: dict[str, Statistic] = {
        "newest": last.isoformat() if last else None,
        "rows": plain(result.observed.get("observed_value")),
        "max_age_seconds": age.total_seconds(),
    }
    if result.success is None:
        finding, sentence = Finding.UNKNOWN, result.error
    elif result.success:
        finding, sentence = Finding.PASSED, told
    else:
        hours = age / timedelta(hours=1)
        finding = Finding.FAILED
        sentence = f"no event in the {hours:g} hours before {moment(scope.until)}; {told}"
    session.add("freshness", finding, sentence, rule.look_at, numbers, rule.severity)


def check_volume(session: Session, rows: Rows) -> None:
    """Did the last day bring about as many rows as the days before?"""
    rule, scope = session.suite.volume, session.scope
    if rule is None or not session.applies("volume", rule.when, rule.severity):
        return
    with session.engine.connect() as connection:
        first, *counted = connection.execute(rows.days(rule.days + 1)).one()
    begins = naive(first)
    if begins and scope.live:
        begins = max(begins, scope.since)
    before = [
        int(count or 0)
        for i, count in enumerate(counted[1:], 1)
        if begins and scope.until - DAY * (i + 1) >= begins - timedelta(hours=1)
    ]
    if len(before) < _FEWEST_DAYS:
        sentence = f"only {len(before)} whole days before the last one: too few to compare with"
        session.add("volume", Finding.NOT_APPLICABLE, sentence, numbers={"days": len(before)})
        return
    usual = statistics.median(before)
    bounds = {
        "min_value": max(math.ceil(usual * rule.at_least), 1),
        "max_value": max(math.floor(usual * rule.at_most), 1),
    }
    query = rows.between(scope.until - DAY, scope.until)
    result = session.count_between("volume", query, bounds, rule.severity)
    last = plain(result.observed.get("observed_value"))
    numbers: dict[str, Statistic] = {"last_day": last, "usual": usual, "days": len(before)} | bounds
    sentence = f"{last:,} rows in the last day; the median of the {len(before)} days before is {usual:,.0f}"
    finding = Finding.PASSED if result.success else Finding.FAILED
    if result.success is None:
        finding, sentence = Finding.UNKNOWN, result.error
    session.add("volume", finding, sentence, rule.look_at, numbers, rule.severity)


def check_split(session: Session, rows: Rows) -> None:
    """Is the split of units over variants the one asked for? (The SRM test.)"""
    with session.engine.connect() as connection:
        counts = {str(variant): int(units) for variant, units in connection.execute(rows.split())}
    test = srm_test(counts, session.shares)
    told = ", ".join(
        f"{name} {test.observed[name]:,} (expected {test.expected[name]:,.0f})" for name in test.expected
    )
    numbers: dict[str, Statistic] = {"p": test.p, "alpha": SRM_ALPHA}
    numbers |= {f"units.{name}": count for name, count in counts.items()}
    numbers |= {f"expected.{name}": round(value, 3) for name, value in test.expected.items()}
    p = "" if test.p is None else f" (p = {test.p:.2g})"
    if test.mismatch:
        extra = f"; nobody should get {', '.join(test.unplanned)}" if test.unplanned else ""
        finding, sentence = Finding.FAILED, f"the split is not the one asked for: {told}{p}{extra}"
    elif test.p is None:
        finding, sentence = Finding.NOT_APPLICABLE, f"too few units to test the split: {told}"
    else:
        finding, sentence = Finding.PASSED, f"the split is the one asked for: {told}{p}"
    session.add("split", finding, sentence, _SPLIT, numbers)
