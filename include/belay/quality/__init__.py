"""Runs the suites of expectations/ on the warehouse, and returns a verdict. Bad data widens nothing."""
