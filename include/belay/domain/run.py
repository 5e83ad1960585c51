"""A run of Airflow, and what the ledger calls it: written and taken apart here, and nowhere else."""

from __future__ import annotations

from typing import NamedTuple, Self

ROLLOUT, PROMOTION = "rollout__", "promotion__"
"""What the ids of a capability's two DAGs begin with."""


class Run(NamedTuple):
    """One run of a capability's DAG.

    Attributes
    ----------
    dag : str
        Airflow's id of the DAG.
    run_id : str
        Airflow's id of the run, unique within the DAG.
    """

    dag: str
    run_id: str

    @classmethod
    def of_step(cls, capability: str, optimization: str, number: int) -> Self:
        """Return the run that takes step ``number`` of an optimization; no other takes it."""
        return cls(ROLLOUT + capability, f"{optimization}__step{number}")

    @classmethod
    def of_rollout(cls, capability: str, name: str) -> Self:
        """Return the run that the ledger calls ``name``, of a step of ``capability``."""
        return cls(ROLLOUT + capability, name)

    @classmethod
    def of_promotion(cls, capability: str, name: str) -> Self | None:
        """Return the run that the ledger calls ``name``, of a promotion; None where no Airflow runs it."""
        dag, _, run_id = name.partition(":")
        return cls(dag, run_id) if dag == PROMOTION + capability else None

    @property
    def name(self) -> str:
        """What the ledger calls it: a step's run by its id, a promotion's with its DAG.

        Airflow gives the scheduled runs of all promotion DAGs the same ids.
        """
        return f"{self.dag}:{self.run_id}" if self.promotes else self.run_id

    @property
    def promotes(self) -> bool:
        """Whether it is about a capability's stage, and not about a step."""
        return self.dag.startswith(PROMOTION)

    @property
    def capability(self) -> str:
        """The capability that its DAG is of."""
        return self.dag.removeprefix(PROMOTION if self.promotes else ROLLOUT)

    def again(self, number: int) -> Self:
        """Return the run that is started in its place for the ``number``-th time; the first is itself."""
        return self if number == 1 else self._replace(run_id=f"{self.run_id}__{number}")
