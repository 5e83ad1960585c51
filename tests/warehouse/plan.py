"""The plan that the tests of this folder read."""

from datetime import timedelta

from tests.measurement.conftest import CONVERSION, ERRORS, REVENUE, START, TICKETS

from belay.cells.plan import MeasurementPlan, Phase, PlannedMetric, Role
from belay.domain.metrics import PrimaryRule


def the_plan() -> MeasurementPlan:
    """Return a plan with a metric of every kind, a segment and a filter."""
    guard = Role.GUARDRAIL, 0.05, PrimaryRule.NON_INFERIOR
    return MeasurementPlan(
        capability="checkout_wording",
        optimization="calm-button",
        surface="checkout",
        arms=("control", "b"),
        phase=Phase(0, START, 5000, {"control": 0.5, "b": 0.5}),
        metrics=(
            PlannedMetric(CONVERSION, Role.PRIMARY, 0.0, PrimaryRule.SUPERIOR, 0.1),
            PlannedMetric(REVENUE, *guard),
            PlannedMetric(TICKETS, *guard),
            PlannedMetric(ERRORS, *guard),
        ),
        segments=("device",),
        filters={"is_bot": "false"},
        alpha=0.05,
        power=0.8,
        primary_alpha=0.05,
        minimum_units=100,
        minimum_end=START + timedelta(days=1),
        planned_end=START + timedelta(days=6),
        looks=12,
        planned_units=4000,
        policy="0" * 64,
    )
