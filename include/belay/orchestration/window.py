"""The measurement window: a sensor that waits in the triggerer and holds no worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

from belay.orchestration.names import SETTLES_SECONDS
from belay.orchestration.operators import REVIEW_LINKS
from belay.orchestration.runtime import conclude, optimization_of, services, step_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class MeasurementWindowTrigger(BaseTrigger):
    """Takes looks until the window ends.

    Holds no state of its own: the ledger knows what was seen, so a triggerer that takes over from a dead
    one goes on where that stopped. A look that fails changes nothing and is taken again.
    """

    def __init__(self, optimization: str, step: int, poll_seconds: float, **_: Any) -> None:
        # Unknown arguments are accepted: a trigger stored by an older or a newer Belay must still start.
        super().__init__()  # type: ignore[no-untyped-call]
        self.optimization, self.step, self.poll_seconds = optimization, step, poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path and arguments from which another process makes this trigger again."""
        arguments = {"optimization": self.optimization, "step": self.step, "poll_seconds": self.poll_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, wait, look again; one event when the window has ended."""
        await asyncio.sleep(SETTLES_SECONDS)  # one that comes sooner is lost
        while True:
            try:
                ended, sentence = await asyncio.to_thread(self._look)
            except Exception as error:  # noqa: BLE001 - whatever it is, blind is not an answer: look again
                self.log.warning("look failed, trying again in %s s: %s", self.poll_seconds, error)
            else:
                self.log.info(sentence)
                if ended:
                    yield TriggerEvent({"sentence": sentence})
                    return
            await asyncio.sleep(self.poll_seconds)

    def _look(self) -> tuple[bool, str]:
        from belay.execution import RefusedError
        from belay.gates.window import window_look

        try:
            look = window_look(services(), self.optimization, self.step)
        except RefusedError as refused:
            return True, str(refused)
        return look.outcome is not None, look.sentence


class MeasurementWindowSensor(BaseSensorOperator):
    """Waits until the scope now live can be judged, or shows harm."""

    operator_extra_links = REVIEW_LINKS
    ui_color = "#fdf3dc"

    def __init__(self, *, poll: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poll = poll

    def execute(self, context: Context) -> dict[str, Any]:
        """Take a first look here, and let the triggerer take the others."""
        return self._look(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Read the verdict from the ledger; the event only says that there is one."""
        self.log.info("%s", event.get("sentence"))
        return self._look(context)

    def _look(self, context: Context) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException

        from belay.execution import RefusedError
        from belay.gates.window import window_look

        optimization, step = optimization_of(context), step_of(context)
        try:
            look = window_look(services(), optimization, step)
        except RefusedError as refused:
            raise AirflowFailException(str(refused)) from refused
        self.log.info(look.sentence)
        if look.outcome is not None:
            return conclude(look.outcome)
        self.defer(
            trigger=MeasurementWindowTrigger(optimization, step, self.poll.total_seconds()),
            method_name="execute_complete",
        )
        raise AssertionError("defer does not return")
