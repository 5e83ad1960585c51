"""Links from a task to the page that explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

from belay.domain.run import Run

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PAGES = "/belay"


def page(path: str) -> str:
    """Return the address of one of Belay's pages in Airflow's web server."""
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    return f"{base}{PAGES}/{path}"


def run_page(run: Run) -> str:
    """Return the address of the page of the step, or the stage, that ``run`` is about."""
    return page(f"run/{quote(run.name, safe='')}")


class ReviewLink(BaseOperatorLink):
    """Opens the page of the step, or the stage, that a run is about."""

    name = "Review"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's
        """Return the page of the run."""
        return run_page(Run(ti_key.dag_id, ti_key.run_id))
