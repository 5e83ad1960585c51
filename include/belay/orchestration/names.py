"""Names that Airflow and those who talk to it from outside share. Imports nothing."""

from __future__ import annotations

ADMIT_TASK, APPROVAL_TASK = "admit", "approval"
API = "/api/v2"
"""What the paths of Airflow's REST API begin with."""
SETTLES_SECONDS = 3.0
"""How long a task must have waited before anything wakes it. One that resumes within a moment of parking is
failed by Airflow 3.3.2, whose scheduler then still has to hear that the process which parked it has ended; an
event that comes while a deferral is still being booked is lost (apache/airflow issues 66374, 67287, 72716).
On an idle machine a second was always enough."""
