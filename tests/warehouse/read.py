"""Read one warehouse in the time zone of this process, and print what looks, guard and traffic say.

Run as a script by test_zones_and_types.py: a process takes its time zone once.
"""

import json
import sys
from datetime import timedelta

from tests.measurement.conftest import NOW, START
from tests.warehouse.plan import the_plan

from belay.cells.plan import Sight
from belay.warehouse.connection import open_warehouse
from belay.warehouse.fleet import read_fleet
from belay.warehouse.freshness import watermark
from belay.warehouse.look import read_cells
from belay.warehouse.traffic import daily_units


def figures(url):
    """Return what is read of the warehouse at ``url``."""
    engine, plan = open_warehouse(url), the_plan()
    look = read_cells(engine, plan, NOW).to_document()
    guard = read_fleet(engine, [Sight(plan, NOW)]).cells[0].to_document()
    return {
        "look": look,
        "guard": guard["units"],
        "newest": str(watermark(engine, "checkout")),
        "traffic": daily_units(engine, "checkout", START, START + timedelta(days=6)).tolist(),
    }


if __name__ == "__main__":
    print(json.dumps([figures(url) for url in sys.argv[1:]]))
