"""Policy files to DAGs. Reads nothing but the files; a task that starts reads one and builds its own DAG."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from airflow.sdk import DAG, get_parsing_context

from belay.domain.run import PROMOTION, ROLLOUT
from belay.environment import safe_value_of
from belay.policy.load import load_policies
from belay.settings import Settings


def promotion_dags() -> Iterator[DAG]:
    """Yield the promotion DAG of every capability whose policy can be used."""
    from belay.orchestration.promotion_dag import build_promotion_dag

    wanted = get_parsing_context().dag_id
    only = wanted.removeprefix(PROMOTION) if wanted else None
    settings = Settings.forgiving()
    policies = load_policies(settings.policies, expectations=settings.expectations, only=only)
    for policy in policies.capabilities.values():
        yield build_promotion_dag(policy, policies.roster, recheck=_recheck())


def _recheck() -> timedelta:
    recheck: timedelta = safe_value_of("BELAY_APPROVAL_RECHECK_SECONDS")
    return recheck


def rollout_dags() -> Iterator[DAG]:
    """Yield the DAG of every capability, a broken one's included."""
    from belay.orchestration.rollout_dag import build_broken_dag, build_rollout_dag

    wanted = get_parsing_context().dag_id
    only = wanted.removeprefix(ROLLOUT) if wanted else None
    settings = Settings.forgiving()
    policies = load_policies(settings.policies, expectations=settings.expectations, only=only)
    for policy in policies.capabilities.values():
        yield build_rollout_dag(policy, policies.roster, recheck=_recheck())
    for name, errors in policies.broken.items():
        yield build_broken_dag(name, [str(error) for error in errors])
