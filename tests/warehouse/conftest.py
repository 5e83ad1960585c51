"""The small world of tests/measurement, for the tests of this folder."""

from tests.measurement.conftest import load, make_plan, make_world

__all__ = ["load", "make_plan", "make_world"]
