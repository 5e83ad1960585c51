"""Are the DAGs that watch paused? Airflow's own database knows, and only its web server reads that."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

WATCHES = ("guard", "reconcile")


def paused_watches() -> list[str]:
    """Return which of the DAGs that watch are paused; none where Airflow's database cannot be asked."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(DagModel.dag_id).where(DagModel.dag_id.in_(WATCHES), DagModel.is_paused)
    try:
        with create_session() as session:
            return sorted(session.scalars(wanted))
    except SQLAlchemyError:
        return []
