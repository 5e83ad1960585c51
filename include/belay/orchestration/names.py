"""Names that Airflow and those who talk to it from outside share. Imports nothing."""

from __future__ import annotations

ADMIT_TASK, APPROVAL_TASK = "admit", "approval"
