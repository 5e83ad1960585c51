"""The DAG `reconcile` in a running Airflow: it takes back what is served wider, and widens nothing."""

from __future__ import annotations

import json

import pytest
from tests.support.live import make_live

from belay.actuation.flag_writer import served_flag
from belay.domain.events import ServedWider
from belay.ledger.verify import verify

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def serve(world, name: str, scope: int, epoch: int) -> None:
    """Serve a scope that was not decided, as another program would that writes the same file."""
    file = world.home / "flags" / "flags.flagd.json"
    document = json.loads(file.read_text())
    del document["flags"][name]
    file.write_text(json.dumps(document))
    world.belay.flags.apply(served_flag(world.optimization(name), scope, epoch))


def compared(world, run: str) -> str:
    """Run the DAG once; return how the run ended."""
    world.trigger("reconcile", {"dag_run_id": run, "logical_date": None})
    path = f"/api/v2/dags/reconcile/dagRuns/{run}"

    def ended():
        state = world.call("admin", "GET", path).json().get("state")
        return state in {"success", "failed"} and state

    return world.until(f"{run} has ended", ended)


def test_wider_is_taken_back_and_narrower_is_a_red_run(world):
    (name,) = make_live(world.belay, 1, "retention_offers")
    serve(world, name, 2500, 3)
    assert compared(world, "served-wider") == "success"
    assert world.served(name) == 500
    found = [entry.event for entry in world.belay.ledger.history(optimization=name)]
    (incident,) = [event for event in found if isinstance(event, ServedWider)]
    assert (incident.served_scope, incident.decided_scope) == (2500, 500)

    epoch = world.belay.flags.read(name).epoch
    serve(world, name, 100, epoch)
    assert compared(world, "served-narrower") == "failed"
    assert (world.served(name), world.optimization(name).scope) == (100, 500)
    world.veto(name)
    assert world.served(name) == 0
    assert verify(world.belay.ledger).ok
