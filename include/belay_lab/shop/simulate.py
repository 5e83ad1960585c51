"""The simulated shop: visitors arrive, see what the flags say, and leave exposures and outcomes.

Deterministic: the hour, the surface and the scenario's seed fix every visitor and every draw, whatever the
speed and however often it is stopped and started. Only what the flags say comes from outside.
"""

from __future__ import annotations

import fcntl
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from belay.clock import data_now, set_data_now
from belay.domain.proposal import CONTROL, HOLDOUT
from belay_lab.shop.assign import Assigner
from belay_lab.shop.lake import Lake, naive, schemas
from belay_lab.shop.scenario import Behaviour, Effect, Exploration, Faults, Scenario, Surface

if TYPE_CHECKING:
    import pyarrow as pa

TICK = timedelta(hours=1)
"""Data time that is written at once."""

_NAP = 0.2
"""Seconds between two questions whether to stop, while a slow hour of data time passes."""

_COUNTRIES = (("DE", 0.4), ("FR", 0.3), ("NL", 0.2), ("SE", 0.1))
_RETURNING = 0.3
_BOTS = 0.02


class ShopRunsAlreadyError(OSError):
    """Another process runs a shop in the same home; two would overwrite each other's visitors."""


class Storefront:
    """A shop in a home folder: it continues where the lake's clock says it stopped."""

    def __init__(self, home: Path, scenario: Scenario, flags: Path) -> None:
        self.home = home
        self.scenario = scenario
        self.lake = Lake(home)
        self.assigner = Assigner(flags)
        self._lock: IO[str] | None = None

    def open(self) -> datetime:
        """Create the lake and its history before any change, where that is missing; return data time.

        Raises
        ------
        ShopRunsAlreadyError
            When another process runs a shop in this home.
        """
        self._be_alone()
        self.lake.create()
        if not (self.home / "clock.json").exists():
            begins, history = self.scenario.begins, timedelta(days=self.scenario.history_days)
            if history:
                self.write(begins, begins + history)
            set_data_now(self.home, begins + history)
        return data_now(self.home)

    def run(
        self,
        *,
        until: datetime | None = None,
        seconds_per_tick: float = 0.0,
        progress: Callable[[datetime], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> datetime:
        """Let data time run to ``until`` (or until ``stop``), and return where it stopped.

        Parameters
        ----------
        seconds_per_tick
            Least wall-clock seconds an hour of data time takes; 0 is as fast as it goes.

        Raises
        ------
        ShopRunsAlreadyError
            When another process runs a shop in this home.
        """
        now = self.open()
        while not stop() and (until is None or now < until):
            began = time.monotonic()
            self.write(now, now + TICK)
            now += TICK
            # The clock follows the data: it never says an hour that is not written yet.
            set_data_now(self.home, now)
            progress(now)
            while not stop() and (left := began + seconds_per_tick - time.monotonic()) > 0:
                time.sleep(min(left, _NAP))
        return now

    def write(self, since: datetime, until: datetime) -> None:
        """Write the visits of ``[since, until)`` on every surface as one part of each table."""
        live = self.assigner.live()
        written: dict[str, list[pa.Table]] = {"units": [], "outcomes": [], "decisions": [], "exposures": []}
        for name, surface in sorted(self.scenario.surfaces.items()):
            hour = since
            while hour < until:
                visits = self._visits(name, surface, hour)
                for table, rows in self._record(name, surface, hour, visits, live).items():
                    written[table].append(rows)
                hour += TICK
        import pyarrow as pa

        part = f"{naive(since):%Y%m%dT%H}"
        for table, parts in written.items():
            if parts:
                self.lake.write(table, part, pa.concat_tables(parts))

    def close(self) -> None:
        """Release the flag provider and the home; closing twice does nothing."""
        self.assigner.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _be_alone(self) -> None:
        """Hold the home's lock until the shop is closed or its process ends."""
        if self._lock is not None:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        lock = (self.home / "storefront.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ShopRunsAlreadyError(
                f"a storefront runs in {self.home} already: stop it first (belay down)"
            ) from error
        self._lock = lock

    # -- visitors -------------------------------------------------------------------------------

    def _visits(self, name: str, surface: Surface, hour: datetime) -> dict[str, Any]:
        """Draw an hour's visitors: who comes, when, and with which attributes."""
        number = int((hour - self.scenario.begins).total_seconds() // 3600)
        drawn_by = [self.scenario.seed, self.scenario.order.index(name), number]
        rng = np.random.default_rng(drawn_by)
        count = int(rng.poisson(surface.visitors_per_day / 24 * rhythm(hour)))
        fresh = rng.random(count) >= _RETURNING
        serial = np.arange(count)
        returning_from = rng.integers(0, max(number, 1), count)
        came_as = rng.integers(0, max(int(surface.visitors_per_day / 48), 1), count)
        units = [
            f"{name}-{number}-{serial[i]}"
            if fresh[i] or number == 0
            else f"{name}-{returning_from[i]}-{came_as[i]}"
            for i in range(count)
        ]
        offsets = np.sort(rng.random(count) * TICK.total_seconds() * 1e6).astype("timedelta64[us]")
        return {
            "rng": rng,
            "drawn_by": drawn_by,
            "number": number,
            "count": count,
            "units": units,
            "fresh": fresh,
            "times": np.datetime64(naive(hour), "us") + offsets,
            "device": _stable(units, "device", (("mobile", 0.65), ("desktop", 0.35))),
            "country": _stable(units, "country", _COUNTRIES),
            "spender": _spending(units),
            "bot": rng.random(count) < _BOTS,
        }

    def _record(
        self,
        name: str,
        surface: Surface,
        hour: datetime,
        visits: dict[str, Any],
        live: Mapping[str, tuple[str, ...]],
    ) -> dict[str, pa.Table]:
        """Let the visitors see what the flags say, act, and leave their traces."""
        import pyarrow as pa

        rng, count, units = visits["rng"], visits["count"], visits["units"]
        age = (hour - self.scenario.begins) / timedelta(days=1)
        shown = self._shown(live.get(name, ()), visits)
        treated = [_treated(variants) for variants in shown.values()]
        lifts, untouched = self._together(shown, age), ~np.logical_or.reduce(treated)
        tried = _tried(surface.exploration, visits) if surface.exploration else None
        if surface.exploration and tried is not None:
            effects = np.array([surface.exploration.items[item] for item in tried])
            lifts["conversion"] *= np.where(untouched, 1.0 + effects, 1.0)
        acts = _acts(rng, surface.behaviour, lifts, visits)
        ids = np.array([f"{name}-{visits['number']}-{i}" for i in range(count)], dtype=object)
        faults = surface.faults if surface.faults and age >= surface.faults.since else None
        arrival = visits["times"] + np.timedelta64(30, "s")
        exposures = pa.concat_tables(
            pa.table(
                {
                    "event_id": [f"e-{i}{f'.{number}' if number else ''}" for i in ids],
                    "unit_id": units,
                    "optimization": [flag] * count,
                    "variant": variants.tolist(),
                    "surface": [name] * count,
                    "event_time": visits["times"],
                    "ingested_at": arrival,
                    "device": visits["device"],
                    "country": visits["country"],
                    "visitor": np.where(visits["fresh"], "new", "returning").tolist(),
                    "is_bot": visits["bot"],
                },
                schema=schemas()["exposures"],
            )
            for number, (flag, variants) in enumerate(shown.items())
        )
        outcomes = pa.table(
            {
                "event_id": [f"o-{i}" for i in ids],
                "unit_id": units,
                "surface": [name] * count,
                # A visit's outcomes follow its exposure, within the same tick: data time is complete.
                "event_time": visits["times"] + np.timedelta64(1, "ms"),
                "ingested_at": arrival,
                **acts,
            },
            schema=schemas()["outcomes"],
        )
        if faults is not None:
            exposures, outcomes = _break(rng, faults, exposures, outcomes, np.concatenate(treated))
        newcomers = np.flatnonzero(visits["fresh"])
        people = pa.table(
            {
                "unit_id": [units[i] for i in newcomers],
                "pre_revenue": (visits["spender"][newcomers] * surface.behaviour.revenue).round(2),
                "pre_visits": (visits["spender"][newcomers] * 3).astype(np.int32),
            },
            schema=schemas()["units"],
        )
        tables = {"exposures": exposures, "outcomes": outcomes, "units": people}
        if surface.exploration and tried is not None:
            tables["decisions"] = _decided(name, surface.exploration, visits, tried, ids, untouched)
        return tables

    def _shown(self, flags: tuple[str, ...], visits: dict[str, Any]) -> dict[str, Any]:
        """Return each visitor's variant of every flag; where nothing is shown, of a flag without a name."""
        if not flags:
            return {"": np.full(visits["count"], CONTROL, dtype=object)}
        own = {"device": visits["device"], "country": visits["country"]}
        return {
            flag: np.array(self.assigner.variants(flag, visits["units"], own), dtype=object) for flag in flags
        }

    def _together(self, shown: Mapping[str, Any], age: float) -> dict[str, Any]:
        """Return the factor on each kind of behaviour for each visitor: of everything that they see."""
        of_each = [_lifts(self.scenario.effects.get(f, []), variants, age) for f, variants in shown.items()]
        return {name: math.prod(lifts[name] for lifts in of_each) for name in Behaviour.model_fields}


def rhythm(hour: datetime) -> float:
    """Return the traffic of an hour relative to the average: busy evenings, quiet nights, strong weekends."""
    of_day = 1 + 0.6 * math.sin((hour.hour - 13) / 24 * 2 * math.pi)
    of_week = (0.95, 0.9, 0.9, 0.95, 1.0, 1.15, 1.15)[hour.weekday()]
    return of_day * of_week


def _acts(
    rng: np.random.Generator, usual: Behaviour, lifts: Mapping[str, Any], visits: dict[str, Any]
) -> dict[str, Any]:
    """Draw what the visitors do, given what they see."""
    count = visits["count"]

    def happens(name: str) -> Any:
        chance = np.clip(getattr(usual, name) * lifts[name], 0, 1)
        return (rng.random(count) < chance).astype(np.int32)

    converts = happens("conversion")
    basket = usual.revenue * visits["spender"] * rng.lognormal(-0.125, 0.5, count)
    return {
        "converted": converts,
        "revenue": (converts * basket * lifts["revenue"]).round(2),
        "support_tickets": happens("support_tickets"),
        "unsubscribed": happens("unsubscribes"),
        "page_errors": happens("page_errors"),
        "page_views": (1 + rng.poisson(3, count)).astype(np.int32),
    }


def _lifts(effects: list[Effect], variants: Any, age: float) -> dict[str, Any]:
    """Return the factor on each kind of behaviour for each visitor, ``age`` days after the start."""
    lifts = {name: np.ones(len(variants)) for name in Behaviour.model_fields}
    for variant in set(variants) - {CONTROL, HOLDOUT}:
        effect = _effect_at([e for e in effects if e.variant in ("", variant)], age)
        for name, lift in lifts.items():
            lift[variants == variant] += getattr(effect, name)
    return lifts


def _treated(variants: Any) -> Any:
    return (variants != CONTROL) & (variants != HOLDOUT)


def _tried(exploration: Exploration, visits: dict[str, Any]) -> list[str]:
    """Draw what each visitor gets by chance, from draws of its own: nothing else in the shop moves."""
    rng, items = np.random.default_rng([*visits["drawn_by"], 1]), list(exploration.items)
    explores = rng.random(visits["count"]) < exploration.share
    drawn = rng.integers(0, len(items), visits["count"])
    return [items[place] for place in np.where(explores, drawn, 0)]


def _decided(
    name: str, exploration: Exploration, visits: dict[str, Any], tried: list[str], ids: Any, here: Any
) -> pa.Table:
    """Return the log of what was chosen, with its probability; who sees an optimization was given that."""
    import pyarrow as pa

    decisions = pa.table(
        {
            "event_id": [f"d-{i}" for i in ids],
            "unit_id": visits["units"],
            "surface": [name] * visits["count"],
            "item": tried,
            "propensity": [exploration.propensity(item) for item in tried],
            "event_time": visits["times"],
            "ingested_at": visits["times"] + np.timedelta64(30, "s"),
            "is_bot": visits["bot"],
        },
        schema=schemas()["decisions"],
    )
    return decisions.filter(pa.array(here))


def _effect_at(effects: list[Effect], age: float) -> Effect:
    """Return the effect in force ``age`` days after the start."""
    begun = [effect for effect in effects if effect.since <= age]
    return max(begun, key=lambda effect: effect.since) if begun else Effect()


def _break(
    rng: np.random.Generator, faults: Faults, exposures: pa.Table, outcomes: pa.Table, treated: Any
) -> tuple[pa.Table, pa.Table]:
    """Do to the data what broken tracking does."""
    import pyarrow as pa

    def replaced(table: pa.Table, column: str, share: float, value: Any) -> pa.Table:
        mask = rng.random(table.num_rows) < share
        index = table.schema.get_field_index(column)
        values = [
            value(old) if hit else old for old, hit in zip(table[column].to_pylist(), mask, strict=True)
        ]
        return table.set_column(index, column, pa.array(values, table.schema.field(column).type))

    if faults.lost_treatment:
        exposures = exposures.filter(
            pa.array(~(treated & (rng.random(len(treated)) < faults.lost_treatment)))
        )
    if faults.missing_units:
        outcomes = replaced(outcomes, "unit_id", faults.missing_units, lambda _: None)
    if faults.impossible_revenue:
        outcomes = replaced(outcomes, "revenue", faults.impossible_revenue, lambda _: -1.0)
    if faults.future_times:
        ahead = timedelta(days=30)
        outcomes = replaced(outcomes, "event_time", faults.future_times, lambda at: at + ahead)
    if faults.lost_outcomes:
        outcomes = outcomes.filter(pa.array(rng.random(outcomes.num_rows) >= faults.lost_outcomes))
    if faults.duplicate_events:
        again = pa.array(rng.random(outcomes.num_rows) < faults.duplicate_events)
        outcomes = pa.concat_tables([outcomes, outcomes.filter(again)])
    return exposures, outcomes


def _hash01(units: list[str], salt: str) -> Any:
    """Return a stable number in [0, 1) for each unit: an attribute that a person keeps."""
    import zlib

    return np.array([zlib.crc32(f"{salt}:{unit}".encode()) for unit in units], dtype=np.float64) / 2**32


def _stable(units: list[str], attribute: str, choices: tuple[tuple[str, float], ...]) -> list[str]:
    names, shares = zip(*choices, strict=True)
    index = np.searchsorted(np.cumsum(shares), _hash01(units, attribute), side="right")
    return [names[min(i, len(names) - 1)] for i in index]


def _spending(units: list[str]) -> Any:
    """Return how much a person usually spends, relative to the average: what CUPED can use."""
    from scipy.special import ndtri

    drawn = np.clip(_hash01(units, "spending"), 1e-9, 1 - 1e-9)
    return np.exp(0.6 * ndtri(drawn) - 0.18)
