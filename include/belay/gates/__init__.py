"""The way of an optimization, a file a gate: intake → admit → quality → window → review → approval → widen.

No Airflow here: a running Airflow, a replay of recorded data and the tests walk the same way.
"""
